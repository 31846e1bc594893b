"""The laws of a folder that we write and people edit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booksynth import outputs
from booksynth.outputs import MANIFEST, Former, decide, digest, sync

PLAN = "one/PLAN.md"


def held(folder: Path) -> dict[str, str]:
    """Return every file below a folder but the manifest, with its text."""
    found = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    return {name: text for name, text in found.items() if name != MANIFEST}


def edit(folder: Path, path: str, text: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)


def new_of(text: bytes) -> str:
    return f"one/PLAN.new-{digest(text)[:8]}.md"


def test_files_appear_and_again_changes_nothing(tmp_path: Path) -> None:
    """The files stand with their content, and doing it again writes nothing."""
    sync(tmp_path, {PLAN: b"1", "INDEX.md": b"i"})
    assert held(tmp_path) == {PLAN: "1", "INDEX.md": "i"}
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = sync(tmp_path, {PLAN: b"1", "INDEX.md": b"i"})
    assert (again.write, again.remove, again.edited, again.orphans) == ({}, [], {}, [])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times


def test_what_is_ours_is_replaced_and_restored(tmp_path: Path) -> None:
    """A file that nobody edited gets its new content, and one that is missing comes back."""
    sync(tmp_path, {PLAN: b"1", "INDEX.md": b"i"})
    (tmp_path / "INDEX.md").unlink()
    sync(tmp_path, {PLAN: b"2", "INDEX.md": b"i"})
    assert held(tmp_path) == {PLAN: "2", "INDEX.md": "i"}


def test_orphans_are_removed_with_their_empty_folder(tmp_path: Path) -> None:
    """A file that nothing stands for any more goes, and its folder when it is empty."""
    sync(tmp_path, {PLAN: b"1", "two/a/PLAN.md": b"2"})
    assert sync(tmp_path, {PLAN: b"1"}).remove == ["two/a/PLAN.md"]
    assert held(tmp_path) == {PLAN: "1"}
    assert not (tmp_path / "two").exists()


def test_an_edited_file_stays(tmp_path: Path) -> None:
    """An edited file is kept while nothing new is to be said."""
    sync(tmp_path, {PLAN: b"1"})
    edit(tmp_path, PLAN, "mine")
    assert sync(tmp_path, {PLAN: b"1"}).edited == {PLAN: ""}
    assert held(tmp_path) == {PLAN: "mine"}


def test_a_new_version_goes_beside_the_edit(tmp_path: Path) -> None:
    """The new version of an edited file is put beside it and follows later ones, until it is deleted as seen."""
    sync(tmp_path, {PLAN: b"1"})
    edit(tmp_path, PLAN, "mine")
    for text in (b"2", b"2", b"3"):
        assert sync(tmp_path, {PLAN: text}).edited == {PLAN: new_of(text)}
        assert held(tmp_path) == {PLAN: "mine", new_of(text): text.decode()}
    (tmp_path / new_of(b"3")).unlink()
    for _ in range(2):
        sync(tmp_path, {PLAN: b"3"})
        assert held(tmp_path) == {PLAN: "mine"}
    sync(tmp_path, {PLAN: b"4"})
    assert held(tmp_path) == {PLAN: "mine", new_of(b"4"): "4"}


def test_an_edited_new_version_stays_as_well(tmp_path: Path) -> None:
    """What somebody wrote into the file beside is as safe as any other edit."""
    sync(tmp_path, {PLAN: b"1"})
    edit(tmp_path, PLAN, "mine")
    sync(tmp_path, {PLAN: b"2"})
    edit(tmp_path, new_of(b"2"), "mine too")
    sync(tmp_path, {PLAN: b"2"})
    sync(tmp_path, {PLAN: b"3"})
    assert held(tmp_path) == {PLAN: "mine", new_of(b"2"): "mine too", new_of(b"3"): "3"}


def test_taking_the_new_version_over_ends_it(tmp_path: Path) -> None:
    """Once the file holds what we would write, it is ours again and the one beside it goes."""
    sync(tmp_path, {PLAN: b"1"})
    edit(tmp_path, PLAN, "mine")
    sync(tmp_path, {PLAN: b"2"})
    edit(tmp_path, PLAN, "2")
    assert sync(tmp_path, {PLAN: b"2"}).edited == {}
    assert held(tmp_path) == {PLAN: "2"}


def test_an_edited_orphan_stays_and_is_told(tmp_path: Path) -> None:
    """An edited file is not removed when nothing stands for it any more."""
    sync(tmp_path, {PLAN: b"1", "one/SOURCES.md": b"s"})
    edit(tmp_path, PLAN, "mine")
    assert sync(tmp_path, {}).orphans == [PLAN]
    assert held(tmp_path) == {PLAN: "mine"}
    assert sync(tmp_path, {}).orphans == []


def test_a_file_of_somebody_else_is_never_overwritten(tmp_path: Path) -> None:
    """A file that was there before us stays, and ours goes beside it."""
    edit(tmp_path, PLAN, "theirs")
    sync(tmp_path, {PLAN: b"1"})
    assert held(tmp_path) == {PLAN: "theirs", new_of(b"1"): "1"}


@pytest.mark.parametrize("manifest", ["{", "[]", '{"format": "other"}', '{"format": "booksynth/outputs", "files": 3}'])
def test_a_broken_manifest_makes_nothing_ours(tmp_path: Path, manifest: str) -> None:
    """Without a manifest that can be believed, every file that differs counts as edited."""
    sync(tmp_path, {PLAN: b"1", "INDEX.md": b"i"})
    edit(tmp_path, MANIFEST, manifest)
    sync(tmp_path, {PLAN: b"2"})
    assert held(tmp_path) == {PLAN: "1", "INDEX.md": "i", new_of(b"2"): "2"}


@pytest.mark.parametrize("path", ["../outside", "/tmp/outside", "a/../../outside", "a//b", ""])
def test_a_manifest_cannot_lead_outside(tmp_path: Path, path: str) -> None:
    """A path that leads out of the folder makes the manifest one that is not believed."""
    folder = tmp_path / "plans"
    (tmp_path / "outside").write_text("x")
    document = {"format": outputs.FORMAT, "files": {path: digest(b"x")}, "writing": {}}
    edit(folder, MANIFEST, json.dumps(document))
    sync(folder, {PLAN: b"1"})
    assert (tmp_path / "outside").read_text() == "x"


def test_links_are_left_alone(tmp_path: Path) -> None:
    """Nothing is written or removed through a link, and a folder in the place of a file stays."""
    folder, away = tmp_path / "plans", tmp_path / "away"
    sync(folder, {PLAN: b"1", "two/PLAN.md": b"2", "three/PLAN.md": b"3"})
    (folder / "one").rename(away)
    (folder / "one").symlink_to(away)
    (folder / "two" / "PLAN.md").unlink()
    (folder / "two" / "PLAN.md").mkdir()
    sync(folder, {PLAN: b"new"})
    assert (away / "PLAN.md").read_text() == "1"
    assert sorted(path.name for path in away.iterdir()) == ["PLAN.md"]
    assert (folder / "two" / "PLAN.md").is_dir()


def test_a_writing_that_was_broken_off_is_no_edit(tmp_path: Path) -> None:
    """What a killed writing left behind is ours: it is replaced, and removed when nothing stands for it."""
    sync(tmp_path, {PLAN: b"1"})
    files = {PLAN: digest(b"1")}
    writing = {PLAN: digest(b"2"), "two/PLAN.md": digest(b"t")}
    document = {"format": outputs.FORMAT, "files": files, "writing": writing}
    edit(tmp_path, MANIFEST, json.dumps(document))
    edit(tmp_path, PLAN, "2")
    edit(tmp_path, "two/PLAN.md", "t")
    assert sync(tmp_path, {PLAN: b"3"}).edited == {}
    assert held(tmp_path) == {PLAN: "3"}


def test_half_written_files_are_swept(tmp_path: Path) -> None:
    """What a killed writer left half made of our files goes, and anything else stays."""
    sync(tmp_path, {PLAN: b"1"})
    for name in ("one/.PLAN.md.0123456789abcdef.tmp", f".{MANIFEST}.0123456789abcdef.tmp"):
        edit(tmp_path, name, "half")
    edit(tmp_path, "one/.notes.md.0123456789abcdef.tmp", "theirs")
    edit(tmp_path, "one/.PLAN.md.tmp", "theirs")
    sync(tmp_path, {PLAN: b"1"})
    assert held(tmp_path) == {PLAN: "1", "one/.notes.md.0123456789abcdef.tmp": "theirs", "one/.PLAN.md.tmp": "theirs"}


PATHS = st.sampled_from(["a", "b/c", "b/d"])
CONTENTS = st.sampled_from([b"1", b"2", b"3"])


@given(st.dictionaries(PATHS, CONTENTS), st.dictionaries(PATHS, CONTENTS), st.dictionaries(PATHS, CONTENTS))
def test_no_edit_is_ever_lost(wanted: dict[str, bytes], former: dict[str, bytes], standing: dict[str, bytes]) -> None:
    """Only a file as we wrote it is written over or removed, whatever is wanted and whatever stands there."""
    said = Former({path: digest(data) for path, data in former.items()})
    now = {path: digest(data) for path, data in standing.items()}
    outcome = decide({path: digest(data) for path, data in wanted.items()}, said, now.get)
    for path in [*outcome.write, *outcome.remove]:
        assert path not in now or now[path] == said.files.get(path)
    for path, data in wanted.items():
        is_there = path in outcome.write or now.get(path) == digest(data)
        assert is_there or path in outcome.edited
