"""The laws of the whole workflow: books to plans, stopped anywhere, changed anywhere."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

import milepost
from apps.booksynth.tests import support
from apps.booksynth.tests.bookmaking import epub, page
from apps.booksynth.tests.support import Done, booksynth, record, results, run, standing, tracker
from booksynth.trackers import SUFFIX

SHELF = Path(__file__).parents[1] / "examples" / "shelf"
# Only what several books say gets a plan: fewer files, the same code.
AGREED = {"BOOKSYNTH_PHASES__PHASE_3__MIN_CONFIDENCE": "0.6"}


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """Return a copy of the bundled shelf."""
    return Path(shutil.copytree(SHELF, tmp_path / "shelf"))


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results of a run that nobody disturbed. Read only."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    done = run(SHELF, output, env=AGREED)
    assert done.code == 0, done.err
    return output


@pytest.fixture(scope="session")
def undisturbed(plain: Path) -> dict[str, str]:
    """Return what that run wrote."""
    return standing(plain)


def states(done: Done) -> dict[str, str]:
    return {name: told["state"] for name, told in done.report["phases"].items()}


def items(done: Done, phase: str) -> list[str]:
    found: list[str] = done.report["phases"][phase]["items"]
    return found


def test_a_shelf_becomes_plans(plain: Path) -> None:
    """Three books give three analyses, one list, its summary, and a plan for each entry of it."""
    document = json.loads((plain / support.RESULTS[0]).read_text())
    entries = document["recommendations"]
    assert len(list((plain / "analyses").glob(f"*{SUFFIX}"))) == document["totals"]["books_with_content"] == 3
    plans = {path.parent.name: path.read_text() for path in plain.glob("plans/*/PLAN.md")}
    assert {name.split("-")[1] for name in plans} == {one["id"].removeprefix("rec-") for one in entries}
    assert len(plans) == 5
    assert "Never deploy what you cannot roll back." in {one["title"] for one in entries}
    assert all("quoted from the books, word for word" in text for text in plans.values())
    assert all(name in (plain / "plans" / "INDEX.md").read_text() for name in plans)


def test_results_depend_on_the_books_alone(books: Path, tmp_path: Path, undisturbed: dict[str, str]) -> None:
    """The same shelf elsewhere gives the same bytes."""
    assert run(books, tmp_path / "elsewhere" / "out", env=AGREED).code == 0
    assert standing(tmp_path / "elsewhere" / "out") == undisturbed


def test_a_further_run_enters_nothing(books: Path, output: Path) -> None:
    """A further run takes every result and writes nothing."""
    run(books, output, env=AGREED)
    before = support.tree(output)
    again = run(books, output, env=AGREED)
    assert set(states(again).values()) == {"reused"}
    assert support.tree(output) == before


@pytest.mark.parametrize(
    ("operation", "when"), [(2, "after"), (9, "before"), (23, "after"), (41, "before"), (70, "after"), (120, "before")]
)
def test_killed_at_an_operation(output: Path, undisturbed: dict[str, str], operation: int, when: str) -> None:
    """Killed before or after any change of the disk and run again, the results are the same bytes."""
    assert run(SHELF, output, env=AGREED, kill=(operation, when)).code == -9
    assert run(SHELF, output, env=AGREED).code == 0
    assert standing(output) == undisturbed


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_moments(output: Path, undisturbed: dict[str, str], seed: int) -> None:
    """Killed from outside at moments that nobody chose, again and again, the results are the same bytes."""
    moments = random.Random(seed)
    for _ in range(4):
        assert run(SHELF, output, env=AGREED, kill=moments.uniform(0.02, 0.4)).code in {0, -9}
    assert run(SHELF, output, env=AGREED).code == 0
    assert standing(output) == undisturbed


def test_killed_on_a_database(tmp_path: Path, output: Path, undisturbed: dict[str, str]) -> None:
    """With its progress in a database, a run that is killed and run again gives the same bytes, and so does the next."""
    where = ("--store", f"sqlite:///{tmp_path}/kept.db")
    for moment in (0.2, 0.5):
        assert run(SHELF, output, *where, env=AGREED, kill=moment).code in {0, -9}
    assert run(SHELF, output, *where, env=AGREED).code == 0
    assert standing(output) == undisturbed
    assert not (output / "checkpoints").exists()
    assert set(states(run(SHELF, output, *where, env=AGREED)).values()) == {"reused"}


def test_killed_again_and_again(output: Path, undisturbed: dict[str, str]) -> None:
    """A run that is always killed after a few changes of the disk gets to the end."""
    for _ in range(80):
        done = run(SHELF, output, env=AGREED, kill=(30, "after"))
        if done.code == 0:
            break
    assert done.code == 0
    assert standing(output) == undisturbed


def test_interrupted(output: Path, undisturbed: dict[str, str]) -> None:
    """Ctrl-C ends with 130 and the command that goes on, and that command goes on."""
    done = run(SHELF, output, env=AGREED, stop_at=1, stop_by="INT")
    assert done.code == 130
    assert "what is finished is kept. To go on:" in done.err
    assert f"run {SHELF} --output {output} --json" in done.err
    assert "Traceback" not in done.err
    assert run(SHELF, output, env=AGREED, stop_at=1, stop_by="TERM").code == 143
    assert run(SHELF, output, env=AGREED).code == 0
    assert standing(output) == undisturbed


def test_what_a_run_writes_is_no_book_of_the_next_one(books: Path) -> None:
    """With the results, or the progress, on the shelf itself further runs give what the first one gave."""
    words = ("run", books, "--output", books / "out", "--store", books / "kept", "--json")
    assert booksynth(*words, env=AGREED).code == 0
    first = standing(books / "out")
    (books / "kept" / "page.html").write_text("<p>Never read this.</p>")
    again = booksynth(*words, env=AGREED)
    assert set(states(again).values()) == {"reused"}
    assert booksynth(*words, "--fresh", env=AGREED).code == 0
    assert standing(books / "out") == first


def test_a_changed_book_alone_is_read(books: Path, output: Path, tmp_path: Path) -> None:
    """A changed book is read, no other is, and the results are those of a run from nothing."""
    run(books, output)
    changed = books / "Backups_That_Come_Back.txt"
    changed.write_text(changed.read_text().replace("Rotate keys on a day that you choose.", "Burn the old keys soon."))
    again = run(books, output)
    assert items(again, "phase_2") == ["Backups_That_Come_Back.txt"]
    assert items(again, "phase_3") == [f"Backups_That_Come_Back{SUFFIX}"]
    run(books, tmp_path / "anew")
    assert standing(output) == standing(tmp_path / "anew")


def test_a_changed_setting_of_phase_3(books: Path, output: Path, undisturbed: dict[str, str]) -> None:
    """A changed setting of phase 3 makes the list anew, reads no book and no analysis, and drops plans with it."""
    run(books, output)
    again = run(books, output, env=AGREED)
    assert states(again) == {"phase_2": "reused", "phase_3": "done", "phase_4": "done"}
    assert items(again, "phase_3") == ["(settings)"]
    assert items(again, "phase_4") == []
    assert standing(output) == undisturbed


def test_a_change_without_an_effect_stops_there(books: Path, output: Path) -> None:
    """A change of a book that changes no advice makes nothing behind it run but what names the book's digest."""
    run(books, output, env=AGREED)
    book = books / "A_Service_for_Two.md"
    book.write_text(book.read_text() + "\nThe end of it.\n")
    again = run(books, output, env=AGREED)
    assert states(again) == {"phase_2": "done", "phase_3": "done", "phase_4": "reused"}


def test_a_removed_book_leaves_nothing(books: Path, output: Path, tmp_path: Path) -> None:
    """What a removed book brought goes with it, plans and analysis included."""
    run(books, output)
    (books / "Small_Steps_in_Old_Code.md").unlink()
    assert run(books, output).code == 0
    run(books, tmp_path / "anew")
    assert standing(output) == standing(tmp_path / "anew")
    assert not (output / "analyses" / f"Small_Steps_in_Old_Code{SUFFIX}").exists()


def plan_of(output: Path, words: str) -> Path:
    (found,) = (output / "plans").glob(f"*-{words}/PLAN.md")
    return found


def test_an_edited_plan_stays(books: Path, output: Path) -> None:
    """An edited plan is told, and stays when its text and even when its recommendation is gone."""
    run(books, output)
    plan = plan_of(output, "keep-it-free-of-blame")
    plan.write_text("my own words\n")
    assert run(books, output).report["edited"] == {str(plan.relative_to(output / "plans")): ""}
    for path in books.iterdir():
        path.unlink()
    (books / "Other.md").write_text("Never mix the two kinds of tape.\n")
    done = run(books, output)
    assert done.report["orphans"] == [str(plan.relative_to(output / "plans"))]
    assert plan.read_text() == "my own words\n"
    assert len(list((output / "plans").glob("*/PLAN.md"))) == 2


def test_a_new_version_beside_an_edited_plan(books: Path, output: Path) -> None:
    """Where the recommendation stays and its plan changes, the new version stands beside the edited one."""
    support.write(books, "t", tracker("T", {"important": [record("One", dependencies=["Two"])]}))
    run(books, output)
    plan = plan_of(output, "one")
    plan.write_text("my own words\n")
    support.write(books, "u", tracker("U", {"important": [record("Two")]}))
    done = run(books, output)
    name = str(plan.relative_to(output / "plans"))
    beside = output / "plans" / done.report["edited"][name]
    assert plan.read_text() == "my own words\n"
    assert "- [Two](../" in beside.read_text()
    assert name in done.err


def test_an_edited_analysis_is_used(books: Path, output: Path) -> None:
    """An analysis that was put right by hand is used as it is, and said to be edited."""
    run(books, output)
    path = output / "analyses" / f"A_Service_for_Two{SUFFIX}"
    path.write_text(path.read_text().replace("Keep it free of blame.", "Keep it free of names."))
    done = run(books, output)
    assert [problem["code"] for problem in done.report["problems"]] == ["edited"]
    assert plan_of(output, "keep-it-free-of-names").exists()
    path.unlink()
    run(books, output)
    assert plan_of(output, "keep-it-free-of-blame").exists()


@pytest.mark.parametrize("name", [*support.RESULTS, "plans/INDEX.md", f"analyses/A_Service_for_Two{SUFFIX}"])
def test_a_missing_output_is_restored(output: Path, undisturbed: dict[str, str], name: str) -> None:
    """A result that is missing is written again from what is recorded, and no book is read."""
    run(SHELF, output, env=AGREED)
    (output / name).unlink()
    again = run(SHELF, output, env=AGREED)
    assert items(again, "phase_2") == items(again, "phase_4") == []
    assert standing(output) == undisturbed


def test_a_book_killed_half_way_goes_on_there(output: Path, tmp_path: Path) -> None:
    """A run that is killed in the middle of a book keeps its chapters, and the next goes on behind them to the same bytes."""
    shelf = tmp_path / "one"
    shelf.mkdir()
    parts = {f"{n}.xhtml": page(f"<h1>Part {n}</h1><p>Never lose tape {n} of the set.</p>") for n in range(12)}
    (shelf / "Tapes.epub").write_bytes(epub(parts, title="Tapes"))
    one_by_one = {"BOOKSYNTH_PHASES__PHASE_2__CHAPTERS_PER_BATCH": "1"}
    assert run(shelf, tmp_path / "whole", env=one_by_one).code == 0
    kept = []
    for operation in (36, 24):
        assert run(shelf, output, env=one_by_one, kill=(operation, "after")).code == -9
        with milepost.open("phase_2", store=output / "checkpoints") as reader:
            kept.append(len(reader.results("chapters of Tapes.epub")))
    assert 0 < kept[0] < kept[1] <= 12
    assert run(shelf, output, env=one_by_one).code == 0
    assert standing(output) == standing(tmp_path / "whole")


def test_both_ways_of_phase_3_agree(tmp_path: Path) -> None:
    """Over the same trackers, sound and malformed, the workflow and `phase-3` give the same bytes."""
    shelf = tmp_path / "trackers"
    shutil.copytree(SHELF.parent / "analyses", shelf)
    support.write(shelf, "cut", '{"book_title": "Cut", "iterations": [')
    support.write(shelf, "binary", b"\xff\xfe\x00")
    support.write(shelf, "bom", b"\xef\xbb\xbf" + json.dumps(tracker("Bom", {"critical": [record("Bom")]})).encode())
    support.write(shelf, "bad", tracker("Bad", {"critical": [record(), {"title": 3}], "odd": [record("Odd")]}))
    support.write(shelf, "empty", "")
    (shelf / f"folder{SUFFIX}").mkdir()
    assert run(shelf, tmp_path / "workflow").code == 0
    assert support.phase_3(shelf, tmp_path / "manager").code == 0
    assert results(tmp_path / "workflow") == results(tmp_path / "manager") != {}


def test_one_bad_book_stops_nothing(books: Path, output: Path) -> None:
    """Books that failed, were refused or are empty are told apart, and the others are read."""
    (books / "a.pdf").write_bytes(b"%PDF")
    (books / "b.md").write_bytes(b"\xff\xfe")
    (books / "c.txt").write_text("Nothing to see here.\n")
    (books / "d.md").symlink_to(books.parent / "not-there")
    support.write(books, "e", '{"cut')
    done = run(books, output)
    assert done.code == 0
    codes = {problem["file"]: problem["code"] for problem in done.report["problems"]}
    assert codes == {"a.pdf": "broken-pdf", "b.md": "not-utf8", "c.txt": "no-advice", "d.md": "unreadable"}
    document = json.loads(results(output)[support.RESULTS[0]])
    unused = {one["file"]: one["code"] for one in document["files_not_used"]}
    assert unused == {**codes, f"e{SUFFIX}": "truncated"}
    assert document["totals"]["books_with_content"] == 3
    for name in codes:
        assert name in done.err


def test_a_failed_book_is_tried_again(books: Path, output: Path) -> None:
    """A book that could not be read is tried again by the next run, and one that was refused is not."""
    (books / "late.md").symlink_to(books.parent / "late.md")
    (books / "refused.pdf").write_bytes(b"%PDF")
    first = run(books, output)
    assert list(first.report["phases"]["phase_2"]["failed"]) == ["late.md"]
    second = run(books, output)
    assert list(second.report["phases"]["phase_2"]["failed"]) == ["late.md"]
    assert items(second, "phase_2") == []
    (books.parent / "late.md").write_text("Never be late with the second tape.\n")
    third = run(books, output)
    assert items(third, "phase_2") == ["late.md"]
    assert plan_of(output, "never-be-late-with-the-second-tape").exists()


def test_books_of_one_stem(books: Path, output: Path) -> None:
    """Two books of one stem both have their analysis."""
    (books / "same.md").write_text("Never mix the two kinds of tape.\n")
    (books / "same.txt").write_text("Never mix the three kinds of tape.\n")
    run(books, output)
    assert {path.name for path in (output / "analyses").glob("same*")} == {f"same.md{SUFFIX}", f"same.txt{SUFFIX}"}


def test_names_that_no_analysis_or_text_can_have(tmp_path: Path, output: Path) -> None:
    """Books of the longest names that a file can have, and a folder with a name that is no text in it, are read."""
    shelf = tmp_path / "long"
    (shelf / "pages").mkdir(parents=True)
    (shelf / "pages" / "index.html").write_text("<p>Never mix the five kinds of tape.")
    (shelf / "pages" / os.fsdecode(b"\xff.md")).write_text("x")
    for name in ("x" * 252 + ".md", "y" * 251 + ".txt", "z" * 195 + ".md"):
        (shelf / name).write_text("Never mix the two kinds of tape.\n")
    support.write(shelf, "t" * (255 - len(SUFFIX)), tracker("T", {"critical": [record()]}))
    done = run(shelf, output)
    assert done.code == 0, done.err
    assert [(one["where"], one["code"]) for one in done.report["problems"]] == [("\\xff.md", "not-read-here")]
    made = sorted((output / "analyses").glob(f"*{SUFFIX}"))
    assert len(made) == 5
    # An edit of the longest, and a new version beside it.
    made[-1].write_text(made[-1].read_text() + " ")
    (shelf / ("z" * 195 + ".md")).write_text("Never mix the three kinds of tape.\n")
    assert run(shelf, output).code == 0
    assert len(list((output / "analyses").glob(f"{'z' * 195}*.new-*"))) == 1


def test_phases_of_one_run_can_be_chosen(books: Path, output: Path) -> None:
    """A run can end early, begin late, or hold one phase only."""
    assert states(run(books, output, "--to", "phase_2")) == {
        "phase_2": "done",
        "phase_3": "not run",
        "phase_4": "not run",
    }
    assert not (output / support.RESULTS[0]).exists()
    assert states(run(books, output, "--only", "phase_3"))["phase_3"] == "done"
    assert states(run(books, output, "--from", "phase_4"))["phase_4"] == "done"
    unfinished = run(books, output.parent / "other", "--from", "phase_4")
    assert unfinished.code == 2
    assert "phase_3" in unfinished.err


def test_fresh_begins_anew(books: Path, output: Path, tmp_path: Path) -> None:
    """With --fresh every book is read again, to the same results."""
    run(books, output)
    before = standing(output)
    assert len(items(run(books, output, "--fresh"), "phase_2")) == 3
    assert standing(output) == before


def test_without_checkpoints(books: Path, output: Path, undisturbed: dict[str, str]) -> None:
    """With checkpoints.enabled false the results are the same, and no progress is kept."""
    done = run(books, output, env={**AGREED, "BOOKSYNTH_CHECKPOINTS__ENABLED": "false"})
    assert done.code == 0, done.err
    assert standing(output) == undisturbed
    assert not (output / "checkpoints").exists()


def test_a_dry_run_writes_nothing(books: Path, output: Path) -> None:
    """A dry run says what would be done and why, and writes nothing at all."""
    done = run(books, output, "--dry-run")
    actions: dict[str, Any] = {one["phase"]: one["action"] for one in done.report["phases"]}
    assert actions == {"phase_2": "start", "phase_3": "start", "phase_4": "start"} or actions["phase_2"] == "start"
    assert not output.exists()
    run(books, output)
    before = support.tree(output)
    dry = booksynth("run", "--shelf-dir", books, "--output-dir", output, "--dry-run", env=AGREED)
    assert "Phase 3, consolidating: goes on (1 of 4 items)\n  item changed: (settings)" in dry.out
    assert support.tree(output) == before


def test_progress_of_phase_3_is_in_the_way(books: Path, output: Path) -> None:
    """Where `phase-3` keeps its progress, the workflow says in a few words what to do, and changes nothing."""
    support.phase_3(SHELF.parent / "analyses", output)
    before = results(output)
    done = run(books, output)
    assert done.code == 2
    assert "holds progress of `booksynth phase-3`" in done.err
    assert f"remove {output / 'checkpoints' / 'phase_3'} and run this again" in done.err
    assert results(output) == before
    shutil.rmtree(output / "checkpoints" / "phase_3")
    assert run(books, output).code == 0


def test_progress_of_the_workflow_is_in_the_way(books: Path, output: Path) -> None:
    """Where the workflow keeps its progress, `phase-3` says in a few words what to do, and changes nothing."""
    run(books, output)
    before = results(output)
    done = support.phase_3(SHELF.parent / "analyses", output)
    assert done.code == 2
    assert "holds progress of `booksynth run`" in done.err
    assert results(output) == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--output", "x"], "booksynth run SHELF"),
        (["x"], "--output DIR"),
        (["x", "--shelf-dir", "{empty}"], "give one of them"),
        (["/no/such", "-o", "x"], "the shelf /no/such cannot be listed"),
        (["--shelf-dir", "{empty}", "--output-dir", "x"], "nothing to read"),
        (["--from", "phase_9"], "phase_9"),
        (["--config", "/no/such.yaml"], "/no/such.yaml: cannot be read"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: list[str], expected: str) -> None:
    """A wrong command line exits 2, says what is wrong, and makes nothing."""
    (tmp_path / "empty").mkdir()
    places = {"{empty}": str(tmp_path / "empty"), "x": str(tmp_path / "x")}
    given = [places.get(one, one) for one in arguments]
    done = booksynth("run", *given)
    assert done.code == 2
    assert expected in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "x").exists()
