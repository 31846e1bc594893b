"""While nothing crashes, nobody can tell the simulated disk from the real one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from milepost.fs import FileKind, Stat, SystemFiles
from milepost.testing import SimulatedDisk

NAMES = st.sampled_from(["a", "b", "c"])
PLACES = st.sampled_from([0, 1, 511, 512, 4095, 4096, 5000, -1])
DATA = st.sampled_from([b"", b"x", b"y" * 600, b"z" * 5000])
MODES = st.sampled_from(["read", "update", "create", "lock"])
HANDLES = st.integers(0, 7)


def _outcome(verb: Callable[..., Any], *arguments: Any) -> tuple[str, Any]:
    try:
        return ("returned", verb(*arguments))
    except OSError as error:
        return ("refused", error.errno)


def _comparable(stat: Stat) -> tuple[object, ...]:
    size = None if stat.kind is FileKind.DIRECTORY else stat.size
    permissions = None if stat.kind is FileKind.OTHER else stat.permissions
    return (stat.kind, size, stat.owner, permissions)


class Agreement(RuleBasedStateMachine):
    """The same calls on both; every answer and every errno must be the same."""

    make_disk: Callable[[], SimulatedDisk] = staticmethod(SimulatedDisk)

    @initialize()
    def start(self) -> None:
        self.path = tempfile.mkdtemp()
        self.real, self.disk = SystemFiles(), self.make_disk()
        self.root = (self.real.open_path(self.path), self.disk.open_path("/"))
        self.handles = [self.root]
        for name in ("a", "b"):
            self.both("make_directory", self.root, name)
            self.open("open_directory", self.root, name)
        self.open("open_file", self.root, "c", "create")
        self.both("write", self.handles[-1], b"w" * 5000, 0)
        self.open("open_file", self.root, "c", "read")

    def pick(self, index: int) -> tuple[int, int]:
        return self.handles[index % len(self.handles)]

    def both(self, verb: str, *arguments: Any) -> tuple[str, Any]:
        """Call *verb* on both, where a pair among the arguments stands for a handle of each."""
        sides = [[a[side] if isinstance(a, tuple) else a for a in arguments] for side in (0, 1)]
        expected = _outcome(getattr(self.real, verb), *sides[0])
        given = _outcome(getattr(self.disk, verb), *sides[1])
        assert expected[0] == given[0], (verb, arguments, expected, given)
        if expected[0] == "refused" or verb in {"read", "write", "lock", "exists"}:
            assert expected == given, (verb, arguments)
        elif verb == "names":
            assert sorted(expected[1]) == sorted(given[1])
        elif verb in {"stat", "stat_name"}:
            assert _comparable(expected[1]) == _comparable(given[1])
        return (expected[0], (expected[1], given[1]))

    def open(self, verb: str, *arguments: Any) -> None:
        outcome, pair = self.both(verb, *arguments)
        if outcome == "returned":
            self.handles.append(pair)

    @precondition(lambda self: len(self.handles) < 8)
    @rule(index=HANDLES, name=NAMES)
    def open_directory(self, index: int, name: str) -> None:
        self.open("open_directory", self.pick(index), name)

    @precondition(lambda self: len(self.handles) < 8)
    @rule(index=HANDLES, name=NAMES, mode=MODES)
    def open_file(self, index: int, name: str, mode: str) -> None:
        self.open("open_file", self.pick(index), name, mode)

    @rule(index=HANDLES)
    def close(self, index: int) -> None:
        pair = self.pick(index)
        if pair != self.root:
            self.both("close", pair)
            self.handles.remove(pair)

    @rule(index=HANDLES, name=NAMES, verb=st.sampled_from(["make_directory", "remove_directory", "unlink"]))
    def entry(self, index: int, name: str, verb: str) -> None:
        self.both(verb, self.pick(index), name)

    @rule(index=HANDLES, old=NAMES, other=HANDLES, new=NAMES, verb=st.sampled_from(["rename", "link"]))
    def move(self, index: int, old: str, other: int, new: str, verb: str) -> None:
        self.both(verb, self.pick(index), old, self.pick(other), new)

    @rule(index=HANDLES, data=DATA, offset=PLACES)
    def write(self, index: int, data: bytes, offset: int) -> None:
        self.both("write", self.pick(index), data, offset)

    @rule(index=HANDLES, size=PLACES, offset=PLACES)
    def read(self, index: int, size: int, offset: int) -> None:
        self.both("read", self.pick(index), size, offset)

    @rule(index=HANDLES, size=PLACES)
    def truncate(self, index: int, size: int) -> None:
        self.both("truncate", self.pick(index), size)

    @rule(index=HANDLES, verb=st.sampled_from(["sync", "sync_data"]))
    def sync(self, index: int, verb: str) -> None:
        self.both(verb, self.pick(index))

    @rule(index=HANDLES, offset=PLACES, size=PLACES)
    def drop_cache(self, index: int, offset: int, size: int) -> None:
        self.both("drop_cache", self.pick(index), offset, size)

    @rule(index=HANDLES)
    def lock(self, index: int) -> None:
        self.both("lock", self.pick(index))

    @rule(index=HANDLES, name=NAMES)
    def ask(self, index: int, name: str) -> None:
        self.both("stat_name", self.pick(index), name)
        self.both("exists", self.pick(index), name)
        self.both("names", self.pick(index))
        self.both("stat", self.pick(index))

    @rule(name=st.sampled_from(["a", "b", "c"]), link_to=st.sampled_from(["a", "b", None]))
    def plant(self, name: str, link_to: str | None) -> None:
        if name in self.disk.names(self.root[1]):
            return
        self.disk.plant(f"/{name}", link_to)
        if link_to is None:
            os.mkfifo(f"{self.path}/{name}")
        else:
            os.symlink(link_to, f"{self.path}/{name}")

    @rule(path=st.sampled_from(["", "/a", "/b/..", "/a/b", "/c/", "/a/../b/."]), verb=st.sampled_from(["open", "make"]))
    def by_path(self, path: str, verb: str) -> None:
        real, simulated = (self.path + path if path else ""), path
        first = _outcome(getattr(self.real, f"{verb}_path"), real)
        second = _outcome(getattr(self.disk, f"{verb}_path"), simulated)
        assert first[0] == second[0], (verb, path, first, second)
        if first[0] == "refused":
            assert first == second, (verb, path)
        elif verb == "open":
            self.both("close", (first[1], second[1]))

    @invariant()
    def the_same_files_are_the_same(self) -> None:
        pairs = [(self.real.stat(real).inode, self.disk.stat(given).inode) for real, given in self.handles]
        assert len(set(pairs)) == len({real for real, _ in pairs}) == len({given for _, given in pairs})

    def teardown(self) -> None:
        if not hasattr(self, "root"):
            return
        try:
            files = {path: data.read_bytes() for path, data in _regular_files(Path(self.path))}
            assert files == self.disk.files()
            _sync_everything(self.disk, self.disk.open_path("/"))
            assert self.disk.crash().files() == files
        finally:
            for real, _ in self.handles:
                self.real.close(real)
            shutil.rmtree(self.path)


def _regular_files(root: Path) -> list[tuple[str, Path]]:
    paths = [Path(base, name) for base, _, names in os.walk(root) for name in names]
    return [(f"/{p.relative_to(root)}", p) for p in paths if p.is_file() and not p.is_symlink()]


def _sync_everything(disk: SimulatedDisk, directory: int) -> None:
    for name in disk.names(directory):
        kind = disk.stat_name(directory, name).kind
        if kind is FileKind.DIRECTORY:
            _sync_everything(disk, disk.open_directory(directory, name))
        elif kind is FileKind.FILE:
            disk.sync(disk.open_file(directory, name, "read"))
    disk.sync(directory)


QUICK = settings(max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))


def test_the_simulated_disk_agrees_with_the_system() -> None:
    """Every verb answers and refuses as the system does, and what was synced survives."""
    run_state_machine_as_test(Agreement, settings=QUICK)
    assert Agreement.make_disk is SimulatedDisk


class _ForgetsLocks(SimulatedDisk):
    def lock(self, file: int) -> bool:
        self.stat(file)
        return True


class _OverwritesByLink(SimulatedDisk):
    def link(self, source: int, old: str, target: int, new: str) -> None:
        if new in self.names(target) and new != old:
            self.unlink(target, new)
        super().link(source, old, target, new)


class _ReadsShort(SimulatedDisk):
    def read(self, file: int, size: int, offset: int) -> bytes:
        return super().read(file, size, offset)[:1000]


class _LosesOnSync(SimulatedDisk):
    def sync(self, handle: int) -> None:
        self.lose_pending(handle)


@pytest.mark.parametrize("broken", [_ForgetsLocks, _OverwritesByLink, _ReadsShort, _LosesOnSync])
def test_the_comparison_can_fail(broken: type[SimulatedDisk]) -> None:
    """A disk with one planted fault is told from the real one."""

    class Comparison(Agreement):
        make_disk: Callable[[], SimulatedDisk] = staticmethod(broken)

    many = settings(QUICK, max_examples=1000, phases=[Phase.generate], database=None, print_blob=False)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Comparison, settings=many)
