"""Commands, copies and drills on a bucket, as on every other store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from milepost import upkeep
from tests.support import drills
from tests.support.commands import ITEMS, job, managed
from tests.support.s3 import CREDENTIALS
from tests.unit.cli.test_copy import held_in
from tests.unit.stores import test_everywhere as everywhere

if TYPE_CHECKING:
    from tests.support.s3 import S3Server

LAWS: list[Callable[..., None]] = [
    everywhere.test_a_phase_keeps_all_it_can,
    everywhere.test_a_manager_does_what_it_does_in_a_folder,
    everywhere.test_every_command_looks_at_a_store,
]


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give what the server on loopback takes."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("law", LAWS)
def test_a_bucket_keeps_the_laws_of_every_store(moto: S3Server, law: Callable[..., None]) -> None:
    """Phases, managers and commands do in a bucket what they do elsewhere."""
    url = moto.fresh()
    law(url)
    assert moto.keys(url)


def test_commands_change_runs_in_a_bucket(moto: S3Server, tmp_path: Path) -> None:
    """Forking, exporting, importing, pruning, repairing and clearing work in a bucket."""
    url = moto.fresh()
    everywhere.test_every_command_works_on_a_store(url, tmp_path)
    assert moto.keys(url)


def test_runs_move_into_a_bucket_and_back(moto: S3Server, tmp_path: Path) -> None:
    """A copy into a bucket and back is the same run, and later brings only the rest."""
    here, there, back = tmp_path / "here", moto.fresh(), tmp_path / "back"
    job(here, items=ITEMS[:2], complete=False)
    managed(here)
    upkeep.copy_runs(here, there, ["items", "states"])
    job(here)
    assert [one.outcome for one in upkeep.copy_runs(here, there, ["items", "states"])] == ["continued", "was there"]
    upkeep.copy_runs(there, back, ["items", "states"])
    assert [held_in(one, "items") for one in (there, back)] == [held_in(here, "items")] * 2


def test_a_sound_job_on_a_bucket_is_identical(moto: S3Server, tmp_path: Path) -> None:
    """Killed before and after requests, a sound job gives its undisturbed output and leaves no object behind."""
    url = moto.fresh()
    found = drills.report_of(
        drills.prepared(tmp_path, "clean"), "--random", "3", "--seed", "1", MILEPOST_STORE=url, **CREDENTIALS
    )
    assert (found["verdict"], found["tried"], found["notes"]) == ("identical", 3, []), found
    assert moto.keys(url) == []
