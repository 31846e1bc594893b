"""Hostile things at every level of a checkpoint folder: refused by type, at once, and left as they are."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from milepost import CheckpointManager
from milepost.errors import MilepostError, UnsafeStore
from milepost.run.place import FolderLocation, names_of_phases
from milepost.stores import write_durably

PHASE = "phase"
SOMEBODY = 12345
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away or make devices")


def _save(root: Path, number: int = 1) -> None:
    with CheckpointManager(PHASE, root) as manager:
        manager.get_latest_checkpoint(include_expired=True)
        manager.save_checkpoint(number, {"n": number}, force=True)


def _load(root: Path) -> object:
    with CheckpointManager(PHASE, root) as manager:
        saved = manager.get_latest_checkpoint()
    return saved and saved["state"]


def _seen(root: Path) -> dict[str, object]:
    """Return all that stands below *root* but the lock's note, with its bytes, kinds and modes."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        what = path.lstat()
        regular = stat.S_ISREG(what.st_mode) and path.name != "lock"
        found[str(path)] = path.read_bytes() if regular else what.st_mode
    return found


def _as_link(path: Path) -> None:
    if path.exists():
        path.rename(path.parent.parent / "moved")
    else:
        (path.parent.parent / "moved").mkdir()
    path.symlink_to(path.parent.parent / "moved")


def _as_dangling(path: Path) -> None:
    _away(path)
    path.symlink_to("nowhere")


def _as_fifo(path: Path) -> None:
    _away(path)
    os.mkfifo(path, 0o600)


def _as_file(path: Path) -> None:
    _away(path)
    path.write_bytes(b"a file")
    path.chmod(0o600)


def _as_device(path: Path) -> None:
    _away(path)
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))


def _as_open(path: Path) -> None:
    path.mkdir(exist_ok=True)
    path.chmod(0o777)


def _as_anothers(path: Path) -> None:
    path.mkdir(exist_ok=True)
    os.chown(path, SOMEBODY, SOMEBODY)


def _away(path: Path) -> None:
    if path.exists():
        path.rename(path.parent.parent / "moved")


FOLDERS = [
    pytest.param(_as_link, id="link"),
    pytest.param(_as_dangling, id="dangling link"),
    pytest.param(_as_fifo, id="fifo"),
    pytest.param(_as_file, id="file"),
    pytest.param(_as_device, id="device", marks=as_root),
    pytest.param(_as_open, id="world-writable"),
    pytest.param(_as_anothers, id="another's", marks=as_root),
]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("plant", FOLDERS)
def test_a_hostile_phase_folder_is_refused(tmp_path: Path, plant: Callable[[Path], None]) -> None:
    """What is not a folder of ours in the place of a phase's is refused by load and save, and nothing in it changes."""
    root = tmp_path / "root"
    _save(root)
    plant(root / PHASE)
    before = _seen(tmp_path)
    for act in (_load, _save):
        with pytest.raises(UnsafeStore, match=PHASE):
            act(root)
    assert _seen(tmp_path) == before


@pytest.mark.timeout(20)
@pytest.mark.parametrize("plant", FOLDERS)
def test_a_hostile_folder_of_runs_is_refused(tmp_path: Path, plant: Callable[[Path], None]) -> None:
    """What is not a folder of ours in the place of ``runs/`` is refused by all who need it, and nothing is put there."""
    root = tmp_path / "root"
    _save(root)
    plant(root / PHASE / "runs")
    outside = _seen(tmp_path / "moved") if (tmp_path / "moved").exists() else {}
    store = FolderLocation(root).folder(PHASE)
    assert store is not None
    with store:
        for act in (store.runs, lambda: store.run("one"), lambda: store.run("one", create=True)):
            with pytest.raises(UnsafeStore, match="runs"):
                act()
    assert (_seen(tmp_path / "moved") if (tmp_path / "moved").exists() else {}) == outside


def test_a_sticky_folder_is_taken(tmp_path: Path) -> None:
    """A folder where others may write and not rename is taken: a file that another puts there is refused by itself."""
    _save(tmp_path)
    (tmp_path / PHASE).chmod(0o1777)
    assert _load(tmp_path) == {"n": 1}
    _save(tmp_path, 2)
    assert _load(tmp_path) == {"n": 2}


def test_a_folder_that_its_group_shares_is_taken(tmp_path: Path) -> None:
    """A folder that its group may write, as a umask of 002 makes them, is taken as the old manager took it."""
    _save(tmp_path)
    (tmp_path / PHASE).chmod(0o775)
    _save(tmp_path, 2)
    assert _load(tmp_path) == {"n": 2}


def test_the_root_is_the_callers_word(tmp_path: Path) -> None:
    """The root may be open to all, as container volumes are: what is made in it is for its owner alone."""
    root = tmp_path / "root"
    root.mkdir()
    root.chmod(0o777)
    _save(root)
    assert stat.S_IMODE((root / PHASE).stat().st_mode) == 0o700
    assert _load(root) == {"n": 1}


@pytest.mark.parametrize("name", ["journal_000001.jsonl", "lock"])
def test_a_second_name_of_a_file_keeps_what_it_held(tmp_path: Path, name: str) -> None:
    """A file that is written in place and has a second name is not written, so that a linked backup stays what it was."""
    root = tmp_path / "root"
    _save(root)
    os.link(root / PHASE / name, tmp_path / "backup")
    before = (tmp_path / "backup").read_bytes()
    with pytest.raises(UnsafeStore, match="second name"):
        _save(root, 2)
    assert (tmp_path / "backup").read_bytes() == before
    assert _load(root) == {"n": 1}


def test_a_linked_document_is_read_and_replaced(tmp_path: Path) -> None:
    """A document with a second name is read, and replacing it leaves the other name what it was."""
    root = tmp_path / "root"
    _save(root)
    for path in (root / PHASE).glob("[cr]*.json"):
        os.link(path, tmp_path / f"backup-{path.name}")
    before = {path: path.read_bytes() for path in tmp_path.glob("backup-*")}
    assert len(before) >= 2
    _save(root, 2)
    assert _load(root) == {"n": 2}
    assert {path: path.read_bytes() for path in tmp_path.glob("backup-*")} == before


@pytest.mark.parametrize(
    "name", [b"a\nb", b"n" * 255, b"\xff\xfe", b"\x1b[31m", b" ", b"%2f", b"..%", b"a%zz", b"PHASE-"]
)
def test_a_stranger_of_any_name_is_passed_over(tmp_path: Path, name: bytes) -> None:
    """Folders and files of any name beside a phase, and inside one, are neither taken for ours nor in the way."""
    _save(tmp_path)
    for above in (tmp_path, tmp_path / PHASE):
        os.mkdir(os.path.join(os.fsencode(above), name))
        with open(os.path.join(os.fsencode(above), b"f" + name[:200]), "wb") as file:
            file.write(b"mine")
    _save(tmp_path, 2)
    assert _load(tmp_path) == {"n": 2}
    phases = [phase for _, phase in names_of_phases(FolderLocation(tmp_path))]
    assert PHASE in phases
    assert all(phase.isprintable() for phase in phases)
    with open(os.path.join(os.fsencode(tmp_path / PHASE), b"f" + name[:200]), "rb") as file:
        assert file.read() == b"mine"


@as_root
def test_a_result_may_go_where_the_user_says(tmp_path: Path) -> None:
    """`write_durably` writes into any folder that its caller names, and through no link in the file's own place."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open" / "result").symlink_to(tmp_path / "elsewhere")
    write_durably(tmp_path / "open" / "result", b"1")
    assert not (tmp_path / "elsewhere").exists()
    assert (tmp_path / "open" / "result").read_bytes() == b"1"


def test_every_refusal_is_ours(tmp_path: Path) -> None:
    """A refusal is an error of Milepost's that says where, and that nothing was touched."""
    _save(tmp_path)
    (tmp_path / PHASE).chmod(0o777)
    with pytest.raises(MilepostError) as caught:
        _load(tmp_path)
    assert str(tmp_path / PHASE) in str(caught.value)
    assert "Nothing was touched" in str(caught.value)
