"""The face of ``milepost drill``: its exit codes, its texts, its report files, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import drills

KEYS = {
    *("command", "folder", "verdict", "seed", "faults", "commits", "usual_seconds", "seconds", "planned", "tried"),
    *("unreached", "attempts", "compared", "items", "calls", "differences", "ambiguous", "notes", "problem", "said"),
    "exit_code",
}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--faults", "kill,flood"], "fault 'flood'"),
        (["--random", "0"], "random 0: at least 1"),
        (["--jobs", "-1"], "jobs -1: at least 0"),
        (["--timeout", "0"], "timeout 0"),
        (["--every-commit", "--random", "3"], "choose one"),
        (["--at", "0"], "commits count from 1"),
        (["--at", "2", "--when", "never"], "--when never"),
        (["--at", "2", "--fault", "flood"], "--fault flood"),
        (["--report", "drill.pdf"], "--report drill.pdf"),
        (["--compare", "../elsewhere"], "outside the working folder"),
    ],
)
def test_a_wrong_argument_is_said_in_a_line(tmp_path: Path, words: list[str], told: str) -> None:
    """A bad argument ends with exit code 2 and a line that names it, before anything is run."""
    done = drills.drill(drills.prepared(tmp_path, "clean"), *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize(
    ("job", "told"),
    [
        ("print('no Milepost here')", "no commit was seen"),
        ("import milepost; milepost.write_durably('ELSEWHERE', b'')", "there is nothing to compare"),
        ("raise SystemExit('it broke')", "ends with exit code 1"),
    ],
)
def test_what_cannot_be_drilled_is_said(tmp_path: Path, job: str, told: str) -> None:
    """A job that commits nothing, writes nothing or fails by itself proves nothing: exit code 2, and why."""
    (tmp_path / "job.py").write_text(job.replace("ELSEWHERE", str(tmp_path / "elsewhere")))
    done = drills.drill(tmp_path)
    assert done.returncode == 2
    assert told in done.stdout
    assert "Traceback" not in done.stderr


def test_a_command_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A command that cannot be started ends with exit code 2, by its name."""
    words = [sys.executable, "-m", "milepost.cli", "drill", "--", "no-such-program-anywhere"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "no-such-program-anywhere" in done.stdout) == (2, True)


def test_a_store_outside_the_working_folder_is_noticed(tmp_path: Path) -> None:
    """Where the checkpoints lie elsewhere, runs would go on from each other; the drill says so."""
    folder = drills.prepared(tmp_path / "job", "clean")
    job = folder / "job.py"
    job.write_text(job.read_text().replace('Phase("words")', f'Phase("words", store={str(tmp_path / "store")!r})'))
    done = drills.drill(folder, "--jobs", "1")
    assert done.returncode == 2
    assert "went on from the first" in done.stdout


def test_json_has_its_shape(tmp_path: Path) -> None:
    """The JSON report has its keys, and each difference tells what, where and how to see it again."""
    report = drills.report_of(drills.prepared(tmp_path, "appends"), "--at", "4")
    assert report.keys() == KEYS
    (difference,) = report["differences"]
    assert difference.keys() == {"texts", "reproduce", "experiment", "said"}


@pytest.mark.parametrize("ending", ["html", "md", "json"])
def test_a_report_is_written_in_each_form(tmp_path: Path, ending: str) -> None:
    """The file of --report holds the verdict in the form of its ending, with nothing from a job left unescaped."""
    folder = drills.prepared(tmp_path, "appends")
    job = folder / "job.py"
    job.write_text(job.read_text().replace("word.upper()", "f'<script>{word}</script>\\x1b[31m'"))
    report = folder / f"drill.{ending}"
    assert drills.drill(folder, "--at", "4", "--report", str(report)).returncode == 1
    text = report.read_text()
    assert "appended outside Milepost" in text
    assert "\x1b" not in text
    if ending == "json":
        assert json.loads(text)["verdict"] == "different"
    else:
        assert "<script>" not in text


def test_help_shows_an_example_and_the_exit_codes() -> None:
    """The help of the command tells every fault, an example to copy, and the exit codes."""
    done = subprocess.run(
        [sys.executable, "-m", "milepost.cli", "drill", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("second-writer", "Example:", "Exit codes:", "--every-commit"))


def test_a_run_that_takes_too_long_is_killed_and_told(tmp_path: Path) -> None:
    """A run beyond --timeout is killed with what it started, and the drill says so."""
    folder = drills.prepared(tmp_path / "job", "endless")
    done = drills.drill(folder, "--timeout", "1", DIARY=str(tmp_path / "diary"))
    assert (done.returncode, "takes too long" in done.stdout) == (2, True)
    assert left_over(folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_drill_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    """A drill that is stopped exits 128 and the signal's number more, and leaves no process and no folder."""
    folder, scratch, diary = drills.prepared(tmp_path / "job", "endless"), tmp_path / "scratch", tmp_path / "diary"
    scratch.mkdir()
    variables = os.environ | {"TMPDIR": str(scratch), "DIARY": str(diary)}
    with subprocess.Popen(drills.command(), cwd=folder, env=variables, stderr=subprocess.PIPE, text=True) as process:
        while not diary.exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert said == f"milepost: the drill was stopped by {number.name}; nothing of it is left behind.\n"
    assert list(scratch.iterdir()) == []
    assert left_over(scratch) == []


def test_a_stopped_drill_tells_what_it_found(tmp_path: Path) -> None:
    """What differed before a drill was stopped is told all the same."""
    folder, diary = drills.prepared(tmp_path / "job", "saves_first"), tmp_path / "diary"
    job = folder / "job.py"
    note = f"import time\nwith open({str(diary)!r}, 'a') as diary:\n    diary.write('1')\n"
    waits = f"if len(open({str(diary)!r}).read()) > 25:\n    time.sleep(600)\n"
    job.write_text(note + waits + job.read_text())
    words = drills.command("--keep-going")
    with subprocess.Popen(words, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        while len(diary.read_text() if diary.exists() else "") < 27 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "out.txt lacks lines" in said


def left_over(place: Path) -> list[str]:
    """Return the processes whose environment names *place* as the one of their drill."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"MILEPOST_DRILL={place}".encode() in (process / "environ").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found
