"""The main law: stop it anywhere, run it again, and nothing is lost, repeated or different."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from apps.booksynth.tests import support
from apps.booksynth.tests.conftest import BOOKS, settle
from apps.booksynth.tests.support import phase_3, record, results, tracker
from booksynth.trackers import SUFFIX


@pytest.fixture(scope="session")
def undisturbed(settled_shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the results of a run that nobody disturbed."""
    output = tmp_path_factory.mktemp("undisturbed")
    assert phase_3(settled_shelf, output).code == 0
    found = results(output)
    assert len(found) == len(support.RESULTS)
    return found


@pytest.mark.parametrize(
    ("finished", "stop_by"),
    [*((n, "KILL") for n in range(BOOKS)), (0, "TERM"), (3, "TERM"), (4, "INT"), (5, "raise")],
)
def test_stopped_after_each_book(
    settled_shelf: Path,
    output: Path,
    tmp_path: Path,
    undisturbed: dict[str, bytes],
    finished: int,
    stop_by: str,
) -> None:
    """Stopped after any book and run again, no finished book is read, and the results are equal."""
    first = phase_3(settled_shelf, output, stop_at=finished + 1, stop_by=stop_by)
    assert first.code == {"KILL": -9, "TERM": 143, "INT": 130, "raise": 1}[stop_by]
    assert results(output) == {}
    done_before = first.opened[:finished]
    second = phase_3(settled_shelf, output)
    assert second.code == 0, second.err
    assert results(output) == undisturbed
    assert not set(done_before) & set(second.opened)
    assert len(second.opened) == BOOKS - finished
    assert second.report["books_read"] == BOOKS - finished
    assert second.report["books_restored"] == finished
    assert second.report["resumed_from"] == (finished or None)
    assert second.report["new"] == second.report["changed"] == second.report["removed"] == []


def test_stopped_again_and_again(
    settled_shelf: Path, output: Path, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    """Killed after every single book, a run still gets to the end, and reads each book once."""
    opened = []
    for _ in range(BOOKS):
        done = phase_3(settled_shelf, output, stop_at=2)
        opened += done.opened[:1]
    assert sorted(set(opened)) == sorted(opened)
    assert len(opened) == BOOKS
    assert phase_3(settled_shelf, output).report["books_read"] == 0
    assert results(output) == undisturbed


def test_further_run_is_cached(settled_shelf: Path, output: Path, tmp_path: Path) -> None:
    """A further run with the same inputs opens no book and changes nothing but the report."""
    phase_3(settled_shelf, output)
    before = support.tree(output)
    again = phase_3(settled_shelf, output)
    assert again.code == 0
    assert again.opened == []
    assert again.report["cached"] is True
    assert again.report["books_read"] == 0
    assert again.report["books_restored"] == BOOKS
    after = support.tree(output)
    assert {name for name in before if before[name] != after[name]} <= {"run_report.json"}


def test_cached_run_restores_results(settled_shelf: Path, output: Path) -> None:
    """A cached result puts a result file back that is missing or was altered."""
    phase_3(settled_shelf, output)
    whole = results(output)
    (output / support.RESULTS[0]).unlink()
    (output / support.RESULTS[1]).write_text("altered")
    again = phase_3(settled_shelf, output)
    assert again.report["cached"] is True
    assert results(output) == whole


def test_finished_run_keeps_one_checkpoint(settled_shelf: Path, output: Path) -> None:
    """After success the complete checkpoint stays and the older ones are gone."""
    phase_3(settled_shelf, output, stop_at=3)
    phase_3(settled_shelf, output)
    found = list((output / "checkpoints" / "phase_3").glob("checkpoint_*.json"))
    assert len(found) == 1
    content = json.loads(found[0].read_bytes())
    assert content["metadata"] == {"status": "complete"}
    assert content["iteration"] == BOOKS


def test_changed_book_is_read_alone(shelf: Path, output: Path, tmp_path: Path) -> None:
    """A changed book alone is read again, and is named; the results are those of a fresh run."""
    settle()
    phase_3(shelf, output)
    name = support.write(shelf, "book_2", tracker("Book 2", {"critical": [record("New")]})).name
    again = phase_3(shelf, output)
    assert again.opened == [name, name]
    assert again.report["books_read"] == 1
    assert again.report["changed"] == [name]
    assert again.report["cached"] is False
    assert name in again.err
    phase_3(shelf, tmp_path / "fresh")
    assert results(output) == results(tmp_path / "fresh")
    assert "hanged" not in results(output)["PHASE3_SUMMARY.md"].decode()


def test_changed_book_of_an_unfinished_run(shelf: Path, output: Path, tmp_path: Path) -> None:
    """A book that changed while a run was stopped is read again, and only it of the finished."""
    settle()
    phase_3(shelf, output, stop_at=5)
    name = support.write(shelf, "book_0", tracker("Book 0", {"critical": [record("New")]})).name
    again = phase_3(shelf, output)
    assert again.report["changed"] == [name]
    assert again.report["books_restored"] == 3
    assert again.report["books_read"] == BOOKS - 3
    phase_3(shelf, tmp_path / "fresh")
    assert results(output) == results(tmp_path / "fresh")


def test_same_size_and_time_do_not_deceive(shelf: Path, output: Path) -> None:
    """A change that keeps a file's size and modification time is noticed all the same."""
    path = shelf / f"book_1{SUFFIX}"
    phase_3(shelf, output)
    info = path.stat()
    data = path.read_bytes()
    path.write_bytes(data.replace(b"Only book 1", b"Only book X"))
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert path.stat().st_size == info.st_size
    again = phase_3(shelf, output)
    assert again.report["changed"] == [path.name]
    assert b"Only book X" in results(output)[support.RESULTS[0]]


def test_touched_book_is_not_read(shelf: Path, output: Path, tmp_path: Path) -> None:
    """A book with a new date but the same content is known by its digest and not read again."""
    settle()
    phase_3(shelf, output)
    path = shelf / f"book_1{SUFFIX}"
    path.touch()
    again = phase_3(shelf, output)
    assert again.opened == [path.name]
    assert again.report["books_read"] == 0
    assert again.report["books_verified"] == 1
    assert again.report["changed"] == []
    assert again.report["cached"] is True
    settle()
    phase_3(shelf, output)
    assert phase_3(shelf, output).opened == []


def test_removed_and_new_books(shelf: Path, output: Path, tmp_path: Path) -> None:
    """A removed book leaves the results and a new one joins them; both are named."""
    phase_3(shelf, output)
    removed = shelf / f"book_3{SUFFIX}"
    removed.unlink()
    new = support.write(shelf, "a_new_one", tracker("A new one", {"important": [record("Fresh")]}))
    again = phase_3(shelf, output)
    assert again.report["removed"] == [removed.name]
    assert again.report["new"] == [new.name]
    assert again.report["books_read"] == 1
    assert removed.name in again.err
    phase_3(shelf, tmp_path / "fresh")
    assert results(output) == results(tmp_path / "fresh")


def test_changed_settings_read_nothing(settled_shelf: Path, output: Path, tmp_path: Path) -> None:
    """Changed settings consolidate again without reading a book."""
    phase_3(settled_shelf, output)
    before = results(output)
    env = {"BOOKSYNTH_PHASES__PHASE_3__MIN_CONFIDENCE": "0.75"}
    again = phase_3(settled_shelf, output, env=env)
    assert again.opened == []
    assert again.report["cached"] is False
    assert again.report["books_read"] == 0
    assert results(output) != before
    assert phase_3(settled_shelf, output).report["cached"] is False
    assert results(output) == before


def test_progress_of_any_age_is_resumed(settled_shelf: Path, output: Path) -> None:
    """Progress older than the TTL is taken up, because every input is compared."""
    env = {"BOOKSYNTH_CHECKPOINTS__TTL_HOURS": "0.0000001", "BOOKSYNTH_LOGGING__LEVEL": "INFO"}
    phase_3(settled_shelf, output, env=env, stop_at=4)
    again = phase_3(settled_shelf, output, env=env)
    assert again.report["books_restored"] == 3
    assert "age does not matter" in again.err


def test_fresh_forgets(settled_shelf: Path, output: Path, undisturbed: dict[str, bytes]) -> None:
    """--fresh forgets saved progress, says so, and reads every book."""
    phase_3(settled_shelf, output)
    again = phase_3(settled_shelf, output, "--fresh")
    assert again.report["books_read"] == BOOKS
    assert again.report["resumed_from"] is None
    assert "every book is read" in again.err
    assert results(output) == undisturbed


def test_dry_run_writes_nothing(settled_shelf: Path, output: Path) -> None:
    """A dry run on a new output folder reads all, reports, and makes not even the folder."""
    done = phase_3(settled_shelf, output, "--dry-run")
    assert done.code == 0
    assert not output.parent.exists()
    assert done.report["status"] == "dry-run"
    assert done.report["books_read"] == BOOKS
    assert done.report["totals"]["books"] == BOOKS
    assert done.report["written"] == []
    assert "nothing was written" in done.err


@pytest.mark.parametrize("more", [[], ["--fresh"]])
def test_dry_run_on_saved_progress(shelf: Path, output: Path, more: list[str]) -> None:
    """A dry run on saved progress changes no file, and returns no cached result as if it had run."""
    phase_3(shelf, output)
    support.write(shelf, "book_0", tracker("Book 0", {"critical": [record("New")]}))
    before = support.tree(output)
    log = {"BOOKSYNTH_LOGGING__FILE": "run.log"}
    done = phase_3(shelf, output, "--dry-run", *more, env=log)
    assert support.tree(output) == before
    assert done.report["cached"] is False
    assert done.report["books_read"] == (BOOKS if more else 1)
    assert done.report["books_restored"] == (0 if more else BOOKS - 1)


def test_dry_run_of_a_finished_run(settled_shelf: Path, output: Path) -> None:
    """A dry run of what is finished consolidates anew, is not called cached, and restores nothing."""
    phase_3(settled_shelf, output)
    (output / support.RESULTS[0]).unlink()
    done = phase_3(settled_shelf, output, "--dry-run")
    assert done.report["cached"] is False
    assert done.report["status"] == "dry-run"
    assert "consolidate_seconds" in done.report["timings"]
    assert not (output / support.RESULTS[0]).exists()


def test_another_process_holds_the_run(settled_shelf: Path, output: Path, tmp_path: Path) -> None:
    """While another process writes the run, a second one exits 75, and writes no result."""
    holder = (
        "import sys; from milepost import CheckpointManager\n"
        "manager = CheckpointManager('phase_3', checkpoint_dir=sys.argv[1])\n"
        "manager.save_checkpoint(1, {}); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(output / "checkpoints")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        done = phase_3(settled_shelf, output)
        assert process.stdin is not None
        process.stdin.close()
        assert done.code == 75
        assert str(process.pid) in done.err
        assert results(output) == {}
        assert done.out == ""
        assert "Traceback" not in done.err


def test_output_folders_do_not_share_progress(settled_shelf: Path, tmp_path: Path) -> None:
    """A relative checkpoint folder begins at the output folder, so two never share progress."""
    phase_3(settled_shelf, tmp_path / "one")
    assert phase_3(settled_shelf, tmp_path / "two").report["books_read"] == BOOKS
    assert (tmp_path / "two" / "checkpoints" / "phase_3").is_dir()


def test_checkpoints_off(settled_shelf: Path, output: Path, undisturbed: dict[str, bytes]) -> None:
    """Without checkpoints the results are the same, and no checkpoint file is made."""
    env = {"BOOKSYNTH_CHECKPOINTS__ENABLED": "false"}
    done = phase_3(settled_shelf, output, env=env)
    assert results(output) == undisturbed
    assert not (output / "checkpoints").exists()
    assert "Checkpoints are off" in done.err


@pytest.mark.parametrize(("stop_by", "restored"), [("INT", 4), ("KILL", 0)])
def test_interval_zero(settled_shelf: Path, output: Path, stop_by: str, restored: int) -> None:
    """With an interval of 0 only what is saved by force is kept: Ctrl-C keeps, a kill does not."""
    env = {"BOOKSYNTH_CHECKPOINTS__SAVE_INTERVAL_SECONDS": "0"}
    phase_3(settled_shelf, output, env=env, stop_at=5, stop_by=stop_by)
    assert phase_3(settled_shelf, output, env=env).report["books_restored"] == restored


@pytest.mark.parametrize("number", ["INT", "TERM"])
def test_resuming_command_is_printed(settled_shelf: Path, output: Path, number: str) -> None:
    """A stopped run prints the exact command that goes on, without --fresh, and no traceback."""
    env = {"BOOKSYNTH_PHASES__PHASE_3__MIN_CONFIDENCE": "0.75"}
    odd = output.parent / "a folder's"
    done = phase_3(settled_shelf, odd, "--fresh", env=env, stop_at=3, stop_by=number)
    assert "Traceback" not in done.err
    assert done.out == ""
    command = done.err.splitlines()[-1].strip()
    variable, program, *arguments = shlex.split(command)
    assert variable == "BOOKSYNTH_PHASES__PHASE_3__MIN_CONFIDENCE=0.75"
    assert program == "booksynth"
    assert "--fresh" not in arguments
    again = support.booksynth(*arguments, env=env)
    assert again.report["books_restored"] == 2


def test_nothing_kept_is_not_called_kept(settled_shelf: Path, output: Path) -> None:
    """Where nothing is kept, a stopped run says so."""
    off = {"BOOKSYNTH_CHECKPOINTS__ENABLED": "false"}
    done = phase_3(settled_shelf, output, env=off, stop_at=3, stop_by="TERM")
    assert done.code == 143
    assert "nothing was kept" in done.err
    dry = phase_3(settled_shelf, output, "--dry-run", stop_at=3, stop_by="INT")
    assert "nothing was kept" in dry.err
    assert not output.exists()


def test_odd_but_valid_values_survive_a_resume(tmp_path: Path, output: Path) -> None:
    """Every value that JSON may hold goes through a checkpoint unchanged."""
    deep: object = "end"
    for _ in range(28):
        deep = [deep]
    odd = {
        "": "empty key",
        "$milepost": {"$type": "tuple", "value": [1]},
        "__type__": "set",
        "numbers": [0, -0.0, 1.0, 1e300, 5e-324, 2**53 + 1, 2**63, -(10**99)],
        "texts": ["\x00", "\u2028", "\U0001f600", "\ufffe", "a\nb", "\x7f"],
        "empty": [{}, [], None, True, False],
        "deep": deep,
    }
    folder = tmp_path / "in"
    for n in range(3):
        support.write(folder, f"odd_{n}", tracker(f"Odd {n}", {"x" * n: [record("A", **odd)]}))
    phase_3(folder, output, stop_at=3)
    again = phase_3(folder, output)
    assert again.report["problems"] == []
    phase_3(folder, tmp_path / "fresh")
    assert results(output) == results(tmp_path / "fresh")
    document = json.loads(results(output)[support.RESULTS[0]])
    (entry,) = document["recommendations"]
    assert entry["variants"][0]["fields"] == record("A", **odd)


def test_foreign_progress_is_not_used(settled_shelf: Path, output: Path) -> None:
    """Progress of another form is not used: every book is read."""
    code = (
        "import sys; from milepost import CheckpointManager\n"
        "manager = CheckpointManager('phase_3', checkpoint_dir=sys.argv[1])\n"
        "manager.save_checkpoint(9, {'books_done': ['a']}, {'status': 'complete'}, force=True)"
    )
    checkpoints = str(output / "checkpoints")
    subprocess.run([sys.executable, "-c", code, checkpoints], check=True)
    done = phase_3(settled_shelf, output)
    assert done.report["books_read"] == BOOKS
    assert done.report["new"] == []
    assert "another version" in done.err


def test_shard_of_another_format_is_read_again(
    settled_shelf: Path, output: Path, undisturbed: dict[str, bytes]
) -> None:
    """A book whose saved form is of another release is read again; the others are not."""
    phase_3(settled_shelf, output)
    code = (
        "import sys; from milepost import CheckpointManager\n"
        "manager = CheckpointManager('phase_3', checkpoint_dir=sys.argv[1])\n"
        "one = manager.get_latest_checkpoint()\n"
        "books = one['state']['books']\n"
        "books[sorted(books)[0]]['format'] = 0\n"
        "books[sorted(books)[1]]['shard'] = 'nonsense'\n"
        "manager.save_checkpoint(one['iteration'], one['state'], one['metadata'], force=True)"
    )
    checkpoints = str(output / "checkpoints")
    subprocess.run([sys.executable, "-c", code, checkpoints], check=True)
    done = phase_3(settled_shelf, output)
    assert done.report["books_read"] == 2
    assert done.report["changed"] == done.report["new"] == []
    assert results(output) == undisturbed


def test_progress_of_another_program_is_not_used(settled_shelf: Path, output: Path) -> None:
    """A checkpoint of the same phase whose content has another form is passed over with a word, and every book is read."""
    folder = output / "checkpoints" / "phase_3"
    folder.mkdir(parents=True)
    odd = {"phase": "phase_3", "iteration": 3, "timestamp": "2025-10-18T10:30:45", "metadata": [1]}
    for number, state in enumerate(({"format": 1, "books": ["a"]}, {"format": 1, "books": {}}, [])):
        path = folder / f"checkpoint_2025101{number}_103045_iter3.json"
        path.write_text(json.dumps({**odd, "state": state}))
    done = support.phase_3(settled_shelf, output)
    assert done.code == 0
    assert len(done.opened) == done.report["books_read"] > 0
