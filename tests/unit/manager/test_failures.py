"""A medium that refuses: the error is typed, the old state is whole, and the same manager saves again later."""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from milepost import CheckpointManager
from milepost.errors import DiskFull, DurabilityUnknown, MilepostError, StorageError
from milepost.fs import use
from milepost.testing import MUTATING, NEEDING_SPACE, ErrorAt, Interrupted
from tests.unit.manager.world import PHASE, BentClock, UnsyncedFiles, World

STATES: list[dict[str, Any]] = [
    {"list": [1]},
    {"list": [1, 2]},
    {"list": [1, 2], "big": "x" * 70_000},
    {"list": [1, 2]},
    {"list": [1, 2], "last": (1,)},
]
FORCED = {3, 4}


class Turn(UnsyncedFiles):
    """Files whose space can be taken away and given back."""

    full = False

    def write(self, file: int, data: bytes | memoryview, offset: int) -> int:
        """Write, or find no space."""
        if self.full:
            raise OSError(errno.ENOSPC, "no space left on device")
        return super().write(file, data, offset)

    def free_bytes(self, handle: int) -> int:
        """Say how much there is."""
        return 0 if self.full else super().free_bytes(handle)


def latest(root: Path) -> Any:
    """Return what a new manager finds on the files below all wrappers."""
    with use(UnsyncedFiles()):
        loaded = CheckpointManager(PHASE, root, clock=BentClock()).get_latest_checkpoint()
    return loaded and (loaded["iteration"], loaded["state"])


def save_all(manager: CheckpointManager, root: Path) -> tuple[list[MilepostError], Any]:
    """Save every state, each again after an error; hold after each error that the old state is whole."""
    errors: list[MilepostError] = []
    before = None
    for iteration, state in enumerate(STATES):
        for attempt in range(4):
            try:
                path = manager.save_checkpoint(iteration, state, force=iteration in FORCED)
            except MilepostError as error:
                errors.append(error)
                assert attempt < 3, errors
                assert latest(root) in (before, (iteration, state)), (iteration, errors)
            else:
                assert path is not None or iteration not in FORCED
                break
        before = (iteration, state)
        assert latest(root) == before, errors
    return errors, before


@pytest.mark.parametrize(
    ("code", "kinds", "typed"),
    [
        (errno.ENOSPC, NEEDING_SPACE, (DiskFull,)),
        (errno.EDQUOT, NEEDING_SPACE, (DiskFull,)),
        (errno.EIO, MUTATING, (StorageError,)),
        (errno.EROFS, MUTATING - {"sync", "sync_data"}, (StorageError,)),
    ],
)  # fmt: skip
def test_an_error_at_any_operation_is_typed_and_overcome(
    tmp_path: Path, code: int, kinds: frozenset[str], typed: tuple[type[Exception], ...]
) -> None:
    """Whichever operation of a save fails, the error is typed, nothing acknowledged is lost, and a retry works."""
    struck = 0
    for n in range(1, 200):
        root = tmp_path / str(n)
        files = ErrorAt(UnsyncedFiles(), n, code, among=kinds)
        with use(files):
            manager = CheckpointManager(PHASE, root, clock=BentClock())
            errors, last = save_all(manager, root)
            with suppress(StorageError):
                manager.close()
            assert latest(root) == last
        if not files.fired:
            break
        struck += bool(errors)
        for error in errors:
            assert isinstance(error, (*typed, DurabilityUnknown)), (n, error)
    assert not files.fired
    assert struck > 10


@pytest.mark.parametrize("force", [False, True])
def test_a_full_disk_never_looks_like_a_throttle(tmp_path: Path, force: bool) -> None:
    """On a full disk a save raises DiskFull, never returns None, as long as it stays full; then all is as before."""
    files = Turn()
    with use(files):
        manager = CheckpointManager(PHASE, tmp_path, clock=BentClock())
        manager.save_checkpoint(1, {"n": 1})
        files.full = True
        for n in (2, 3, 4):
            with pytest.raises(DiskFull, match="Free some space"):
                manager.save_checkpoint(n, {"n": "x" * 100_000}, force=force)
            assert latest(tmp_path) == (1, {"n": 1})
        files.full = False
        manager.save_checkpoint(5, {"n": 5}, force=force)
        assert latest(tmp_path) == (5, {"n": 5})
        manager.save_checkpoint(6, {"n": 6})
    assert latest(tmp_path) == (6, {"n": 6})


def test_a_full_disk_says_what_is_needed_and_free(tmp_path: Path) -> None:
    """DiskFull names the bytes needed and free, in its text and as attributes."""
    files = Turn()
    with use(files):
        manager = CheckpointManager(PHASE, tmp_path, clock=BentClock())
        manager.save_checkpoint(1, {"n": 1})
        files.full = True
        with pytest.raises(DiskFull) as caught:
            manager.save_checkpoint(2, {"n": "x" * 1000}, force=True)
    assert caught.value.needed_bytes is not None
    assert caught.value.needed_bytes > 1000
    assert caught.value.free_bytes == 0
    assert "bytes are needed" in str(caught.value)


def test_the_state_of_before_can_be_saved_after_a_failure(tmp_path: Path) -> None:
    """After a throttled save failed, the state that was saved before it can be saved again, forced or not."""
    for force in (False, True):
        files = Turn()
        with use(files):
            manager = CheckpointManager(PHASE, tmp_path / str(force), clock=BentClock())
            manager.save_checkpoint(1, {"n": 1})
            files.full = True
            with pytest.raises(DiskFull):
                manager.save_checkpoint(2, {"n": "x" * 200_000})
            files.full = False
            manager.save_checkpoint(3, {"n": 1}, force=force)
            assert latest(tmp_path / str(force)) == (3, {"n": 1})


def test_the_first_save_on_a_full_disk_can_be_made_later(tmp_path: Path) -> None:
    """A manager whose very first save found no space saves once there is space, and holds no lock meanwhile."""
    files = Turn()
    with use(files):
        manager = CheckpointManager(PHASE, tmp_path, clock=BentClock())
        files.full = True
        with pytest.raises(DiskFull):
            manager.save_checkpoint(1, {"n": 1})
        files.full = False
        with use(UnsyncedFiles()):
            CheckpointManager(PHASE, tmp_path, clock=BentClock()).save_checkpoint(2, {"n": 2})
        manager.save_checkpoint(3, {"n": 3})
    assert latest(tmp_path) == (3, {"n": 3})


def test_an_unexpected_errno_is_typed(world: World) -> None:
    """Whatever number the system gives, what is raised is Milepost's and says where."""
    for code in (errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.EFBIG, errno.ENOLCK, 9999):
        with use(ErrorAt(UnsyncedFiles(), 1, code, among={"create_file", "lock"}, persistent=True)):
            with pytest.raises(StorageError) as caught:
                world.manager().save_checkpoint(1, {"n": 1})
            assert str(world.root) in str(caught.value)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupt_at_any_operation_is_overcome(tmp_path: Path, when: Any) -> None:
    """A KeyboardInterrupt at any operation of a save loses nothing, and the same manager can save afterwards."""
    for n in range(1, 400):
        root = tmp_path / str(n)
        files = Interrupted(UnsyncedFiles(), n, when)
        with use(files):
            manager = CheckpointManager(PHASE, root, clock=BentClock())
            before = None
            for iteration, state in enumerate(STATES):
                try:
                    manager.save_checkpoint(iteration, state, force=iteration in FORCED)
                except KeyboardInterrupt:
                    assert latest(root) in (before, (iteration, state)), n
                    manager.save_checkpoint(iteration, state, force=True)
                before = (iteration, state)
                assert latest(root) == before, n
            with suppress(KeyboardInterrupt):
                manager.close()
            assert latest(root) == before, n
        if not files.fired:
            break
    assert not files.fired
    assert n > 50


@pytest.mark.parametrize("call", ["clear", "delete the newest", "delete an older"])
def test_an_error_while_deleting_is_overcome(tmp_path: Path, call: str) -> None:
    """Whichever operation of a deletion or of clearing fails, the same manager can save afterwards."""
    for n in range(1, 100):
        root = tmp_path / str(n)
        files = ErrorAt(UnsyncedFiles(), n, errno.EIO, among=MUTATING)
        with use(UnsyncedFiles()), CheckpointManager(PHASE, root, clock=BentClock()) as first:
            paths = [first.save_checkpoint(one, {"n": one}, force=True) for one in range(3)]
        with use(files):
            manager = CheckpointManager(PHASE, root, clock=BentClock())
            try:
                if call == "clear":
                    manager.clear_all_checkpoints()
                else:
                    manager.delete_checkpoint(paths[2 if "newest" in call else 0] or "")
            except StorageError:
                found = latest(root)
                assert found is None if call == "clear" and found is None else found[1] in ({"n": 2}, {"n": 1}), n
            struck, files.n = files.fired, 0
            manager.save_checkpoint(7, {"n": 7})
            manager.save_checkpoint(8, {"n": 8})
            assert latest(root) == (8, {"n": 8}), n
        if not struck:
            break
    assert not struck


def test_a_reader_that_fails_says_so(world: World) -> None:
    """A medium that cannot be read raises a typed error from every reading call, never an empty answer."""
    world.manager().save_checkpoint(1, {"n": 1})
    for kinds in ({"open_file"}, {"read"}, {"names"}, {"open_directory"}, {"stat"}):
        with use(ErrorAt(UnsyncedFiles(), 1, errno.EIO, among=kinds, persistent=True)):
            for call in ("get_latest_checkpoint", "list_checkpoints", "get_checkpoint_stats"):
                with pytest.raises(StorageError):
                    getattr(world.manager(), call)()
