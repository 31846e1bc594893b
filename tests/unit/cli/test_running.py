"""``milepost plan``, ``run`` and ``status``: exit codes, JSON, and what a person reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import milepost
from tests.support.commands import files_of, managed, run
from tests.support.workflows import Shelf


def test_run_carries_a_workflow_through_and_then_reuses_it(tmp_path: Path) -> None:
    """The first run enters every phase, the second none, and both say so."""
    shelf = Shelf(tmp_path)
    first = run("run", shelf.target, "--json")
    assert (first.json["ran"], first.json["reused"], first.json["left"]) == (["read", "merge"], [], {})
    assert shelf.log() == ["read a", "read b", "merge"]
    second = run("run", shelf.target, "--json")
    assert (second.json["ran"], second.json["reused"]) == ([], ["read", "merge"])
    assert shelf.log() == []
    assert first.json["cost_usd"] == 0.5
    assert second.json["cost_usd"] == 0


def test_run_tells_a_person_what_came_of_it(tmp_path: Path) -> None:
    """Progress goes to standard error and the summary to standard output, with the command that shows the result."""
    shelf = Shelf(tmp_path)
    done = run("run", shelf.target)
    assert "2 of 2 phases ran" in done.out
    assert f"milepost show merge .result --store {shelf.store}" in done.out
    assert "read: attempt 1 begins, 0 items done" in done.err
    assert "read: finished, 2/2 items" in done.err
    assert "$0.50" in done.err
    assert run("run", shelf.target, "--quiet").err == ""
    assert "reused" in run("run", shelf.target).err


def test_plan_says_what_runs_and_why(tmp_path: Path) -> None:
    """A changed, a new and a removed book, a changed parameter and what depends on them are each named with reasons."""
    shelf = Shelf(tmp_path)
    run("run", shelf.target, "--quiet")
    shelf.write("b", "gamma")
    shelf.write("c", "delta")
    (tmp_path / "books/a.txt").unlink()
    plan = run("plan", shelf.target, "--json").json
    read, merge = plan["phases"]
    assert (read["action"], merge["action"]) == ("resume", "wait")
    assert read["items"] == {"total": 2, "reused": 0, "new": ["c"], "changed": ["b"], "failed": [], "removed": ["a"]}
    assert merge["reasons"] == [{"kind": "upstream runs first", "name": "read", "old": None, "new": None}]
    assert read["cost_usd"] == 0.5
    assert plan["cost_usd"] == 0.5
    text = run("plan", shelf.target).out
    assert "item changed: b" in text
    assert "item new: c" in text
    assert "item removed: a" in text
    assert shelf.log() == ["read a", "read b", "merge"]


def test_plan_of_a_changed_parameter_tells_old_and_new(tmp_path: Path) -> None:
    """A parameter that is overridden stops the phase that depends on it, and the plan tells both values and the way on."""
    shelf = Shelf(tmp_path)
    run("run", shelf.target, "--quiet")
    plan = run("plan", shelf.target, "--param", "deep.threshold=7", "--json").json
    read, merge = plan["phases"]
    assert read["action"] == "reuse"
    assert merge["action"] == "stop"
    assert {"kind": "parameter changed", "name": "threshold", "old": "1", "new": "7"} in merge["reasons"]
    text = run("plan", shelf.target, "--param", "deep.threshold=7").out
    assert "parameter changed: threshold: 1 -> 7" in text
    assert "--on-change keep" in text


def test_plan_names_a_call_that_nobody_knows_about_with_its_price(tmp_path: Path) -> None:
    """A paid call that was sent and not answered stands in the plan with its price and id."""
    shelf = Shelf(tmp_path)
    run("plan", shelf.edit("lambda call_id: text.upper()", "lambda call_id: _die()"))
    shelf.file.write_text(shelf.file.read_text() + "\n\ndef _die():\n    raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        Shelf.load(shelf.file).run()
    (read, _) = run("plan", shelf.target, "--json").json["phases"]
    assert [(call["key"], call["cost_usd"]) for call in read["ambiguous"]] == [("ask:a:alpha", 0.25)]
    assert "call 'ask:a:alpha' was sent and not answered ($0.25)" in run("plan", shelf.target).out


def test_plan_changes_nothing(tmp_path: Path) -> None:
    """Planning leaves every file as it was, before a first run and after one."""
    shelf = Shelf(tmp_path)
    before = files_of(tmp_path)
    run("plan", shelf.target)
    assert {name for name in files_of(tmp_path) if "__pycache__" not in name.parts} == set(before)
    run("run", shelf.target, "--quiet")
    before = files_of(shelf.store)
    run("plan", shelf.target, "--fresh")
    assert files_of(shelf.store) == before


def test_plan_check_leaves_with_1_while_something_would_run(tmp_path: Path) -> None:
    """With --check the exit code tells whether a run would do anything."""
    shelf = Shelf(tmp_path)
    assert "begin" in run("plan", shelf.target, "--check", code=1).out
    run("run", shelf.target, "--quiet")
    assert "Everything is finished" in run("plan", shelf.target, "--check", code=0).out


def test_a_changed_setting_stops_the_run_with_3_and_says_how_to_go_on(tmp_path: Path) -> None:
    """A changed parameter ends the run with exit code 3; keep goes on with the results, restart begins anew."""
    shelf = Shelf(tmp_path)
    run("run", shelf.target, "--quiet")
    shelf.log()
    stopped = run("run", shelf.target, "--param", "deep.threshold=7", "--quiet", code=3)
    assert "parameter threshold: 1 -> 7" in stopped.err
    assert "MILEPOST_ON_CHANGE=keep" in stopped.err
    assert shelf.log() == []
    run("run", shelf.target, "--param", "deep.threshold=7", "--quiet", "--on-change", "keep")
    assert shelf.log() == []
    run("run", shelf.target, "--param", "deep.threshold=7", "--quiet", "--on-change", "restart")
    assert shelf.log() == ["merge"]
    assert run("show", "merge", ".result.threshold", "--dir", shelf.store).out.strip() == "7"


def test_failed_items_leave_with_1_and_are_tried_again_alone(tmp_path: Path) -> None:
    """A failed item ends the run with 1; --retry-failed then runs that item and no new one."""
    shelf = Shelf(tmp_path, a="alpha", b="bad")
    failed = run("run", shelf.target, "--json", code=1)
    assert (failed.json["phases"][0]["failed"], failed.json["phases"][0]["state"]) == (1, "finished")
    assert "b failed: it is bad" in failed.err
    shelf.log()
    shelf.write("c", "new")
    assert run("plan", shelf.target, "--json").json["phases"][0]["items"]["failed"] == ["b"]
    again = run("run", shelf.target, "--retry-failed", "--json", code=1)
    assert shelf.log() == ["read b"]
    assert "read" in again.json["left"]
    run("run", shelf.target, "--json", code=1)
    assert shelf.log() == ["read b", "read c", "merge"]
    same = run("run", shelf.target, "--json", code=1)
    assert [one["state"] for one in same.json["phases"]] == ["finished", "reused"]
    shelf.log()
    shelf.write("b", "good")
    run("run", shelf.target, "--quiet")
    assert shelf.log() == ["read b", "merge"]


def test_a_body_that_raises_leaves_with_1_and_the_users_own_traceback(tmp_path: Path) -> None:
    """A body's error is shown from the user's file on, what is recorded stays, and the next run goes on."""
    shelf = Shelf(tmp_path, a="alpha", b="boom")
    code, out, err = _run_raw(shelf)
    assert code == 1
    assert out == ""
    assert "RuntimeError: the body broke" in err
    assert shelf.file.name in err
    assert "milepost/workflow/running.py" not in err
    assert "milepost: read: RuntimeError" in err
    shelf.log()
    shelf.write("b", "beta")
    run("run", shelf.target, "--quiet")
    assert shelf.log() == ["read b", "merge"]


def _run_raw(shelf: Shelf) -> tuple[int, str, str]:
    import io
    from contextlib import redirect_stderr, redirect_stdout

    from milepost.cli.app import main

    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["run", shelf.target, "--quiet"])
    return code, out.getvalue(), err.getvalue()


def test_a_failed_run_prints_its_document_too(tmp_path: Path) -> None:
    """With --json a run that ends in a failure prints what came of it and why, and leaves with its code."""
    shelf = Shelf(tmp_path, a="alpha", b="boom")
    failed = run("run", shelf.target, "--json", code=None)
    assert failed.code == 1
    assert (failed.json["error"]["code"], failed.json["ran"]) == ("work.phase-failed", [])
    assert failed.json["phases"][0]["done"] == 1


def test_a_body_that_gives_what_cannot_be_stored_is_a_failure_of_the_job(tmp_path: Path) -> None:
    """What a body does wrong with its phase leaves with 1, as a failure does, and not with the code of a wrong command."""
    shelf = Shelf(tmp_path)
    target = shelf.edit("return dict(phase.results())", "return object()")
    assert "read: result" in run("run", target, "--quiet", code=1).err


def test_numbers_of_any_length_pass_a_param_as_they_are(tmp_path: Path) -> None:
    """An integer that no machine word holds is handed to the config exactly, and NaN is a text."""
    shelf = Shelf(tmp_path)
    run("run", shelf.target, "--quiet", "--param", "deep.threshold=12345678901234567890123")
    with milepost.open("merge", store=shelf.store) as reader:
        assert reader.result["threshold"] == 12345678901234567890123


def test_a_file_that_would_take_the_place_of_a_module_is_refused(tmp_path: Path) -> None:
    """A target called like a module that is loaded is told, since one of the two could not be imported any more."""
    (tmp_path / "json.py").write_text("import milepost\nworkflow = milepost.Workflow('w')\n")
    assert "loaded already" in run("plan", tmp_path / "json.py", code=2).err
    assert json.dumps([1]) == "[1]"


def test_only_from_and_to_limit_a_run(tmp_path: Path) -> None:
    """The limits leave phases out, and one that needs an output that is not there says so."""
    shelf = Shelf(tmp_path)
    missing = run("run", shelf.target, "--only", "merge", code=2)
    assert "'read' is not finished" in missing.err
    run("run", shelf.target, "--to", "read", "--quiet")
    assert shelf.log() == ["read a", "read b"]
    run("run", shelf.target, "--from", "merge", "--quiet")
    assert shelf.log() == ["merge"]
    run("run", shelf.target, "--only", "read", "--fresh", "--quiet")
    assert shelf.log() == ["read a", "read b"]


BAD = [
    (["run", "no_such_module:workflow"], "no module 'no_such_module'"),
    (["run", "no/such/file.py:workflow"], "there is no such file"),
    (["plan", "milepost:nothing_there"], "nothing called 'nothing_there'"),
    (["plan", "json:dumps"], "not a milepost.Workflow"),
    (["plan", "json"], "which workflow?"),
    (["run", ":workflow"], "give module:workflow"),
    (["run", "{target}", "--only", "phase_9"], "no phase 'phase_9'"),
    (["run", "{target}", "--param", "threshold"], "KEY=VALUE"),
    (["plan", "{target}", "--param", "deep.threshold.x=1"], "is a value"),
    (["run", "{target}", "--on-change", "maybe"], "'stop', 'restart' or 'keep'"),
    (["run", "{target}", "--dir", "nfs://x/y"], "no store of this kind"),
    (["run", "{target}", "--jobs", "0"], "jobs"),
    (["status", "--dir", "{folder}/nowhere"], "no such folder"),
    (["status", "phase_9", "--dir", "{folder}"], "no such phase"),
]


@pytest.mark.parametrize(("words", "expected"), BAD, ids=lambda value: " ".join(value)[:40])
def test_what_is_wrong_with_a_command_is_said_in_a_line_or_two(tmp_path: Path, words: list[str], expected: str) -> None:
    """A wrong target, phase, parameter or folder leaves with 2 and names what is wrong."""
    shelf = Shelf(tmp_path)
    done = run(*[word.format(target=shelf.target, folder=tmp_path) for word in words], code=2)
    assert expected in done.err
    assert len(done.err.strip().splitlines()) <= 6


def test_a_file_that_does_not_load_is_named_with_its_line(tmp_path: Path) -> None:
    """An error in the user's file is told as one line with file and line number."""
    broken = tmp_path / "broken_job.py"
    broken.write_text("import milepost\n\nx = 1 / 0\n")
    done = run("run", f"{broken}:workflow", code=2)
    assert "ZeroDivisionError" in done.err
    assert "broken_job.py:3" in done.err
    broken.write_text("def x(:\n")
    assert "broken_job.py:1" in run("plan", f"{broken}:workflow", code=2).err


def test_a_locked_phase_leaves_with_75(tmp_path: Path) -> None:
    """While something else writes a phase, running it leaves with 75 and names the process."""
    shelf = Shelf(tmp_path)
    with milepost.Phase("read", store=shelf.store) as phase:
        for item in phase.each(["x"]):
            phase.record(item)
        done = run("run", shelf.target, "--quiet", "--on-change", "keep", code=75)
    assert "process" in done.err


def test_a_phase_that_a_manager_keeps_is_refused(tmp_path: Path) -> None:
    """A workflow's phase in a folder that a CheckpointManager keeps leaves with 2, and nothing is touched."""
    shelf = Shelf(tmp_path)
    managed(shelf.store, "read")
    before = files_of(shelf.store)
    done = run("run", shelf.target, "--quiet", code=2)
    assert "CheckpointManager" in done.err
    assert {name: data for name, data in files_of(shelf.store).items() if name in before} == before


def test_a_damaged_journal_leaves_with_65(tmp_path: Path) -> None:
    """A journal that lost what was acknowledged ends plan and run with 65."""
    shelf = Shelf(tmp_path)
    run("run", shelf.target, "--quiet")
    journal = shelf.store / "read/journal_000001.jsonl"
    data = bytearray(journal.read_bytes())
    data[4200] ^= 1
    journal.write_bytes(data)
    assert "read" in run("plan", shelf.target, code=65).err
    assert "read" in run("run", shelf.target, "--quiet", code=65).err


def test_status_tells_how_far_each_phase_is(tmp_path: Path) -> None:
    """Status gives items, failures, dollars and state of every phase, for people and for machines."""
    shelf = Shelf(tmp_path, a="alpha", b="bad", c="gamma")
    run("run", shelf.target, "--quiet", code=1)
    managed(shelf.store)
    merge, read, states = run("status", "--dir", shelf.store, "--json").json
    assert (read["phase"], read["state"], read["workflow"]) == ("read", "finished", "shelf")
    assert (read["done"], read["failed"], read["expected"], read["cost_usd"]) == (2, 1, 3, 0.5)
    assert (merge["done"], merge["state"]) == (0, "finished")
    assert (states["iteration"], states["keeper"]) == (4, "manager")
    text = run("status", "--dir", shelf.store).out
    assert "2/3" in text
    assert "iteration 4" in text
    assert "$0.50" in text
    only = run("status", "read", "--dir", shelf.store, "--json").json
    assert [one["phase"] for one in only] == ["read"]


def test_status_sees_a_running_writer_and_neither_hinders_nor_changes_it(tmp_path: Path) -> None:
    """While a phase is written, status tells process, progress and expected items, and leaves every file as it is."""
    with milepost.Phase("p", store=tmp_path) as phase:
        for number, item in enumerate(phase.each(["a", "b", "c", "d"])):
            if number == 3:
                before = files_of(tmp_path)
                (seen,) = run("status", "--dir", tmp_path, "--json").json
                assert files_of(tmp_path) == before
            phase.record(item)
    assert (seen["state"], seen["done"], seen["expected"]) == ("running", 3, 4)
    assert seen["pid"] is not None
    assert seen["eta_seconds"] is not None
    assert run("status", "--dir", tmp_path, "--json").json[0]["state"] == "stopped"


def test_status_watch_ends_when_nothing_runs(tmp_path: Path) -> None:
    """Watching prints one line of JSON for each look, and ends with the last running phase."""
    shelf = Shelf(tmp_path)
    run("run", shelf.target, "--quiet")
    done = run("status", "--dir", shelf.store, "--watch", "--json")
    (line,) = done.out.strip().splitlines()
    assert [one["phase"] for one in json.loads(line)] == ["merge", "read"]


def test_names_from_the_store_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """A phase and an item named with control characters are printed escaped by status and run."""
    with milepost.Phase("red\x1b[31m", store=tmp_path) as phase:
        for item in phase.each(["a"]):
            phase.record(item)
    done = run("status", "--dir", tmp_path)
    assert "\x1b[31m" not in done.out
    assert "red" in done.out
