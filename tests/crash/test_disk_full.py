"""A full disk: the old state is whole, the error says what is needed, and the run goes on once there is space."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from milepost import CheckpointManager
from milepost.errors import DiskFull, StorageError
from milepost.fs import FileSystem, use
from milepost.testing import NEEDING_SPACE, ErrorAt, SimulatedDisk
from tests.support.manager_law import Clock, disk, manager

PLAN = {n: {"books": ["b" * 900] * n, "count": n} for n in range(1, 7)}
TMPFS_BYTES = 1024 * 1024


def _run_until_refused(files: FileSystem, forced: set[int]) -> tuple[int, StorageError | None]:
    """Save the plan on *files*; return the last acknowledged iteration and the error that ended it."""
    last = 0
    with use(files):
        saver = manager()
        try:
            for iteration, state in PLAN.items():
                saver.save_checkpoint(iteration, state, force=iteration in forced)
                last = iteration
        except StorageError as error:
            return last, error
    return last, None


def _holds(files: FileSystem, last: int) -> None:
    """The last acknowledged state, or the one in flight, is there; and the run can be finished now."""
    with use(files):
        found = manager().get_latest_checkpoint()
        reached = found["iteration"] if found else 0
        assert reached in {last, last + 1}
        assert not found or found["state"] == PLAN[reached]
        saver = manager()
        saver.get_latest_checkpoint()
        for iteration in range(reached + 1, len(PLAN) + 1):
            saver.save_checkpoint(iteration, PLAN[iteration])
        final = manager().get_latest_checkpoint()
        assert final is not None
        assert final["state"] == PLAN[len(PLAN)]


@pytest.mark.parametrize("forced", [{1, 2, 3, 4, 5, 6}, {1}, {3}], ids=["forced", "throttled", "mixed"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_no_space_at_any_operation_is_typed_and_harmless(forced: set[int], code: int) -> None:
    """Whichever operation of a run finds no space, the error is DiskFull and nothing acknowledged is lost."""
    refused = 0
    for n in range(1, 1000):
        left = disk()
        faulty = ErrorAt(left, n, code, among=NEEDING_SPACE)
        last, error = _run_until_refused(faulty, forced)
        if not faulty.fired:
            break
        if error is not None:  # padding that does not fit is done without
            refused += 1
            assert isinstance(error, DiskFull)
            assert error.code == "storage.full"
        _holds(left.killed(), last)
    assert refused > 20


@pytest.mark.parametrize("forced", [{1, 2, 3, 4, 5, 6}, {1}], ids=["forced", "throttled"])
def test_a_disk_of_any_size_is_left_whole(forced: set[int]) -> None:
    """However many bytes the disk has, the state that fitted is whole, and with more space the run finishes."""
    refused = 0
    for capacity in range(4096, 200_000, 1777):
        left = disk()
        left.capacity = capacity
        last, error = _run_until_refused(left, forced)
        if error is not None:
            refused += 1
            assert isinstance(error, DiskFull)
        left = left.killed()
        left.capacity = None
        _holds(left, last)
    assert refused > 5


def test_the_same_manager_goes_on_once_there_is_space() -> None:
    """After DiskFull the same object saves again as soon as there is space, and nothing saved before is lost."""
    left = disk()
    with use(left):
        saver = manager()
        saver.save_checkpoint(1, PLAN[1])
        left.capacity = _used_bytes(left)
        with pytest.raises(DiskFull) as refusal:
            _save_for_ever(saver)
        assert refusal.value.needed_bytes
        assert refusal.value.free_bytes is not None
        left.capacity = None
        assert saver.save_checkpoint(3, PLAN[3]) is not None  # the journal was hurt: the whole state goes to a file
        assert saver.save_checkpoint(4, PLAN[4]) is None
        found = manager().get_latest_checkpoint()
    assert found is not None
    assert found["state"] == PLAN[4]


def test_the_reserve_lets_a_last_save_land() -> None:
    """When the disk is full, what fits in the space written ahead is still saved durably."""
    left = disk()
    with use(left):
        saver = manager()
        saver.save_checkpoint(1, PLAN[1])
        saver.save_checkpoint(2, PLAN[2])
        left.capacity = _used_bytes(left)
        assert saver.save_checkpoint(3, PLAN[3]) is None
    with use(left.crash()):
        found = manager(clock=Clock()).get_latest_checkpoint()
    assert found is not None
    assert found["iteration"] == 3


def test_the_reserve_is_there_after_a_checkpoint_found_no_room() -> None:
    """When a forced save found no room, a small change is still saved in the space written ahead."""
    left = disk()
    with use(left):
        saver = manager()
        saver.save_checkpoint(1, PLAN[1])
        saver.save_checkpoint(2, PLAN[2])
        left.capacity = _used_bytes(left)
        with pytest.raises(DiskFull):
            saver.save_checkpoint(3, PLAN[3], force=True)
        assert saver.save_checkpoint(3, PLAN[3]) is None
    with use(left.crash()):
        found = manager(clock=Clock()).get_latest_checkpoint()
    assert found is not None
    assert found["state"] == PLAN[3]


def _save_for_ever(saver: CheckpointManager) -> None:
    while True:
        saver.save_checkpoint(2, {**PLAN[2], "more": os.urandom(500).hex()})


def _used_bytes(left: SimulatedDisk) -> int:
    left.capacity = 1 << 30
    root = left.open_path("/")
    try:
        return left.capacity - left.free_bytes(root)
    finally:
        left.close(root)


FILL = """
import json, os, sys
from pathlib import Path
import milepost
from milepost.errors import DiskFull

root, spare, forced = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "forced"
plan = {n: {"books": ["b" * 900] * n, "count": n} for n in range(1, 7)}
saver = milepost.CheckpointManager("phase_3", root / "checkpoints")
saver.save_checkpoint(1, plan[1], force=True)
space = os.statvfs(root)
with open(root / "filler", "wb") as filler:
    filler.write(b"x" * max(0, space.f_bavail * space.f_frsize - spare))
last, error = 1, None
try:
    for n in range(2, 7):
        saver.save_checkpoint(n, plan[n], force=forced)
        last = n
except DiskFull as full:
    error = {"code": full.code, "needed": full.needed_bytes, "free": full.free_bytes}
found = milepost.CheckpointManager("phase_3", root / "checkpoints").get_latest_checkpoint()
os.unlink(root / "filler")
for n in range(found["iteration"] + 1, 7):
    saver.save_checkpoint(n, plan[n], force=forced)
final = milepost.CheckpointManager("phase_3", root / "checkpoints").get_latest_checkpoint()
print(json.dumps({"last": last, "error": error, "found": found["iteration"],
                  "right": found["state"] == plan[found["iteration"]], "final": final["state"] == plan[6]}))
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A real disk of one megabyte, where this user may mount one."""
    target = tmp_path / "disk"
    target.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "tmpfs", str(target)], capture_output=True, check=False
    )
    if mounted.returncode:
        yield None
        return
    try:
        yield target
    finally:
        subprocess.run(["umount", "-l", str(target)], check=True)


@pytest.mark.parametrize("kind", ["forced", "throttled"])
def test_a_real_full_disk_keeps_what_was_saved(small_disk: Path | None, kind: str) -> None:
    """On a real full disk the old state is whole, the error typed, and the same process goes on once there is space."""
    if small_disk is None:  # without the right to mount, the simulated disk stands in
        _holds(SimulatedDisk(("/checkpoints",)), 0)
        return
    refused = 0
    for spare in range(0, 24_000, 3_001):
        for name in ("checkpoints", "filler"):
            subprocess.run(["rm", "-rf", str(small_disk / name)], check=True)
        run = subprocess.run(
            [sys.executable, "-c", FILL, str(small_disk), str(spare), kind], capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
        told = json.loads(run.stdout)
        assert told["found"] == told["last"]
        assert told["right"]
        assert told["final"]
        if told["error"]:
            refused += 1
            assert told["error"]["code"] == "storage.full"
            assert told["error"]["needed"] > told["error"]["free"]
    assert refused or kind == "throttled"
