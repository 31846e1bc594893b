"""The laws of the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.booksynth.tests import support
from apps.booksynth.tests.conftest import BOOKS
from apps.booksynth.tests.support import booksynth, phase_3, record, results, tracker
from booksynth.trackers import SUFFIX

ROOT = Path(__file__).parents[3]


def test_help_has_an_example_and_the_exit_codes() -> None:
    """The help shows an example, every option and every exit code."""
    done = booksynth("phase-3", "--help")
    assert done.code == 0
    for part in (
        "booksynth phase-3 --analysis-dir analyses --output-dir results",
        *("--config", "--dry-run", "--fresh", "--strict", "--json"),
        *("0    done", "1    ", "2    ", "74   ", "75   ", "130  ", "143  "),
    ):
        assert part in done.out


def test_version() -> None:
    """--version prints the version and nothing else."""
    done = booksynth("--version")
    assert done.code == 0
    assert done.out.startswith("booksynth 0.")


def test_module_is_the_command() -> None:
    """`python -m booksynth` does what the command does."""
    command = [sys.executable, "-m", "booksynth", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == booksynth("--version").out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["phase-3", "--nope"], "--nope"),
        (["phase-4"], "phase-4"),
        (["phase-3"], "--analysis-dir"),
        (["phase-3", "--analysis-dir", "x"], "--output-dir"),
        (["phase-3", "--analysis-dir", "/no/such", "--output-dir", "x"], "/no/such cannot be listed"),
        (["phase-3", "--analysis-dir", __file__, "--output-dir", "x"], "cannot be listed"),
        (["phase-3", "--config", "/no/such.yaml"], "/no/such.yaml: cannot be read"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: list[str], expected: str) -> None:
    """A wrong command line exits 2, says what is wrong, and makes nothing."""
    done = booksynth(*arguments)
    assert done.code == 2
    assert expected in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    assert not (tmp_path / "x").exists()


def test_empty_folder(tmp_path: Path) -> None:
    """A folder without trackers exits 2 and says which names are looked for."""
    (tmp_path / "other.json").write_text("{}")
    done = phase_3(tmp_path, tmp_path / "out")
    assert done.code == 2
    assert f"*{SUFFIX}" in done.err
    assert not (tmp_path / "out").exists()


def test_json_is_the_run_report(settled_shelf: Path, output: Path) -> None:
    """--json prints exactly the run report; all other text goes to stderr."""
    done = phase_3(settled_shelf, output)
    assert done.out == (output / "run_report.json").read_text()
    report = done.report
    assert report["books_total"] == report["books_read"] == BOOKS
    assert report["totals"]["recommendations"] == 1 + BOOKS + BOOKS // 2
    assert set(report["versions"]) == {"booksynth", "milepost", "python"}
    assert report["timings"]["total_seconds"] > 0
    assert report["outputs"]["PHASE3_SUMMARY.md"] == str(output / "PHASE3_SUMMARY.md")
    assert report["written"] == list(support.RESULTS)
    assert "6 trackers: 6 to read" in done.err


def test_text_goes_to_stdout_without_json(settled_shelf: Path, output: Path) -> None:
    """Without --json the text is on stdout: where the results are, and what to try next."""
    done = booksynth("phase-3", "--analysis-dir", settled_shelf, "--output-dir", output)
    assert str(output / "PHASE3_SUMMARY.md") in done.out
    assert "Try next" in done.out
    assert "[6/6] 3 recommendations: book_5" in done.out
    assert "\x1b" not in done.out
    assert done.err == ""


def test_report_holds_the_clock_and_the_results_do_not(settled_shelf: Path, tmp_path: Path) -> None:
    """The results have no clock, host or folder in them: two runs elsewhere are equal."""
    phase_3(settled_shelf, tmp_path / "one")
    command = [sys.executable, "-m", "booksynth", "phase-3", "--analysis-dir", str(settled_shelf)]
    env = {**os.environ, "TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    command += ["--output-dir", str(tmp_path / "two" / "deep")]
    subprocess.run(command, env=env, capture_output=True, check=True)
    assert results(tmp_path / "one") == results(tmp_path / "two" / "deep")
    whole = b"".join(results(tmp_path / "one").values())
    assert os.fsencode(tmp_path) not in whole
    assert os.fsencode(settled_shelf) not in whole


def test_results_are_as_documented(settled_shelf: Path, output: Path) -> None:
    """The JSON is indented by 2, keeps letters as they are, and ends in a newline."""
    phase_3(settled_shelf, output)
    text = results(output)[support.RESULTS[0]].decode()
    document = json.loads(text)
    assert text == json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    assert document["format"] == "booksynth/consolidated-recommendations"
    assert len(document["recommendations"]) == document["totals"]["recommendations"]
    assert results(output)[support.RESULTS[1]].startswith(b"# ")


def malformed(folder: Path) -> dict[str, str]:
    """Write one of everything that can be wrong, and return the expected code of each file."""
    good = tracker("Good", {"critical": [record("Good")]})
    text = json.dumps(good)
    support.write(folder, "good", good)
    contents: dict[str, tuple[object, str]] = {
        "cut": (text[:-20], "truncated"),
        "not_json": ("nothing", "not-json"),
        "empty": ("", "empty-file"),
        "latin": (text.encode().replace(b"Good", b"G\xfcte"), "not-utf8"),
        "list": ("[]", "wrong-type"),
        "no_iterations": ('{"book_title": "X"}', "missing-field"),
        "deep": ("[" * 100_000, "too-deep"),
        "twice": ('{"iterations": [], "iterations": []}', "repeated-key"),
        "stub": (tracker("Stub", {}, {}), "stub"),
        "bad_record": (tracker("R", {"critical": [{"title": 5}, record("Survivor")]}), "wrong-type"),
        "nan": (tracker("N", {"critical": [record("N", x=float("nan"))]}), "bad-number"),
        "huge_field": (tracker("H", {"critical": [record("H", x="y" * 30_000)]}), "too-long"),
        "same-book": (tracker("Same-Book", {"critical": [record("S")]}), ""),
        "same_book": (tracker("Same Book", {"critical": [record("S")]}), "identical"),
        "untitled": ({**good, "book_title": None}, "missing-field"),
        "nul": (b"\x00" * 100, "not-json"),
    }
    expected = {}
    for name, (content, code) in contents.items():
        support.write(folder, name, content)
        if code:
            expected[f"{name}{SUFFIX}"] = code
    (folder / f"folder{SUFFIX}").mkdir()
    os.mkfifo(folder / f"fifo{SUFFIX}")
    (folder / f"loop{SUFFIX}").symlink_to(folder / f"loop{SUFFIX}")
    (folder / f"dangling{SUFFIX}").symlink_to(folder / "nothing")
    (folder / os.fsdecode(b"name\xff" + SUFFIX.encode())).write_text(text)
    for name, code in (
        ("folder", "not-a-file"),
        ("fifo", "not-a-file"),
        ("loop", "unreadable"),
        ("dangling", "unreadable"),
        ("name\\xff", "bad-name"),
    ):
        expected[f"{name}{SUFFIX}"] = code
    return expected


def test_malformed_trackers_stop_nobody(tmp_path: Path, output: Path) -> None:
    """Every malformed tracker is reported by file and reason, and the others are consolidated."""
    expected = malformed(tmp_path / "in")
    done = phase_3(tmp_path / "in", output)
    assert done.code == 0
    found = {problem["file"]: problem["code"] for problem in done.report["problems"]}
    assert found == expected
    for name in expected:
        assert name in done.err
    document = json.loads(results(output)[support.RESULTS[0]])
    titles = {one["title"] for one in document["recommendations"]}
    assert titles == {"Good", "Survivor", "S"}
    summary = results(output)[support.RESULTS[1]].decode()
    for file in document["files_not_used"]:
        assert file["file"] in summary
    again = phase_3(tmp_path / "in", output)
    assert again.report["cached"] is True
    assert again.report["problems"] == done.report["problems"]


def test_strict_refuses(tmp_path: Path, output: Path) -> None:
    """With --strict a problem exits 1, writes no result, and keeps the progress."""
    malformed(tmp_path / "in")
    done = phase_3(tmp_path / "in", output, "--strict")
    assert done.code == 1
    assert results(output) == {}
    assert done.report["status"] == "refused"
    assert "--strict" in done.err
    count = done.report["books_read"]
    again = phase_3(tmp_path / "in", output)
    assert again.code == 0
    assert again.report["books_read"] == 0
    assert again.report["books_restored"] == count
    whole = results(output)
    assert phase_3(tmp_path / "in", output, "--strict").code == 1
    assert results(output) == whole


def test_strict_without_problems(settled_shelf: Path, output: Path) -> None:
    """With --strict and no problem the run is like any other."""
    assert phase_3(settled_shelf, output, "--strict").code == 0
    assert len(results(output)) == len(support.RESULTS)


def test_output_folder_cannot_be_made(settled_shelf: Path, tmp_path: Path) -> None:
    """Where the output cannot be written the run exits 74 and says where and why."""
    (tmp_path / "file").write_text("")
    done = phase_3(settled_shelf, tmp_path / "file" / "out")
    assert done.code == 74
    assert "file/out" in done.err
    assert "Not a directory" in done.err
    assert "Traceback" not in done.err


def test_result_is_a_folder(settled_shelf: Path, output: Path) -> None:
    """Where a result cannot replace what is there the run exits 74, and goes on when it can."""
    (output / support.RESULTS[0]).mkdir(parents=True)
    done = phase_3(settled_shelf, output)
    assert done.code == 74
    assert "Traceback" not in done.err
    (output / support.RESULTS[0]).rmdir()
    again = phase_3(settled_shelf, output)
    assert again.report["books_read"] == 0
    assert len(results(output)) == len(support.RESULTS)


def test_disk_full(settled_shelf: Path, tmp_path: Path) -> None:
    """On a full disk the run exits 74, and goes on from there once there is room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs needs privileges")
    try:
        (disk / "filler").write_bytes(b"x" * 24_000)
        done = phase_3(settled_shelf, disk / "out")
        assert done.code == 74, done.err
        assert "Traceback" not in done.err
        (disk / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        again = phase_3(settled_shelf, disk / "out")
        assert again.code == 0, again.err
        phase_3(settled_shelf, tmp_path / "roomy")
        assert results(disk / "out") == results(tmp_path / "roomy")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_names_cannot_steer_the_terminal(tmp_path: Path, output: Path) -> None:
    """Control characters in names, titles and paths appear as escapes."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / f"evil\x1b[31m[red]\n{SUFFIX}").write_text("{")
    support.write(folder, "good", tracker("T\x1b[2J", {"a\x1b[0m": [record("\x1b[31m|x")]}))
    done = phase_3(folder, output)
    assert done.code == 0
    assert "\x1b" not in done.err
    assert "evil\\x1b[31m[red]\\n" in done.err
    assert b"\x1b" not in b"".join(results(output).values())


def test_reader_of_the_output_leaves(settled_shelf: Path, output: Path) -> None:
    """When the reader of its output leaves, the run stops without a traceback, and is resumable."""
    command = [sys.executable, "-m", "booksynth", "phase-3", "--analysis-dir", str(settled_shelf)]
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run([*command, "--output-dir", str(output)], stdout=theirs, stderr=subprocess.PIPE, check=False)
    os.close(theirs)
    assert done.returncode == 141
    assert done.stderr == b""
    assert phase_3(settled_shelf, output).code == 0


def test_schema_is_current() -> None:
    """The committed JSON schema is what `booksynth config-schema` prints."""
    committed = ROOT / "apps/booksynth/config/workflow_config.schema.json"
    assert booksynth("config-schema").out == committed.read_text()
