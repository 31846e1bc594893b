"""Receipts: what a finished run states, and that ``milepost verify`` holds everything against it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost.records import digest, seal, unseal
from tests.support.commands import files_of, run
from tests.support.workflows import Shelf


def receipt_of(root: Path, phase: str) -> dict[str, Any]:
    """Return a receipt, which must be intact."""
    fields = unseal((root / phase / "receipt.json").read_bytes().rstrip(b"\n"))
    assert fields is not None
    return fields


def rewritten(root: Path, phase: str, **changes: Any) -> None:
    """Write a receipt with other contents and a check that fits them: a forger's, or that of another run."""
    fields = receipt_of(root, phase) | changes
    (root / phase / "receipt.json").write_bytes(seal(fields) + b"\n")


def test_a_finished_run_states_what_it_was_made_of_and_what_it_took(tmp_path: Path) -> None:
    """A receipt names parameters, code, versions, items, result, attempts, interruptions, seconds and dollars."""
    shelf = Shelf(tmp_path, a="alpha", b="boom")
    run("run", shelf.target, "--quiet", code=1)
    assert not (shelf.store / "read/receipt.json").exists()
    shelf.write("b", "beta")
    run("run", shelf.target, "--quiet")
    receipt = receipt_of(shelf.store, "read")
    assert (receipt["phase"], receipt["workflow"], receipt["done"], receipt["failed"]) == ("read", "shelf", 2, 0)
    assert (receipt["attempts"], receipt["interruptions"], receipt["calls"], receipt["cost_usd"]) == (2, 1, 2, 0.5)
    assert receipt["made_with"]["params"] == {"price": "0.25"}
    assert any(name.endswith(".read") for name in receipt["made_with"]["code"])
    assert receipt["versions"]["milepost"].startswith("0.")
    assert [row[:2] for row in receipt["items"]] == [["", "a"], ["", "b"]]
    assert receipt["items"][0][3] == digest(b'"ALPHA"')
    assert receipt["active_seconds"] >= 0
    assert json.loads((shelf.store / "read/receipt.json").read_text())["kind"] == "receipt"


def test_verify_holds_a_sound_run_to_be_sound(tmp_path: Path) -> None:
    """A run that is as its receipt says is intact, and verifying changes no file."""
    shelf = Shelf(tmp_path)
    run("run", shelf.target, "--quiet")
    before = files_of(shelf.store)
    done = run("verify", "--dir", shelf.store, "--json")
    assert [(one["phase"], one["findings"], one["notes"]) for one in done.json] == [("merge", [], []), ("read", [], [])]
    assert files_of(shelf.store) == before


FORGED = [
    ({"result": "0" * 32}, "the result is not the one"),
    ({"items": [["", "a", None, "0" * 32]]}, "the record of item 'a' is another one"),
    ({"items": [["", "zz", None, "0" * 32]]}, "item 'zz' has no record"),
    ({"completed": {"sequence": 999, "chain": ""}}, "is not in the journal"),
    ({"completed": {"sequence": 2, "chain": "0" * 32}}, "another history"),
]


@pytest.mark.parametrize(("changes", "expected"), FORGED)
def test_what_is_not_as_the_receipt_says_is_named(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    """A receipt that disagrees with the journal in result, item or history is named, with exit code 65."""
    shelf = Shelf(tmp_path)
    run("run", shelf.target, "--quiet")
    rewritten(shelf.store, "read", **changes)
    done = run("verify", "read", "--dir", shelf.store, code=65)
    assert expected in done.err
    assert "receipt.json" in done.err


def test_an_altered_receipt_is_damage(tmp_path: Path) -> None:
    """One changed byte of a receipt is found, and repairing has the next run write it anew."""
    shelf = Shelf(tmp_path)
    run("run", shelf.target, "--quiet")
    path = shelf.store / "read/receipt.json"
    path.write_bytes(path.read_bytes().replace(b'"attempts":1', b'"attempts":7'))
    assert "not what was written" in run("verify", "read", "--dir", shelf.store, code=65).err


def test_outputs_are_held_against_the_receipt(tmp_path: Path) -> None:
    """A file that a phase declared as written is missed when it is gone, and named when it was altered."""
    out = tmp_path / "out.txt"
    with milepost.Phase("p", store=tmp_path / "checkpoints") as phase:
        out.write_text("right")
        phase.output(out)
        phase.complete("done")
    root = tmp_path / "checkpoints"
    assert list(receipt_of(root, "p")["outputs"]) == [str(out)]
    run("verify", "--dir", root)
    out.write_text("wrong")
    assert "is not what the phase wrote" in run("verify", "--dir", root, code=65).err
    out.unlink()
    assert "is missing" in run("verify", "--dir", root, code=65).err
    run("verify", "--dir", root, "--no-outputs")


def test_a_result_without_its_receipt_is_no_damage_and_the_next_attempt_writes_it(tmp_path: Path) -> None:
    """A crash behind a result leaves no receipt: verify says so and leaves with 0, and the next attempt writes it."""
    with milepost.Phase("p", store=tmp_path) as phase:
        phase.complete("done")
    path = tmp_path / "p/receipt.json"
    whole = path.read_bytes()
    path.unlink()
    assert "no receipt yet" in run("verify", "--dir", tmp_path).err
    with milepost.Phase("p", store=tmp_path) as phase:
        phase.complete("done")
    assert json.loads(path.read_bytes())["completed"] == json.loads(whole)["completed"]
    assert "no receipt" not in run("verify", "--dir", tmp_path).err


def test_a_new_result_has_a_new_receipt(tmp_path: Path) -> None:
    """When items were added and the result computed anew, the receipt is of the new result."""
    for items in (["a"], ["a", "b"]):
        with milepost.Phase("p", store=tmp_path) as phase:
            for item in phase.each(items):
                phase.record(item)
            phase.complete(len(items))
    receipt = receipt_of(tmp_path, "p")
    assert (receipt["done"], receipt["result"]) == (2, digest(b"2"))
    run("verify", "--dir", tmp_path)


def test_a_workflow_writes_the_receipt_that_a_crash_took_without_entering_the_phase(tmp_path: Path) -> None:
    """A finished phase without its receipt gets one at the next run, which opens no attempt and enters no body."""
    shelf = Shelf(tmp_path)
    run("run", shelf.target, "--quiet")
    shelf.log()
    path = shelf.store / "read/receipt.json"
    whole = path.read_bytes()
    path.unlink()
    assert "no receipt yet" in run("verify", "--dir", shelf.store).err
    again = run("run", shelf.target, "--json")
    assert (again.json["reused"], shelf.log()) == (["read", "merge"], [])
    assert path.read_bytes() == whole
    assert "no receipt" not in run("verify", "--dir", shelf.store).err


def test_repair_sets_a_damaged_receipt_aside_and_the_next_run_writes_it(tmp_path: Path) -> None:
    """A receipt with an altered byte is damage; repaired, it is kept aside, and the next run writes a new one."""
    shelf = Shelf(tmp_path)
    run("run", shelf.target, "--quiet")
    path = shelf.store / "read/receipt.json"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"attempts":1', b'"attempts":7'))
    run("verify", "--dir", shelf.store, code=65)
    run("repair", "read", "--yes", "--dir", shelf.store)
    run("run", shelf.target, "--quiet")
    assert path.read_bytes() == whole
    run("verify", "--dir", shelf.store)
