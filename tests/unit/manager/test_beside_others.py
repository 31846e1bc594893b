"""What other hands do meanwhile: deleting, copying, forking, changing folders, ending the interpreter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from milepost import CheckpointManager
from milepost.errors import InvalidArgument, StorageError
from milepost.fs import use
from milepost.testing import ErrorAt
from tests.unit.manager.world import PHASE, UnsyncedFiles, World, forked

LEGACY = '{"phase": "phase_3", "iteration": 7, "timestamp": "2025-10-18T10:30:45", "state": {"old": 7}, "metadata": {}}'


def test_a_save_into_a_deleted_folder_is_not_acknowledged(world: World) -> None:
    """When the folder was deleted under an open manager, a save raises instead of going nowhere."""
    manager = world.manager()
    manager.save_checkpoint(1, {"n": 1})
    shutil.rmtree(world.folder)
    with pytest.raises(StorageError):
        manager.save_checkpoint(2, {"n": 2})
    with pytest.raises(StorageError):
        manager.save_checkpoint(2, {"n": 2}, force=True)
    manager.close()
    assert world.manager().save_checkpoint(3, {"n": 3}, force=True) is not None
    assert world.state() == {"n": 3}


def test_an_equal_save_does_not_name_a_file_that_is_gone(world: World) -> None:
    """When the newest checkpoint was deleted by hand, an equal and forced save writes it again."""
    manager = world.manager()
    first = manager.save_checkpoint(1, {"n": 1}, force=True)
    assert first is not None
    first.unlink()
    second = manager.save_checkpoint(1, {"n": 1}, force=True)
    assert second is not None
    assert second.exists()
    assert world.state() == {"n": 1}


def test_a_file_put_in_after_a_deletion_is_not_void(world: World) -> None:
    """A checkpoint of the old manager that is copied in after the only one was deleted is loaded, and never deleted."""
    manager = world.manager()
    path = manager.save_checkpoint(1, {"n": 1}, force=True)
    assert path is not None
    manager.delete_checkpoint(path)
    manager.close()
    copied = world.folder / "checkpoint_20251018_103045_iter7.json"
    copied.write_text(LEGACY)
    fresh = world.manager(ttl_hours=None)
    found = fresh.get_latest_checkpoint()
    assert found is not None
    assert found["state"] == {"old": 7}
    fresh.save_checkpoint(8, {"n": 8})
    assert copied.exists()


def test_a_clear_that_fails_after_damage_leaves_nothing_to_load(world: World) -> None:
    """After damage made the numbering of records begin again, a clear that breaks off still leaves nothing to load."""
    with world.manager() as manager:
        for n in range(1, 40):
            manager.save_checkpoint(n, {"n": n}, force=n % 13 == 0)
    for journal in world.folder.glob("journal_*"):
        journal.unlink()
    again = world.manager()
    again.get_latest_checkpoint()
    again.save_checkpoint(50, {"n": 50})
    again.close()
    with use(ErrorAt(UnsyncedFiles(), 1, 5, among={"unlink"})):
        broken = world.manager()
        broken.get_latest_checkpoint()
        with pytest.raises(StorageError):
            broken.clear_all_checkpoints()
    assert world.load() is None


def test_metadata_is_a_dict(world: World) -> None:
    """Metadata of another type is refused, for every reader expects a dict."""
    wrong: Any = [1, 2]
    with pytest.raises(InvalidArgument, match="metadata"):
        world.manager().save_checkpoint(1, {}, wrong)


def test_changing_the_working_folder_moves_no_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative checkpoint folder stays where it was when the manager was made."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    manager = CheckpointManager(PHASE, "checkpoints")
    manager.save_checkpoint(1, {"n": 1})
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = manager.save_checkpoint(2, {"n": 2}, force=True)
    assert path is not None
    assert path.exists()
    found = manager.get_latest_checkpoint()
    assert found is not None
    assert found["state"] == {"n": 2}


def test_a_path_with_nul_is_refused_by_type() -> None:
    """A folder's name that no system takes is refused when the manager is made."""
    with pytest.raises(InvalidArgument, match="NUL"):
        CheckpointManager(PHASE, "a\0b")


def test_a_forked_child_can_close_while_the_parent_saves(world: World) -> None:
    """A child forked in the middle of another thread's save leaves its ``with`` block without waiting for ever."""
    manager = world.manager()
    manager.save_checkpoint(0, {"n": 0})
    stop = threading.Event()

    def save() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            manager.save_checkpoint(n, {"n": n}, force=True)

    thread = threading.Thread(target=save)
    thread.start()

    def leave() -> str:
        manager.close()
        return "closed"

    try:
        for _ in range(10):
            assert forked(leave) == "closed"
    finally:
        stop.set()
        thread.join()


ENDING = """
import os, sys, threading, time
import milepost
manager = milepost.CheckpointManager("phase_3", sys.argv[1])
manager.save_checkpoint(0, {"n": 0})
def save():
    n = 0
    while True:
        n += 1
        manager.save_checkpoint(n, {"n": n})
        os.write(1, b"%d\\n" % n)
threading.Thread(target=save, daemon=True).start()
time.sleep(float(sys.argv[2]))
"""


@pytest.mark.parametrize("seconds", [0.02, 0.05, 0.08, 0.11, 0.14, 0.17])
def test_the_end_of_the_interpreter_loses_no_acknowledged_save(tmp_path: Path, seconds: float) -> None:
    """What a daemon thread was told is saved is there, although the interpreter ended in the middle of its next save."""
    done = subprocess.run(
        [sys.executable, "-c", ENDING, str(tmp_path), str(seconds)], capture_output=True, text=True, check=False
    )
    acknowledged = [int(line) for line in done.stdout.split() if line.isdigit()]
    found = CheckpointManager(PHASE, tmp_path).get_latest_checkpoint()
    assert found is not None
    assert found["iteration"] >= (acknowledged[-1] if acknowledged else 0)
    assert os.path.exists(tmp_path / PHASE)
