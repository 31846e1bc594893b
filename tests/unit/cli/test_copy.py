"""``milepost copy``: the same run in another store, byte for byte, and never over another one."""

from __future__ import annotations

from pathlib import Path

import pytest

import milepost
from milepost import keys, upkeep
from milepost.clock import SystemClock
from milepost.codec.coding import Codec
from milepost.errors import InvalidArgument
from milepost.records import Position, chain_of
from milepost.run.coded_place import bare_location
from milepost.run.place import location_of
from milepost.run.subject import held, looked_at, runs_aside
from milepost.stores.stored import StoredRun
from tests.support.commands import ITEMS, files_of, flipped, job, managed, run

BOTH = ("items", "states")


@pytest.fixture(params=["sqlite", "memory", "file"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return a store that is empty."""
    urls = {"sqlite": f"sqlite:///{tmp_path}/other.db", "memory": "memory:other", "file": f"file://{tmp_path}/other"}
    return urls[request.param]


def held_in(where: str | Path, phase: str, aside: str | None = None) -> tuple[str, list[bytes], dict[str, bytes]]:
    """Return a run's id, its records as they are stored, and its checkpoints."""
    lines: list[bytes] = []
    with looked_at(bare_location(location_of(where)), phase, aside) as subject:
        subject.store.read_journal(lambda _, some: lines.extend(some))
        files = {name: subject.store.read(name) for name in subject.store.names("c")}
        assert subject.manifest is not None
        return subject.manifest.run, lines, files


def outcomes(source: str | Path, target: str | Path) -> list[tuple[str, int]]:
    """Copy both phases; return what was done with each, and how many records were new."""
    return [(one.outcome, one.new) for one in upkeep.copy_runs(source, target, BOTH)]


def test_a_copy_is_the_same_run_and_its_jobs_go_on_there(tmp_path: Path, other: str) -> None:
    """Ids, records and checkpoints are equal byte for byte there and back again, and both jobs go on from them."""
    here, back = tmp_path / "here", tmp_path / "back"
    job(here, items=ITEMS[:2], complete=False)
    managed(here)
    before = files_of(here)
    upkeep.copy_runs(here, other, BOTH)
    upkeep.copy_runs(other, back, BOTH)
    assert files_of(here) == before
    for phase in BOTH:
        assert held_in(here, phase) == held_in(other, phase) == held_in(back, phase)
    for where in (other, back):
        assert job(where) == ITEMS[2:]
        with milepost.CheckpointManager("states", where) as manager:
            latest = manager.get_latest_checkpoint()
            assert latest is not None
            assert latest["state"] == {"books": [0, 1, 2, 3], "pair": (1, 2)}


def test_the_same_command_brings_only_what_is_new(tmp_path: Path, other: str) -> None:
    """A second copy finds all there; after the job went on, only its new records are written; an older copy is left."""
    job(tmp_path, items=ITEMS[:2], complete=False)
    managed(tmp_path)
    assert [outcome for outcome, _ in outcomes(tmp_path, other)] == ["copied", "copied"]
    assert outcomes(tmp_path, other) == [("was there", 0)] * 2
    old = len(held_in(tmp_path, "items")[1])
    job(tmp_path)
    new = len(held_in(tmp_path, "items")[1]) - old
    assert outcomes(tmp_path, other) == [("continued", new), ("was there", 0)]
    assert held_in(other, "items") == held_in(tmp_path, "items")
    with milepost.Phase("items", store=other) as phase:
        phase.state["more"] = 1
        phase.save()
    assert outcomes(tmp_path, other) == [("is further on there", 0), ("was there", 0)]


def test_another_run_is_refused_or_set_aside(tmp_path: Path, other: str) -> None:
    """A phase that has another run there stays as it is unless told otherwise; then that run is set aside whole."""
    job(tmp_path)
    job(other, items=["x"])
    theirs = held_in(other, "items")
    with pytest.raises(InvalidArgument, match="--replace"):
        upkeep.copy_runs(tmp_path, other, ["items"])
    assert held_in(other, "items") == theirs
    (done,) = upkeep.copy_runs(tmp_path, other, ["items"], replace=True)
    assert done.outcome == "copied"
    assert held_in(other, "items") == held_in(tmp_path, "items")
    with looked_at(other, "items") as subject:
        (aside,) = runs_aside(subject.store)
    assert held_in(other, "items", aside) == theirs


def test_one_run_that_went_on_in_two_places_is_refused(tmp_path: Path, other: str) -> None:
    """A run that was carried on in both stores is not one history: it is refused, and --replace keeps both."""
    job(tmp_path, items=ITEMS[:1], complete=False)
    upkeep.copy_runs(tmp_path, other, ["items"])
    job(tmp_path, items=ITEMS[:2], complete=False)
    job(other, items=ITEMS[:3], complete=False)
    with pytest.raises(InvalidArgument, match="went on in both"):
        upkeep.copy_runs(tmp_path, other, ["items"])
    upkeep.copy_runs(tmp_path, other, ["items"], replace=True)
    assert held_in(other, "items") == held_in(tmp_path, "items")


def test_runs_that_were_set_aside_travel_on_request(tmp_path: Path, other: str) -> None:
    """With runs what was set aside comes along once, however often it is asked for."""
    job(tmp_path)
    run("fork", "items", "--dir", tmp_path, "--from-item", "c")
    upkeep.copy_runs(tmp_path, other, ["items"])
    with looked_at(other, "items") as subject:
        assert runs_aside(subject.store) == []
    for outcome in ("copied", "was there"):
        own, aside = upkeep.copy_runs(tmp_path, other, ["items"], with_runs=True)
        assert (own.outcome, aside.outcome) == ("was there", outcome)
    assert aside.aside is not None
    assert held_in(other, "items", aside.aside) == held_in(tmp_path, "items", aside.aside)


def test_a_job_may_go_on_while_its_run_is_copied(tmp_path: Path, other: str) -> None:
    """What was recorded when the run was looked at is copied; the writer is not hindered."""
    with milepost.Phase("items", store=tmp_path) as phase:
        for item in phase.each(ITEMS):
            phase.record(item.upper())
            (done,) = upkeep.copy_runs(tmp_path, other, ["items"])
            assert done.outcome == ("copied" if item == ITEMS[0] else "continued")
    with milepost.open("items", store=other) as copied:
        assert list(copied.results()) == ITEMS


def test_a_run_whose_job_is_at_work_in_the_target_is_not_touched(tmp_path: Path, other: str) -> None:
    """A phase that is written in the target is refused as busy."""
    job(tmp_path, items=ITEMS[:1], complete=False)
    upkeep.copy_runs(tmp_path, other, ["items"])
    with milepost.Phase("items", store=other) as phase:
        next(iter(phase.each(ITEMS[:2])))
        with pytest.raises(milepost.errors.RunLocked):
            upkeep.copy_runs(tmp_path, other, ["items"])


def test_a_damaged_run_is_not_copied(tmp_path: Path, other: str) -> None:
    """A record or checkpoint that is not what was written stops a copy, and nothing of that run appears."""
    job(tmp_path)
    folder = managed(tmp_path)
    flipped(min(folder.glob("checkpoint_*")), 300)
    (journal,) = (tmp_path / "items").glob("journal_*")
    flipped(journal, 4096 + 300)
    for phase in BOTH:
        with pytest.raises(milepost.errors.DamageError, match="milepost repair"):
            upkeep.copy_runs(tmp_path, other, [phase])
    assert [one for one in location_of(other).names() if _has_run(other, one)] == []


def _has_run(where: str, phase: str) -> bool:
    with looked_at(where, phase) as subject:
        return subject.keeper is not None


def test_a_journal_that_was_trimmed_travels(tmp_path: Path, other: str) -> None:
    """A manager's run whose oldest records were forgotten is copied from where it begins, goes on, and gets the rest."""
    source = f"sqlite:///{tmp_path}/source.db"
    managed(source)
    with held(bare_location(location_of(source)), "states", SystemClock()) as subject:
        assert isinstance(subject.store, StoredRun)
        reading = subject.store.recover(subject.manifest.run if subject.manifest else "")
        subject.store.trim(Position(1, chain_of(subject.store.read_line(1))))
        assert reading.end.sequence > 1
    for outcome in ("copied", "was there", "continued"):
        if outcome == "continued":
            with milepost.CheckpointManager("states", source) as manager:
                manager.get_latest_checkpoint()
                manager.save_checkpoint(5, {"books": [5]})
        (done,) = upkeep.copy_runs(source, other, ["states"])
        assert done.outcome == outcome
        assert held_in(other, "states") == held_in(source, "states")
    latest = milepost.CheckpointManager("states", other).get_latest_checkpoint()
    assert latest is not None
    assert latest["state"] == {"books": [5]}
    run("verify", "--store", other)


def test_a_packed_run_travels_as_it_is(tmp_path: Path, other: str) -> None:
    """Compressed records and checkpoints are the same bytes there."""
    with milepost.Phase("items", store=tmp_path, codec=Codec("zstd")) as phase:
        for item in phase.each(ITEMS):
            phase.record(item * 2000)
    upkeep.copy_runs(tmp_path, other, ["items"])
    assert held_in(other, "items") == held_in(tmp_path, "items")
    with milepost.open("items", store=other) as copied:
        assert copied.results()["a"] == "a" * 2000


def test_an_encrypted_run_travels_without_a_key(tmp_path: Path, other: str) -> None:
    """Nothing is opened: sealed records and documents are the same bytes there, and their key opens them there."""
    codec = Codec(encrypt=keys.from_callable(lambda _: b"k" * 32, ["one"]))
    with milepost.Phase("items", store=tmp_path, codec=codec) as phase:
        for item in phase.each(ITEMS):
            phase.record(item.upper())
    with milepost.CheckpointManager("states", tmp_path, codec=codec) as manager:
        for iteration in (1, 2, 3):
            manager.save_checkpoint(iteration, {"books": list(range(iteration))}, force=iteration < 3)
    upkeep.copy_runs(tmp_path, other, BOTH)
    for name in BOTH:
        assert held_in(other, name) == held_in(tmp_path, name)
    assert milepost.open("items", store=other, codec=codec).results()["a"] == "A"
    latest = milepost.CheckpointManager("states", other, codec=codec).get_latest_checkpoint()
    assert latest is not None
    assert latest["state"] == {"books": [0, 1, 2]}


def test_the_command_tells_what_it_did(tmp_path: Path) -> None:
    """People read a line for each run, machines JSON; all phases are copied where none is named."""
    here, there = tmp_path / "here", f"sqlite:///{tmp_path}/there.db"
    job(here)
    managed(here)
    told = run("copy", here, there).out
    assert told.count("copied and verified") == 2
    assert "0 checkpoints" in told
    assert "3 checkpoints" in told
    found = run("copy", here, there, "items", "--json").json
    assert [(one["phase"], one["outcome"], one["new"]) for one in found] == [("items", "was there", 0)]
    listed = [run("list", "--store", one, "--json").json for one in (str(here), there)]
    assert [one["phase"] for one in listed[0]] == [one["phase"] for one in listed[1]] == list(BOTH)


@pytest.mark.parametrize(
    ("source", "target", "word"),
    [
        ("HERE", "memory:", "memory"),
        ("HERE", "HERE", "copy from"),
        ("NONE", "sqlite:///x.db", "no such folder"),
        ("HERE", "gopher://x/y", "no store of this kind"),
    ],
)
def test_what_cannot_be_a_copy_is_refused(tmp_path: Path, source: str, target: str, word: str) -> None:
    """A store that dies with the command, one and the same store, or none at all: told in a line."""
    job(tmp_path / "here")
    places = {"HERE": str(tmp_path / "here"), "NONE": str(tmp_path / "none")}
    assert word in run("copy", places.get(source, source), places.get(target, target), code=2).err
