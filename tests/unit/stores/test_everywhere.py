"""Whatever works in a folder works in a shared store: phases, managers, workflows and every command."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost.phase.command import again
from milepost.run.place import VARIABLE
from milepost.stores.opening import open_store, without_secrets
from tests.support.commands import ITEMS, job, managed, run
from tests.support.workflows import Shelf


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty store."""
    return f"sqlite:///{tmp_path}/store.db" if request.param == "sqlite" else "memory:everywhere"


def double(number: int) -> int:
    """Return twice *number*."""
    return 2 * number


def test_a_phase_keeps_all_it_can(url: str) -> None:
    """Items, steps, calls, state, maps and the result are there for the next attempt, and nothing runs twice."""
    ran: list[str] = []

    def noted(name: str) -> str:
        ran.append(name)
        return name.upper()

    def attempt() -> Any:
        with milepost.Phase("all", store=url) as phase:
            for item in phase.each(ITEMS, name="items"):
                phase.record(noted(item))
            phase.step("step", noted, "step")
            phase.call("call", lambda call_id: noted("call"))
            mapped = dict(phase.map(double, [1, 2, 3], key=str, name="map", workers=1))
            before = phase.state.get("count", 0)
            phase.state["count"] = before + 1
            phase.save()
            phase.complete(mapped)
        with milepost.open("all", store=url) as reader:
            assert dict(reader.results("items")) == {item: item.upper() for item in ITEMS}
            return reader.result, reader.state["count"]

    assert attempt() == ({"1": 2, "2": 4, "3": 6}, 1)
    assert ran == [*ITEMS, "step", "call"]
    assert attempt() == ({"1": 2, "2": 4, "3": 6}, 2)
    assert ran == [*ITEMS, "step", "call"]


def test_results_of_coroutines_are_kept(url: str) -> None:
    """What coroutines return is recorded in a shared store and not asked for again."""
    asked = []

    async def ask(item: str) -> str:
        asked.append(item)
        return item.upper()

    async def attempt() -> list[str]:
        with milepost.Phase("async", store=url) as phase:
            return [value async for _, value in phase.amap(ask, ITEMS)]

    assert asyncio.run(attempt()) == asyncio.run(attempt()) == ["A", "B", "C", "D"]
    assert sorted(asked) == ITEMS


def test_a_manager_does_what_it_does_in_a_folder(url: str) -> None:
    """Saving, listing, restoring, rolling back, retention and clearing work by names that are keys."""
    managed(url)
    with milepost.CheckpointManager("states", url, max_checkpoints=2) as manager:
        latest = manager.get_latest_checkpoint()
        assert latest is not None
        assert (latest["iteration"], latest["metadata"]) == (4, {"note": "later"})
        path = manager.save_checkpoint(5, {"books": [5]}, force=True)
        assert path is not None
        listed = manager.list_checkpoints()
        assert [one["iteration"] for one in listed] == [5, 3]
        manager.delete_checkpoint(path)
        assert [one["iteration"] for one in manager.list_checkpoints()] == [3]
        manager.clear_all_checkpoints()
    assert milepost.CheckpointManager("states", url).get_latest_checkpoint() is None


def test_every_command_looks_at_a_store(url: str) -> None:
    """Looking commands tell of a store what they tell of a folder."""
    job(url)
    managed(url)
    job(url, "other", items=["a", "x"])
    where = ("--store", url)
    assert [one["phase"] for one in run("list", *where, "--json").json] == ["items", "other", "states"]
    assert run("show", "items", "--item", "a", *where, "--json").json["value"]["title"] == "A"
    assert run("show", "states", *where, "--json").json
    assert run("diff", "items", "--with", "other", *where, code=1).out
    assert run("diff", "states", "1", "newest", *where, code=1).out
    assert run("verify", *where, "--with-runs").err.count("intact") == 1
    assert [one["state"] for one in run("status", *where, "--json").json]
    assert run("status", "items", *where, "--watch").out


def test_every_command_works_on_a_store(url: str, tmp_path: Path) -> None:
    """Changing commands do in a store what they do in a folder, and what they made can be gone on with."""
    job(url)
    managed(url)
    where = ("--store", url)
    run("fork", "items", "--from-item", "c", *where)
    assert job(url) == ["c", "d"]
    run("fork", "states", "--checkpoint", "2", *where)
    latest = milepost.CheckpointManager("states", url).get_latest_checkpoint()
    assert latest is not None
    assert latest["iteration"] == 2
    run("export", "--all", "-o", tmp_path / "a.tar", "--with-runs", *where)
    run("import", tmp_path / "a.tar", "--dir", tmp_path / "folder")
    run("import", tmp_path / "a.tar", "--store", f"sqlite:///{tmp_path}/imported.db")
    assert job(tmp_path / "folder") == job(f"sqlite:///{tmp_path}/imported.db") == []
    assert run("prune", "--yes", "--keep", "0", *where).out.count("to remove") == 1
    assert run("list", *where, "--json").json[0]["runs"] == []
    assert "nothing is damaged" in run("repair", "items", *where).out
    run("clear", "items", "--yes", *where)
    assert job(url) == ITEMS
    assert run("verify", *where).code == 0


def test_a_damaged_run_in_a_store_is_repaired(url: str) -> None:
    """A record and a checkpoint that something altered behind our back are told, and repair goes on from what is proven."""
    job(url, complete=False)
    managed(url)
    _alter(url, "items", b'"key":"c"')
    _alter(url, "states", b'"books":[0,1,2]')
    where = ("--store", url)
    assert run("verify", *where, code=65).err
    with pytest.raises(milepost.errors.DamageError):
        job(url)
    for phase in ("items", "states"):
        assert run("repair", phase, *where, code=1).out
        run("repair", phase, "--yes", *where)
    assert job(url) == ["c", "d"]
    assert milepost.CheckpointManager("states", url).get_latest_checkpoint() is not None
    assert run("verify", *where).code == 0


def _alter(url: str, phase: str, word: bytes) -> None:
    """Change a byte of every record and document of a phase in which *word* stands, past everything that guards them."""
    store: Any = open_store(url)
    changed = word[:-2] + b"?" + word[-1:]
    if url.startswith("memory:"):
        for held in store._journals.values():
            held.update({number: line.replace(word, changed) for number, line in held.items()})
        for key, found in list(store._documents.items()):
            if key.startswith(f"{phase}/"):
                store._documents[key] = found._replace(data=found.data.replace(word, changed))
        return
    import sqlite3

    path = url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as database:
        for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
            for column in [row[1] for row in database.execute(f"pragma table_info({table})")]:
                rows = database.execute(
                    f"select rowid, {column} from {table} where typeof({column}) = 'blob'"
                ).fetchall()
                for row, data in rows:
                    if word in data:
                        new = data.replace(word, changed)
                        database.execute(f"update {table} set {column} = ? where rowid = ?", (new, row))
    database.close()


def test_a_workflow_runs_plans_and_sees_changes(url: str, tmp_path: Path) -> None:
    """A workflow in a store runs, runs nothing again, plans what changed, and does that only."""
    shelf = Shelf(tmp_path)
    where = ("--store", url)
    run("run", shelf.target, *where)
    assert shelf.log() == ["read a", "read b", "merge"]
    run("run", shelf.target, *where)
    assert shelf.log() == []
    shelf.write("b", "gamma")
    assert "read" in run("plan", shelf.target, *where).out
    run("run", shelf.target, *where, "--param", "price=0.25")
    assert shelf.log() == ["read b", "merge"]
    assert not shelf.store.exists()


def test_a_job_is_moved_by_the_environment(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MILEPOST_STORE moves phases, managers, workflows and commands without an edit."""
    monkeypatch.setenv(VARIABLE, url)
    shelf = Shelf(tmp_path)
    job(tmp_path / "folder")
    managed(tmp_path / "folder")
    run("run", shelf.target)
    assert not (tmp_path / "folder").exists()
    assert not shelf.store.exists()
    assert [one["phase"] for one in run("list", "--json").json] == ["items", "merge", "read", "states"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("postgresql://me:pw@db/x?namespace=a&password=pw", "postgresql://me@db/x?namespace=a"),
        ("--store=postgresql+psycopg://me:pw@[::1]:5/x", "--store=postgresql+psycopg://me@[::1]:5/x"),
        ("s3://b/p?endpoint=http://h:1&secret_access_key=pw", "s3://b/p?endpoint=http://h:1"),
        ("run https://me:pw@host/a?b=c#d and s3://b", "run https://me@host/a?b=c#d and s3://b"),
        ("sqlite:///x.db?namespace=n", "sqlite:///x.db?namespace=n"),
        ("x://[pw", "x://…"),
        ("no url: at all", "no url: at all"),
    ],
)
def test_what_is_printed_holds_no_password(given: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that is printed to be typed again has its URLs without passwords, and everything else."""
    assert without_secrets(given) == told
    monkeypatch.setattr("sys.orig_argv", ["python", "job.py", given])
    assert "pw" not in again(MILEPOST_X="1")


def test_a_sealed_document_that_is_damaged_or_gone_is_told(url: str) -> None:
    """A job goes on without a sealed document that its store knows to be damaged or gone; verify tells, repair mends."""
    for word in (b'"kind":"receipt"', None):
        job(url)
        store: Any = open_store(url)
        if word is not None:
            _alter(url, "items", word)
        else:
            store.delete([key for key in store.keys("items/") if "/documents/receipt" in key])
        assert "receipt" in run("verify", "items", "--store", url, code=65).err
        job(url)
        run("repair", "items", "--yes", "--store", url)
        run("verify", "items", "--store", url)
