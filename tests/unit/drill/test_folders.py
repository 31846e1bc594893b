"""Copies of working folders, and what of them is compared."""

from __future__ import annotations

import os
from pathlib import Path

import milepost
from milepost.drill.folders import Selection, contents, copy_of, is_store, keep_compiled
from milepost.fs.trees import remove_tree


def test_a_copy_begins_at_the_beginning(tmp_path: Path) -> None:
    """A copy holds files, times and modes, shares large folders that are no data, and leaves out what was saved."""
    source, copy = tmp_path / "job", tmp_path / "copy"
    (source / ".venv/bin").mkdir(parents=True)
    (source / ".mypy_cache").mkdir()
    (source / "data").mkdir()
    (source / "data/in.txt").write_text("in")
    (source / "data/in.txt").chmod(0o640)
    os.mkfifo(source / "pipe")
    with milepost.Phase("p", store=source / "checkpoints") as phase:
        phase.state["a"] = 1
        phase.save()
    with milepost.CheckpointManager("q", source / "kept") as manager:
        manager.save_checkpoint(1, {})
    copy_of(source, copy, tmp_path / "scratch", lambda: None)
    assert sorted(path.name for path in copy.iterdir()) == [".venv", "data", "kept"]
    assert (copy / ".venv").readlink() == source / ".venv"
    assert list((copy / "kept").iterdir()) == []
    before, after = (source / "data/in.txt").stat(), (copy / "data/in.txt").stat()
    assert (before.st_mtime_ns, before.st_mode) == (after.st_mtime_ns, after.st_mode)
    assert is_store(source / "kept/q")


def test_links_lead_where_they_led(tmp_path: Path) -> None:
    """A link within the folder leads within the copy, and one out of it to the same place as before."""
    source, copy = tmp_path / "job", tmp_path / "elsewhere/copy"
    source.mkdir()
    copy.parent.mkdir()
    (tmp_path / "out.txt").write_text("out")
    (source / "in.txt").write_text("in")
    (source / "near").symlink_to("in.txt")
    (source / "absolute").symlink_to(source / "in.txt")
    (source / "far").symlink_to("../out.txt")
    copy_of(source, copy, tmp_path / "scratch", lambda: None)
    assert (copy / "near").resolve() == (copy / "absolute").resolve() == copy / "in.txt"
    assert (copy / "far").read_text() == "out"


def test_the_path_of_a_copy_is_no_difference(tmp_path: Path) -> None:
    """Two copies whose files name their own path hold the same, and temporary files of a durable write do not count."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "out.txt").write_text(f"made in {tmp_path / name}\n")
        (tmp_path / name / "link").symlink_to(tmp_path / name / "out.txt")
    (tmp_path / "two/.out.txt.0123456789abcdef.tmp").write_text("half")
    one, two = (contents(tmp_path / name, lambda _: True) for name in ("one", "two"))
    assert one == two
    assert one.keys() == {"out.txt", "link"}


def test_what_python_compiled_is_kept_for_later_copies(tmp_path: Path) -> None:
    """Compiled modules of a run lie in later copies, and are no output."""
    for name in ("pristine/package", "run/package/__pycache__", "run/made/__pycache__"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "run/package/__pycache__/a.pyc").write_text("a")
    keep_compiled(tmp_path / "run", tmp_path / "pristine")
    found = [path.relative_to(tmp_path).as_posix() for path in (tmp_path / "pristine").rglob("*") if path.is_file()]
    assert found == ["pristine/package/__pycache__/a.pyc"]
    assert contents(tmp_path / "run", lambda _: True) == {}


def test_a_selection_takes_what_is_named_and_not_ignored() -> None:
    """Paths name files and folders, and patterns match a whole path or a name."""
    selection = Selection(["out", "b.txt"], ["*.log", "out/tmp/*"])
    names = ["out/a.txt", "out/a.log", "out/tmp/x", "b.txt", "c.txt", "outer.txt"]
    assert [name for name in names if selection.takes(name)] == ["out/a.txt", "b.txt"]
    assert Selection().takes("any/thing")


def test_a_folder_made_unwritable_is_removed(tmp_path: Path) -> None:
    """What a job made unwritable is removed all the same, and nothing happens where nothing is."""
    folder = tmp_path / "a/b"
    folder.mkdir(parents=True)
    (folder / "c").write_text("c")
    folder.chmod(0o500)
    remove_tree(tmp_path / "a")
    remove_tree(tmp_path / "a")
    assert not (tmp_path / "a").exists()
