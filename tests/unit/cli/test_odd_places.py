"""The command where things are odd: names that look like markup, streams that are gone, narrow terminals, packages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.progress import Progress

import milepost
from milepost.cli.live import Watcher
from milepost.events import Event, EventKind
from milepost.phase.command import again
from tests.support.commands import run
from tests.support.workflows import Shelf

MARKUP = "[bold]x[/bold][/red]"

PACKAGED = """
import milepost
from .neighbour import doubled

workflow = milepost.Workflow("packaged", store=__file__ + ".checkpoints")

@workflow.phase(items=["a", "b"])
def double(phase, items):
    return dict(phase.map(doubled, items))
"""

RUN_AS_SCRIPT = """
import pathlib, sys
file = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(file.parent))
__import__(file.stem).workflow.run()
"""


def recorded(root: Path, name: str) -> None:
    """Record one item of a phase."""
    with milepost.Phase(name, store=root) as phase:
        for item in phase.each(["a"]):
            phase.record(item)


def test_a_phase_whose_name_looks_like_markup_is_shown_as_it_is(tmp_path: Path) -> None:
    """Brackets in a phase's name are printed by status and plan, and break neither."""
    recorded(tmp_path / "checkpoints", MARKUP)
    assert MARKUP in run("status", "--dir", tmp_path / "checkpoints").out
    shelf = Shelf(tmp_path)
    target = shelf.edit(
        "def merge(", f"def merge(phase, texts, *, config): pass\n\n@workflow.phase(name={MARKUP!r})\ndef _("
    )
    assert MARKUP in run("plan", target).out


def test_bars_show_a_name_that_looks_like_markup_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, progress of a phase with brackets in its name is drawn, and the name stands there."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    watcher = Watcher()
    assert isinstance(watcher._bars, Progress)
    watcher.console.file = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 -- the console keeps it
    watcher(Event(EventKind.OPENED, MARKUP, 0.0, done=0, total=1))
    with watcher.console.capture() as captured:
        watcher.console.print(watcher._bars.get_renderable())
    assert MARKUP in captured.get()
    watcher.console.file.close()


def test_a_long_name_crowds_no_other_column_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With names longer than the terminal is wide, status still tells state and items, and into a pipe it cuts nothing."""
    name = "a_long_name_" * 12
    recorded(tmp_path, name)
    monkeypatch.delenv("COLUMNS", raising=False)
    assert name in run("status", "--dir", tmp_path).out
    monkeypatch.setenv("COLUMNS", "80")
    narrow = run("status", "--dir", tmp_path).out
    assert "stopped" in narrow
    assert "1/1" in narrow


class Gone:
    """A stream whose reader has left."""

    encoding = "utf-8"

    def write(self, _: str) -> int:
        """Refuse."""
        raise BrokenPipeError(32, "Broken pipe")

    def flush(self) -> None:
        """Refuse."""
        raise BrokenPipeError(32, "Broken pipe")

    def isatty(self) -> bool:
        """Tell that this is no terminal."""
        return False


def test_a_run_goes_on_when_nobody_reads_its_progress(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A closed pipe or a full disk behind standard error ends the progress, and never the work."""
    shelf = Shelf(tmp_path)
    monkeypatch.setattr(sys, "stderr", Gone())
    watcher = Watcher()
    outputs = shelf.load(shelf.file).run(on_event=watcher)
    assert outputs.ran == ["read", "merge"]
    assert watcher.phases["merge"].state == "finished"


def test_a_process_without_streams_runs_and_prints_into_none_of_its_files(tmp_path: Path) -> None:
    """Started with all standard streams closed, a run ends well, and what it prints lands in no file of it."""
    shelf = Shelf(tmp_path)
    shelf.edit('note("merge")', 'import os; [os.write(stream, b"printed\\n") for stream in (1, 2)]')
    command = f'exec "{sys.executable}" -m milepost.cli run "{shelf.target}" <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", command], check=False, timeout=60).returncode == 0
    files = [path for path in shelf.store.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"printed" in path.read_bytes()]


def test_the_command_that_goes_on_is_not_one_that_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interrupted ``milepost run --fresh`` the printed command leaves ``--fresh`` out, of a job it is kept."""
    monkeypatch.setattr(sys, "orig_argv", ["python", "/x/bin/milepost", "run", "job.py", "--fresh", "--jobs", "2"])
    assert again().endswith("run job.py --jobs 2")
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "milepost.cli", "run", "job.py", "--fresh"])
    assert again() == "python -m milepost.cli run job.py"
    monkeypatch.setattr(sys, "orig_argv", ["python", "job.py", "--fresh"])
    assert again() == "python job.py --fresh"


def test_a_file_in_a_package_can_import_its_neighbours(tmp_path: Path) -> None:
    """A target that is a file of a package is loaded as a module of it, relative imports and all."""
    package = tmp_path / "flows_in_a_package" / "deep"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "neighbour.py").write_text("def doubled(item):\n    return item * 2\n")
    (package / "flow.py").write_text(PACKAGED)
    assert run("run", f"{package / 'flow.py'}:workflow", "--quiet", "--json").json["ran"] == ["double"]


def test_a_phase_that_ran_to_the_same_result_counts_as_finished(tmp_path: Path) -> None:
    """An item that fails again leaves the result as it was, and ``run --json`` says that the phase is finished."""
    shelf = Shelf(tmp_path, a="alpha", b="bad")
    run("run", shelf.target, "--quiet", code=1)
    done = run("run", shelf.target, "--retry-failed", "--json", code=1).json
    assert done["ran"] == ["read"]
    assert [(one["phase"], one["state"]) for one in done["phases"]] == [("read", "finished"), ("merge", "reused")]


def test_a_file_in_a_package_is_the_same_job_as_the_script(tmp_path: Path) -> None:
    """A file that needs no package keeps the name that it has as a script, so that each goes on with the other's run."""
    shelf = Shelf(tmp_path)
    (tmp_path / "__init__.py").touch()
    subprocess.run([sys.executable, "-c", RUN_AS_SCRIPT, str(shelf.file)], check=True, timeout=60)
    assert run("plan", shelf.target, "--json").json["finished"]


def test_the_error_of_a_body_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """What a body raised is shown with its control characters escaped, in the traceback too."""
    shelf = Shelf(tmp_path, a="boom")
    target = shelf.edit('"the body broke"', '"the body \\x1b[31mbroke"')
    done = run("run", target, "--quiet", code=1)
    assert "\x1b" not in done.err
    assert done.err.count("\\x1b[31mbroke") >= 2
