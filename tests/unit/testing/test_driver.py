"""The driver meets every death, and no death that could not be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from milepost.fs import FileSystem, new_file
from milepost.testing import CrashAt, SimulatedCrash, SimulatedDisk, for_each_crash


def two_files(files: FileSystem, acknowledged: list[str]) -> None:
    """Write two files, each acknowledged when it is durable."""
    root = files.open_path("/")
    for name in ("a", "b"):
        new_file(files, root, name, b"x" * 600, replace=True)
        acknowledged.append(name)


def all_there(disk: SimulatedDisk, acknowledged: list[str]) -> None:
    """Check that what was acknowledged is whole."""
    for name in acknowledged:
        assert disk.files()[f"/{name}"] == b"x" * 600


def test_each_death_is_met() -> None:
    """A run that truly dies before or after any operation leaves a disk that the driver checked."""
    met: list[tuple[object, list[str]]] = []
    counts = for_each_crash(two_files, lambda disk, done: met.append((disk.fingerprint(), done)))
    dying = 0
    for when in ("before", "after"):
        for n in range(1, 100):
            disk, done = SimulatedDisk(), list[str]()
            files = CrashAt(disk, n, when)
            try:
                two_files(files, done)
            except SimulatedCrash:
                dying += 1
                assert (disk.killed().fingerprint(), done) in met
            else:
                assert not files.fired
                break
    assert dying == counts.points - 1 == 20
    assert counts.states == len(met) > dying


def test_the_end_is_a_moment_too() -> None:
    """A promise given after the last operation is checked."""

    def promises_too_much(files: FileSystem, acknowledged: list[str]) -> None:
        files.close(files.open_file(files.open_path("/"), "a", "create"))
        acknowledged.append("a")

    def named(disk: SimulatedDisk, acknowledged: list[str]) -> None:
        for name in acknowledged:
            assert f"/{name}" in disk.files()

    with pytest.raises(AssertionError) as caught:
        for_each_crash(promises_too_much, named)
    assert caught.value.__notes__ == ["the power went at the end (lost: create 'a'=3)"]


def test_no_disk_is_checked_twice() -> None:
    """Equal disks with equal promises are met once; with other promises they are met again."""
    met: list[tuple[object, ...]] = []
    for_each_crash(two_files, lambda disk, done: met.append((disk.fingerprint(), tuple(done))))
    assert len(met) == len(set(met))
    assert len({fingerprint for fingerprint, _ in met}) < len(met)


def test_a_check_may_change_what_it_is_given() -> None:
    """A check has a disk and a list of its own."""

    def greedy(disk: SimulatedDisk, done: list[str]) -> None:
        done.append("mine")
        new_file(disk, disk.open_path("/"), "mine", b"", replace=True)

    def modest(disk: SimulatedDisk, done: list[str]) -> None:
        assert "mine" not in done
        assert "/mine" not in disk.files()

    def both(disk: SimulatedDisk, done: list[str]) -> None:
        modest(disk, done)
        greedy(disk, done)

    def resume(files: FileSystem, done: list[str]) -> None:
        assert "mine" not in done

    assert for_each_crash(two_files, both, recover=resume).nested_points > 0


def serve(sync: bool) -> Callable[[FileSystem, list[str]], None]:
    """Return a recovery that reads what is visible and serves it, synced before or not."""

    def recovery(files: FileSystem, acknowledged: list[str]) -> None:
        root = files.open_path("/")
        if "a" in files.names(root):
            file = files.open_file(root, "a", "read")
            if files.read(file, 600, 0) == b"x" * 600:
                if sync:
                    files.sync(file)
                    files.sync(root)
                acknowledged.append("a")
        new_file(files, root, "c", b"", replace=True)

    return recovery


def only_written(files: FileSystem, acknowledged: list[str]) -> None:
    """Write a file and sync nothing."""
    files.write(files.open_file(files.open_path("/"), "a", "create"), b"x" * 600, 0)


def test_recovery_is_crashed_too() -> None:
    """What a recovery serves unsynced after a kill is lost when the power goes in it; what it synced is not."""
    assert for_each_crash(only_written, all_there).nested_states == 0
    counts = for_each_crash(only_written, all_there, recover=serve(sync=True))
    assert counts.nested_points > counts.points
    assert counts.nested_states > 5
    with pytest.raises((KeyError, AssertionError)) as caught:
        for_each_crash(only_written, all_there, recover=serve(sync=False))
    (note,) = caught.value.__notes__
    assert note.startswith("the process died after operation 3, write a; then the power went")


def test_each_state_is_recovered_from() -> None:
    """A disk that an earlier recovery's crash left as well is still recovered from."""
    starts: list[object] = []

    def recovery(files: FileSystem, acknowledged: list[str]) -> None:
        starts.append(None)
        two_files(files, acknowledged)

    counts = for_each_crash(two_files, all_there, recover=recovery)
    assert len(starts) == counts.states
    assert counts.states == for_each_crash(two_files, all_there).states


def test_promises_hold_through_recovery() -> None:
    """What was acknowledged before the crash is asked for after a crash in recovery as well."""

    def forgetful(files: FileSystem, acknowledged: list[str]) -> None:
        root = files.open_path("/")
        for name in files.names(root):
            files.unlink(root, name)

    with pytest.raises(KeyError) as caught:
        for_each_crash(two_files, all_there, recover=forgetful)
    assert "; then " in caught.value.__notes__[0]


def test_a_limit_bounds_the_states() -> None:
    """With a limit fewer states are tried at each moment, and the moments stay the same."""
    everything = for_each_crash(two_files, all_there)
    some = for_each_crash(two_files, all_there, limit=3)
    assert some.points == everything.points
    assert some.states < everything.states


def test_the_disk_may_be_given() -> None:
    """The scenario starts on the disk that the factory makes."""

    def check(disk: SimulatedDisk, acknowledged: list[str]) -> None:
        assert disk.names(disk.open_path("/")) == ["home"]

    assert for_each_crash(lambda files, done: None, check, lambda: SimulatedDisk(("/home",))).states == 1
