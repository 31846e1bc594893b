"""A look at real work, tiny: the floors and Milepost, no peer, no figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks import environments
from benchmarks.harness import measure
from benchmarks.model import Contender, Workload
from benchmarks.results import result_of
from benchmarks.servers import ServerMissing, Servers, s3_settings
from benchmarks.work.coded import SIZE
from benchmarks.work.resuming import PEAK
from benchmarks.workloads import WORKLOADS
from benchmarks.workloads.phases import EXAMPLES

if TYPE_CHECKING:
    from tests.support.postgres import Server
    from tests.support.s3 import S3Server

SMALL = {"items": 16, "steps": 3, "bytes": 10_000, "done": 20, "processes": 2}
CHOSEN = (
    "items",
    "items-batch16",
    "items-strict",
    "growing",
    "save-10KB",
    "load-10KB",
    "resume-2000",
    "look-1000000",
    "four-processes",
    "store-sqlite",
)
IN_BUCKET = ("store-s3", "store-s3-batch16", "store-resume-s3-2000")
ON_SERVER = ("store-postgresql", "store-resume-postgresql-2000")


def tiny(name: str) -> Workload:
    """Return a workload cut down to the floors and Milepost, and to a few operations."""
    [workload] = [one for one in WORKLOADS if one.name == name]
    settings = {key: SMALL.get(key, value) for key, value in workload.settings.items()}
    contenders = tuple(
        one
        for one in workload.contenders
        if one.environment is None and one.name.startswith(("floor", "Milepost", "milepost"))
    )
    return replace(workload, settings=settings, contenders=contenders)


@pytest.mark.parametrize("name", CHOSEN)
def test_the_work_is_done(name: str, tmp_path: Path) -> None:
    """The floors and Milepost do the work of each kind and come out with a ratio."""
    assert without_ratio(tiny(name), tmp_path) == []


def without_ratio(workload: Workload, folder: Path) -> list[str]:
    """Run a workload; return the contenders that were not measured, or have no ratio to the floor."""
    rows = result_of(workload, measure(workload, 1, 1, folder, None)).rows
    assert rows
    return [row.contender for row in rows if row.seconds is None or workload.floor not in row.ratios]


@pytest.mark.parametrize("name", ON_SERVER)
def test_the_work_is_done_on_a_server(name: str, postgres: Server, tmp_path: Path) -> None:
    """The floor and Milepost do their work on a PostgreSQL server."""
    workload = tiny(name)
    on_server = replace(workload, settings={**workload.settings, "server": postgres.url()})
    assert without_ratio(on_server, tmp_path) == []


@pytest.mark.parametrize("name", IN_BUCKET)
def test_the_work_is_done_in_a_bucket(name: str, moto: S3Server, tmp_path: Path) -> None:
    """The floor and Milepost do their work in a bucket."""
    workload = tiny(name)
    in_bucket = replace(workload, settings={**workload.settings, **s3_settings(moto.port)})
    assert without_ratio(in_bucket, tmp_path) == []


def test_what_codecs_save_is_told(tmp_path: Path) -> None:
    """Compressed items weigh less than plain ones, and compressed and encrypted ones less than encrypted ones."""
    workload = tiny("codec-items")
    rows = result_of(workload, measure(workload, 1, 1, tmp_path, None)).rows
    plain, compressed, encrypted, both = (float(row.facts[SIZE]) for row in rows)
    assert 1 < plain < encrypted
    assert compressed < plain
    assert both < encrypted


def test_a_server_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workload whose server is not installed is refused with the words that say what to do; others need none."""
    monkeypatch.setattr("tests.support.postgres.programs", lambda: None)
    with Servers() as servers:
        assert servers.ready(tiny("items")) == tiny("items")
        with pytest.raises(ServerMissing, match="scripts/services"):
            servers.ready(tiny("store-postgresql"))


def test_a_phase_of_booksynth_is_measured(tmp_path: Path) -> None:
    """A phase of booksynth runs by itself, the phases before it done, and comes out with its peak of memory."""
    [workload] = [one for one in WORKLOADS if one.name == "phases"]
    contenders = tuple(one for one in workload.contenders if one.name in {"phase 3", workload.floor})
    shelf = [str(EXAMPLES / "shelf")]
    series = measure(replace(workload, settings={"shelf": shelf}, contenders=contenders), 1, 1, tmp_path, None)
    rows = result_of(workload, series).rows
    assert [row.contender for row in rows if row.seconds is None] == []
    assert all(20 < float(row.measures[PEAK]) < 1_000 for row in rows)


def test_a_peer_without_an_environment_is_named(tmp_path: Path) -> None:
    """A peer whose environment cannot be made is told as not measured, and the others go on."""
    workload = tiny("items")
    absent = Contender("absent", workload.contenders[0].subject, environment="no-such-peer")
    series = measure(replace(workload, contenders=(workload.contenders[0], absent)), 1, 1, tmp_path, None)
    assert series[0].reason is None
    assert "no-such-peer" in str(series[1].reason)


def test_every_environment_has_a_lock() -> None:
    """Every environment that a peer lives in is pinned."""
    named = {one.environment for workload in WORKLOADS for one in workload.contenders if one.environment}
    assert named == {path.stem for path in environments.LOCKS.glob("*.lock")}
    assert named == {path.stem for path in environments.LOCKS.glob("*.in")}
