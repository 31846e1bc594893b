"""Every command, with everything that can be wrong around it: one or two lines that help, and a documented code."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import typer

import milepost
from milepost.cli.app import app
from milepost.fs import use
from milepost.fs.system import SystemFiles
from milepost.testing import NEEDING_SPACE, ErrorAt
from tests.support.commands import CODES, Ran, files_of, job, managed, run

COMMANDS: dict[str, list[list[str]]] = {
    "list": [["list"]],
    "show": [["show", "PHASE"], ["show", "PHASE", "--record", "1"], ["show", "PHASE", "--item", "a"]],
    "diff": [["diff", "PHASE", "1", "newest"], ["diff", "PHASE", "--with", "other"]],
    "verify": [["verify", "PHASE"]],
    "fork": [["fork", "PHASE", "--checkpoint", "1"], ["fork", "PHASE", "--from-item", "b"]],
    "export": [["export", "PHASE", "-o", "OUT.tar"]],
    "import": [["import", "IN.tar", "--as", "PHASE", "--replace"]],
    "repair": [["repair", "PHASE", "--yes"]],
    "prune": [["prune", "PHASE", "--yes", "--keep", "0"]],
    "clear": [["clear", "PHASE", "--yes"]],
    "bless": [["bless", "PHASE"]],
    "rekey": [["rekey", "PHASE", "--plain"]],
    "status": [["status", "PHASE"]],
    "copy": [["copy", "ROOT", "OUT", "PHASE"], ["copy", "ROOT", "sqlite:///OUT.db", "PHASE", "--with-runs"]],
}
"""How to call each command so that it works on the phase PHASE."""

CHANGING = ["fork", "import", "repair", "prune", "clear", "bless", "rekey"]
LINES = [words for lines in COMMANDS.values() for words in lines]


def names(*, of: typer.Typer = app) -> set[str]:
    """Return the names of all commands."""
    return {command.name or "" for command in of.registered_commands}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive of one phase."""
    root = tmp_path_factory.mktemp("archive")
    job(root)
    run("export", "items", "-o", root / "in.tar", "--dir", root)
    return root / "in.tar"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint folder with a phase of items, one of states, and another one, to be copied."""
    root = tmp_path_factory.mktemp("template") / "store"
    job(root)
    managed(root)
    job(root, "other")
    return root


def call(words: list[str], root: Path, phase: str, archive: Path, *, code: int | None = None) -> Ran:
    """Run a command line of `COMMANDS`; whatever comes of it, it is told in a line or two."""
    out = root.parent / "out"
    replaced = {"PHASE": phase, "OUT.tar": f"{out}.tar", "IN.tar": str(archive), "ROOT": str(root), "OUT": str(out)}
    where = [] if "ROOT" in words else ["--dir", str(root)]
    ran = run(*[replaced.get(word, word).replace("OUT.db", f"{out}.db") for word in words], *where, code=code)
    if ran.code not in (0, 1) and not ran.err.startswith("Usage"):
        assert 1 <= len(ran.err.splitlines()) <= 6, ran.err
    return ran


def test_every_command_is_driven() -> None:
    """No command is left out of these tests but those that are told a job and not a phase, which have their own."""
    assert set(COMMANDS) == names() - {"plan", "run", "drill"}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_shows_an_example_and_the_codes(name: str) -> None:
    """Each command's help has an example that calls it, its options, and the table of exit codes."""
    text = run(name, "--help").out
    assert "Example:" in text
    assert f"milepost {name}" in text
    assert "Exit codes:" in text
    for option in ("--json", "SRC" if name == "copy" else "--dir"):
        assert option in text


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_wrong_command_line_is_said(name: str, tmp_path: Path) -> None:
    """An option that there is not, or a word too many, is told with exit code 2, and nothing is made."""
    assert "No such option" in run(name, "--no-such-option", code=2).err
    assert run(name, *["word"] * 9, "--dir", tmp_path / "store", code=2).err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_a_missing_store_or_phase_is_said(words: list[str], tmp_path: Path, archive: Path) -> None:
    """What is not there is named, with exit code 2; no reading command makes a folder."""
    if words[0] == "import":
        assert "there is no such file" in call(words, tmp_path / "store", "items", tmp_path / "none", code=2).err
        return
    assert str(tmp_path / "nowhere") in call(words, tmp_path / "nowhere", "items", archive, code=2).err
    job(tmp_path / "store", "other")
    if words != ["list"]:
        assert "zz" in call(words, tmp_path / "store", "zz", archive, code=2).err
        assert call(words, tmp_path / "store", "..", archive, code=2).err
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["other"]


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_a_strangers_folder_is_left_alone(words: list[str], tmp_path: Path, archive: Path) -> None:
    """A folder that is no phase's, or a file in its place, is told as such, and nothing in it changes."""
    root = tmp_path / "store"
    job(root, "other")
    (root / "photos").mkdir()
    (root / "photos" / "one.jpg").write_bytes(b"x")
    (root / "afile").write_bytes(b"x")
    before = files_of(root)
    for phase in ("photos", "afile"):
        expected = 0 if words == ["list"] else None
        ran = call(words, root, phase, archive, code=expected)
        assert ran.code in (0, 2, 74), ran
        assert files_of(root) == before
    assert call(words, root / "afile", "items", archive).code in (2, 74)


def garbage(root: Path, name: str, file: str) -> None:
    """Put bytes that mean nothing into a file of a phase."""
    (root / name / file).write_bytes(b"\x00\xff{garbage" * 700)


def newer(root: Path, name: str) -> None:
    """Give a phase a manifest of a newer format."""
    from milepost.records import seal

    (root / name / "run.json").write_bytes(seal({"kind": "run", "format": 99}) + b"\n")


def strange(root: Path, name: str) -> None:
    """Give a phase a manifest that is sealed and says nothing that it should."""
    from milepost.records import seal

    (root / name / "run.json").write_bytes(seal({"kind": "run", "format": 1, "run": 7}) + b"\n")


def linked(root: Path, name: str) -> None:
    """Put a link in the place of a phase's journal."""
    (root / name / "journal_000001.jsonl").unlink()
    (root / name / "journal_000001.jsonl").symlink_to("/etc/passwd")


def piped(root: Path, name: str) -> None:
    """Put a FIFO in the place of a phase's manifest."""
    (root / name / "run.json").unlink()
    os.mkfifo(root / name / "run.json")


def aside(root: Path, name: str) -> None:
    """Put a file in the place of the folder of runs that were set aside."""
    (root / name / "runs").write_text("x")


DAMAGE: dict[str, Callable[[Path, str], None]] = {
    "manifest": lambda root, name: garbage(root, name, "run.json"),
    "journal": lambda root, name: garbage(root, name, "journal_000001.jsonl"),
    "empty journal": lambda root, name: os.truncate(root / name / "journal_000001.jsonl", 0),
    "no journal": lambda root, name: (root / name / "journal_000001.jsonl").unlink(),
    "no manifest": lambda root, name: (root / name / "run.json").unlink(),
    "checkpoint": lambda root, name: garbage(root, name, "checkpoint_20260101_000000_iter9.json"),
    "newer": newer,
    "strange": strange,
    "link": linked,
    "fifo": piped,
    "runs is a file": aside,
}


@pytest.mark.parametrize("damage", sorted(DAMAGE))
@pytest.mark.parametrize("phase", ["items", "states"])
def test_corrupt_files_are_told(phase: str, damage: str, tmp_path: Path, template: Path, archive: Path) -> None:
    """Whatever stands in a phase's folder, every command ends with a documented code, in words."""
    tried = 0
    for number, words in enumerate(LINES):
        root = shutil.copytree(template, tmp_path / f"{number}")
        DAMAGE[damage](root, phase)
        tried += call(words, root, phase, archive).code in CODES
    assert tried == len(LINES)


@pytest.mark.parametrize("words", [lines[0] for name, lines in COMMANDS.items() if name in CHANGING], ids=" ".join)
def test_a_locked_run_is_told(words: list[str], tmp_path: Path, archive: Path) -> None:
    """A command that would change a run at which a process is at work leaves with 75, and changes nothing."""
    managed(tmp_path)
    job(tmp_path)
    target = "items" if words[0] in {"bless", "import"} else "states"
    if words[0] in {"repair", "prune"}:
        (tmp_path / target / "journal_000001.jsonl.1.a.quarantine").write_bytes(b"x")
        garbage(tmp_path, target, "checkpoint_20260101_000000_iter9.json")
    holder = (
        milepost.Phase("items", store=tmp_path) if target == "items" else milepost.CheckpointManager("states", tmp_path)
    )
    with holder:
        if isinstance(holder, milepost.CheckpointManager):
            holder.get_latest_checkpoint(include_expired=True)
            holder.save_checkpoint(9, {"books": []})
        before = files_of(tmp_path)
        assert "is being written by process" in call(words, tmp_path, target, archive, code=75).err
        assert files_of(tmp_path) == before


def refusing() -> Iterator[tuple[str, int]]:
    """Yield errors of the system, each at some operation."""
    for number in (1, 3, 8, 21):
        yield from ((code, number) for code in ("EACCES", "EIO", "ENOSPC"))


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_what_the_system_refuses_is_told(words: list[str], tmp_path: Path, template: Path, archive: Path) -> None:
    """A system that refuses (permission, device, space) is told with 74, from whatever operation on it does so."""
    codes = set()
    for number, (name, at) in enumerate(refusing()):
        root = shutil.copytree(template, tmp_path / f"{number}")
        phase = "states" if "--checkpoint" in words or "newest" in words else "items"
        among = NEEDING_SPACE if name == "ENOSPC" else frozenset({"open_file", "create_file", "read", "write", "names"})
        with use(ErrorAt(SystemFiles(), at, getattr(errno, name), among=among, persistent=True)):
            codes.add(call(words, root, phase, archive).code)
    assert codes <= {0, 1, 2, 65, 74}
    assert 74 in codes or words[0] in {"bless", "verify"}, codes


def test_a_full_disk_is_told(tmp_path: Path, archive: Path) -> None:
    """Without space a command says so with 74, the old run is whole, and with space the same command does it."""
    job(tmp_path)
    words = ["fork", "items", "--from-item", "c", "--dir", str(tmp_path)]
    for at in range(1, 30, 4):
        with use(ErrorAt(SystemFiles(), at, errno.ENOSPC, among=NEEDING_SPACE, persistent=True)):
            left = run(*words, code=None)
        assert left.code in (0, 74)
        if left.code == 74:
            assert "space" in left.err
        with milepost.open("items", store=tmp_path) as phase:
            assert len(phase.results()) in (2, 4)
    with nullcontext():
        assert run(*words).code == 0
        assert job(tmp_path) == ["c", "d"]


def test_an_unreadable_folder_does_not_hide_the_others(tmp_path: Path) -> None:
    """List tells of the phase that it cannot read, and lists the others all the same, with 74."""
    job(tmp_path)
    (tmp_path / "broken").mkdir()
    piped_to = tmp_path / "broken" / "run.json"
    os.mkfifo(piped_to)
    listed = run("list", "--dir", tmp_path, "--json", code=74)
    assert [(one["phase"], one["unreadable"] is None) for one in listed.json] == [("broken", False), ("items", True)]
    assert "broken" in listed.err
