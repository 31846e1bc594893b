"""The durable new file survives every crash, and the crash states catch every other way of writing one."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from milepost.fs import TEMPORARY_SUFFIX, FileSystem, new_file
from milepost.fs.durable import write_all
from milepost.testing import (
    MUTATING,
    NEEDING_SPACE,
    ErrorAt,
    Interrupted,
    Recorded,
    ShortWrites,
    SimulatedDisk,
    for_each_crash,
)

OLD = b"o" * 5000
NEW = b"n" * 9000


def fresh() -> SimulatedDisk:
    """Return a disk with an empty folder."""
    return SimulatedDisk(("/data",))


def used() -> SimulatedDisk:
    """Return a disk whose folder holds the old file, durably."""
    disk = fresh()
    folder = disk.open_path("/data")
    new_file(disk, folder, "state", OLD, replace=True)
    disk.close(folder)
    return disk


def writing(way: Callable[[FileSystem, int], None]) -> Callable[[FileSystem, list[bytes]], None]:
    """Return the scenario that writes the new file in one *way* and acknowledges it."""

    def scenario(files: FileSystem, acknowledged: list[bytes]) -> None:
        folder = files.open_path("/data")
        with suppress(OSError):
            way(files, folder)
            acknowledged.append(NEW)

    return scenario


def whole(before: bytes | None) -> Callable[[SimulatedDisk, list[bytes]], None]:
    """Return the check that the file is what it was *before* or the new one, and the new one once acknowledged."""

    def check(disk: SimulatedDisk, acknowledged: list[bytes]) -> None:
        shown = disk.files().get("/data/state")
        assert shown in ((NEW,) if acknowledged else (before, NEW))

    return check


def create(files: FileSystem, folder: int) -> None:
    new_file(files, folder, "state", NEW, replace=False)


def replace(files: FileSystem, folder: int) -> None:
    new_file(files, folder, "state", NEW, replace=True)


def test_a_created_file_appears_whole_or_not_at_all() -> None:
    """A new file is absent or whole after any crash, and durable once its writer was told so."""
    counts = for_each_crash(writing(create), whole(None), fresh)
    assert counts.points == 2 * 6 + 1
    assert counts.states >= 30


def test_a_replaced_file_is_the_old_or_the_new_one() -> None:
    """A replaced file is whole, old or new, after any crash, and new once its writer was told so."""
    counts = for_each_crash(writing(replace), whole(OLD), used)
    assert counts.points == 2 * 5 + 1
    assert counts.states >= 30


def test_a_crash_in_the_next_attempt_is_only_another_crash() -> None:
    """Writing again after any crash, and crashing again, leaves the old file or the new one."""
    counts = for_each_crash(writing(replace), whole(OLD), used, recover=writing(replace))
    assert counts.nested_states >= 500


def test_short_writes_change_nothing() -> None:
    """However little each write takes, the file is whole after any crash."""
    scenario = writing(lambda files, folder: replace(ShortWrites(files), folder))
    assert for_each_crash(scenario, whole(OLD), used, limit=40).states >= 200


def test_the_order_of_writing() -> None:
    """Bytes, sync, name, sync of the folder: in this order and nothing else."""
    for way, naming in ((replace, ["rename"]), (create, ["link", "unlink"])):
        recorded = Recorded(fresh())
        way(recorded, recorded.open_path("/data"))
        verbs = [operation.name for operation in recorded.operations if operation.mutates]
        assert verbs == ["create_file", "write", "sync", *naming, "sync"]
        assert recorded.story()[-1] == "sync /data"


def test_a_created_file_overwrites_nothing() -> None:
    """Where nothing may be replaced, a taken name is an error and the file stays, alone in its folder."""
    disk = used()
    with pytest.raises(FileExistsError):
        create(disk, disk.open_path("/data"))
    assert disk.files() == {"/data/state": OLD}


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("persistent", [False, True])
def test_an_error_anywhere_leaves_a_whole_file(code: int, persistent: bool) -> None:
    """Whatever operation fails, once or for good, crashes find the old file or the new one, and writing goes on."""
    failures = 0
    for n in range(1, 100):
        struck: list[bool] = []

        def failing(files: FileSystem, folder: int, n: int = n, struck: list[bool] = struck) -> None:
            faulty = ErrorAt(files, n, code, persistent=persistent)
            try:
                replace(faulty, folder)
            finally:
                struck.append(faulty.fired)

        counts = for_each_crash(writing(failing), whole(OLD), used, recover=writing(replace), limit=8)
        assert counts.nested_states > 5
        if not struck[0]:
            break
        failures += 1
    assert failures == 6


def test_an_error_after_its_effect_leaves_a_whole_file() -> None:
    """An operation that took effect and was reported as failed breaks nothing."""
    for n in range(1, 7):

        def misreported(files: FileSystem, folder: int, n: int = n) -> None:
            replace(ErrorAt(files, n, errno.EIO, "after"), folder)

        assert for_each_crash(writing(misreported), whole(OLD), used, limit=20).states > 1


def test_a_full_disk_keeps_the_old_file() -> None:
    """At any free space the old file stays whole, the error is ENOSPC, and nothing of the attempt takes space."""
    refused = 0
    for free_pages in range(5):
        disk = used()
        disk.capacity = (2 + free_pages) * 4096
        folder = disk.open_path("/data")
        if free_pages < 3:
            with pytest.raises(OSError, match="No space"):
                replace(disk, folder)
            refused += 1
            assert disk.files() == {"/data/state": OLD}
            assert disk.free_bytes(folder) == free_pages * 4096
            disk.capacity = None
        replace(disk, folder)
        assert disk.crash().files() == {"/data/state": NEW}
    assert refused == 3


def test_an_interrupt_leaves_a_whole_file() -> None:
    """A KeyboardInterrupt at any operation leaves the old file or the new one."""
    struck = 0
    for when in ("before", "after"):
        for n in range(1, 8):
            disk = used()
            files = Interrupted(disk, n, when)
            with suppress(KeyboardInterrupt):
                replace(files, files.open_path("/data"))
            struck += files.fired
            assert disk.files()["/data/state"] in (OLD, NEW)
            assert disk.crash().files()["/data/state"] in (OLD, NEW)
    assert struck == 14


KILLED = """
import sys
from milepost.fs import SystemFiles, new_file
from milepost.testing import KillAt
files = KillAt(SystemFiles(), int(sys.argv[2]), sys.argv[3])
new_file(files, files.open_path(sys.argv[1]), "state", b"n" * 9000, replace=True)
"""


def test_a_real_kill_leaves_a_whole_file(tmp_path: Path) -> None:
    """SIGKILL before or after any operation on the real filesystem leaves the old file or the new one."""
    shown: list[bytes] = []
    for when in ("before", "after"):
        for n in range(1, 6):
            (tmp_path / "state").write_bytes(OLD)
            command = [sys.executable, "-c", KILLED, str(tmp_path), str(n), when]
            assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
            shown.append((tmp_path / "state").read_bytes())
    assert shown == [OLD] * 4 + [NEW] + [OLD] * 3 + [NEW] * 2
    assert all(name == "state" or name.endswith(TEMPORARY_SUFFIX) for name in os.listdir(tmp_path))


# --- planted bugs: each is a durable write with one mistake ----------------------------------------------


def _written(files: FileSystem, folder: int, name: str, *, sync: bool = True) -> None:
    handle = files.open_file(folder, name, "create")
    write_all(files, handle, NEW, 0)
    if sync:
        files.sync(handle)
    files.close(handle)


def no_file_sync(files: FileSystem, folder: int) -> None:
    _written(files, folder, "t.tmp", sync=False)
    files.rename(folder, "t.tmp", folder, "state")
    files.sync(folder)


def no_directory_sync(files: FileSystem, folder: int) -> None:
    _written(files, folder, "t.tmp")
    files.rename(folder, "t.tmp", folder, "state")


def under_the_final_name(files: FileSystem, folder: int) -> None:
    if "state" in files.names(folder):
        handle = files.open_file(folder, "state", "update")
        files.truncate(handle, 0)
        write_all(files, handle, NEW, 0)
        files.sync(handle)
    else:
        _written(files, folder, "state")
    files.sync(folder)


def rename_before_sync(files: FileSystem, folder: int) -> None:
    handle = files.open_file(folder, "t.tmp", "create")
    write_all(files, handle, NEW, 0)
    files.rename(folder, "t.tmp", folder, "state")
    files.sync(handle)
    files.sync(folder)


def unlink_before_rename(files: FileSystem, folder: int) -> None:
    _written(files, folder, "t.tmp")
    if "state" in files.names(folder):
        files.unlink(folder, "state")
    files.rename(folder, "t.tmp", folder, "state")
    if "state" not in files.names(folder):
        raise AssertionError
    files.sync(folder)


def one_write_only(files: FileSystem, folder: int) -> None:
    short = ShortWrites(files)
    handle = short.open_file(folder, "t.tmp", "create")
    short.write(handle, NEW, 0)
    short.sync(handle)
    short.rename(folder, "t.tmp", folder, "state")
    short.sync(folder)


def _retried(files: FileSystem, handle: int) -> None:
    try:
        files.sync(handle)
    except OSError:
        files.sync(handle)


def retried_file_sync(files: FileSystem, folder: int) -> None:
    faulty = ErrorAt(files, 1, errno.EIO, among={"sync"})
    handle = faulty.open_file(folder, "t.tmp", "create")
    write_all(faulty, handle, NEW, 0)
    _retried(faulty, handle)
    faulty.rename(folder, "t.tmp", folder, "state")
    faulty.sync(folder)


def retried_directory_sync(files: FileSystem, folder: int) -> None:
    faulty = ErrorAt(files, 2, errno.EIO, among={"sync"})
    handle = faulty.open_file(folder, "t.tmp", "create")
    write_all(faulty, handle, NEW, 0)
    faulty.sync(handle)
    faulty.rename(folder, "t.tmp", folder, "state")
    _retried(faulty, folder)


BUGS = [
    no_file_sync,
    no_directory_sync,
    under_the_final_name,
    rename_before_sync,
    one_write_only,
    retried_file_sync,
    retried_directory_sync,
]


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize(("disk", "before"), [(fresh, None), (used, OLD)])
def test_each_planted_bug_is_caught(
    bug: Callable[[FileSystem, int], None], disk: Callable[[], SimulatedDisk], before: bytes | None
) -> None:
    """A durable write with one mistake is caught, whether it creates or replaces."""
    with pytest.raises(AssertionError) as caught:
        for_each_crash(writing(bug), whole(before), disk)
    assert caught.value.__notes__


def test_removing_the_old_file_first_is_caught() -> None:
    """A file that is removed before its successor takes the name is missing after a crash in between."""
    with pytest.raises(AssertionError) as caught:
        for_each_crash(writing(unlink_before_rename), whole(OLD), used)
    assert "died after operation" in caught.value.__notes__[0]


def test_the_operations_that_need_space_are_known() -> None:
    """Removing needs no space; everything else that changes the disk may."""
    assert sorted(MUTATING - NEEDING_SPACE) == ["remove_directory", "unlink"]
