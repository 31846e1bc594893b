"""``milepost drill`` on jobs that keep their progress in a shared store: each run in a part of its own, then gone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from milepost.stores.opening import close_stores, open_store
from tests.support import drills

if TYPE_CHECKING:
    from tests.support.postgres import Server


@pytest.mark.parametrize("job", ["clean", "managed"])
def test_a_sound_job_on_sqlite_is_identical(tmp_path: Path, job: str) -> None:
    """Killed before and after commits of a database in its working folder, a sound job gives its undisturbed output."""
    folder = drills.prepared(tmp_path, job)
    found = drills.report_of(folder, "--random", "4", "--seed", "1", MILEPOST_STORE="sqlite:///kept.db")
    assert (found["verdict"], found["tried"]) == ("identical", 4), found
    assert found["commits"] > 5
    assert len(found["compared"]) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["job.py"]


def test_a_defect_on_sqlite_is_caught(tmp_path: Path) -> None:
    """A job that writes outside of Milepost is caught on a database, too, and the commit is named by its verb."""
    folder = drills.prepared(tmp_path, "appends")
    found = drills.report_of(folder, "--at", "8", MILEPOST_STORE="sqlite:///kept.db")
    assert found["verdict"] == "different", found
    assert "append of" in str(found["differences"][0]), found


def test_what_runs_leave_in_a_database_outside_is_deleted(tmp_path: Path) -> None:
    """Runs that share a database do not see each other, nor what was there before, and leave nothing in it."""
    url = f"sqlite:///{tmp_path}/outside.db"
    open_store(url).create("mine/head", b"kept")
    close_stores()
    folder = drills.prepared(tmp_path / "work", "clean")
    found = drills.report_of(folder, "--random", "2", "--seed", "3", MILEPOST_STORE=url)
    assert (found["verdict"], found["tried"]) == ("identical", 2), found
    assert found["notes"] == []
    assert rows_in(tmp_path / "outside.db") == [("milepost_documents", 1), ("milepost_records", 0)]


def rows_in(path: Path) -> list[tuple[str, int]]:
    """Return how many rows the tables of a database have."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path)) as database:
        tables = ["milepost_documents", "milepost_records"]
        return [(name, database.execute(f"SELECT count(*) FROM {name}").fetchone()[0]) for name in tables]


def test_a_sound_job_on_postgresql_is_identical(tmp_path: Path, postgres: Server) -> None:
    """Killed before and after commits to a server, a sound job gives its undisturbed output and leaves nothing there."""
    url = postgres.fresh()
    folder = drills.prepared(tmp_path, "clean")
    found = drills.report_of(folder, "--random", "4", "--seed", "1", MILEPOST_STORE=url)
    assert (found["verdict"], found["tried"], found["notes"]) == ("identical", 4, []), found
    assert open_store(postgres.url()).keys("") == open_store(url).keys("") == []


def test_a_second_writer_and_a_full_store_are_told_apart(tmp_path: Path) -> None:
    """The other faults work on a store: a second process is refused by the lease, and a full store is no loss."""
    folder = drills.prepared(tmp_path, "clean")
    words = ("--faults", "second-writer,enospc,clock,torn", "--random", "5", "--seed", "4")
    found = drills.report_of(folder, *words, MILEPOST_STORE="sqlite:///kept.db")
    assert (found["verdict"], found["tried"]) == ("identical", 5), found


def test_a_store_in_memory_is_refused(tmp_path: Path) -> None:
    """What is in memory dies with the killed job, so there is nothing to drill: the job says so."""
    done = drills.drill(drills.prepared(tmp_path, "clean"), MILEPOST_STORE="memory:")
    assert done.returncode == 2
    assert "what is in memory dies with it" in done.stdout + done.stderr
