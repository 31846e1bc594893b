"""Compressed and encrypted runs survive what plain ones survive."""

from __future__ import annotations

from typing import Any

import pytest

import milepost
from milepost import Codec
from milepost.fs import FileSystem, use
from milepost.testing import SimulatedDisk, for_each_crash
from tests.support.coded import BOTH, PACKED, SEALED, SECRET_VALUE
from tests.support.manager_law import PHASE, ROOT, Clock, disk

ITEMS = ["a", "b", "c"]


def job(codec: Codec, acknowledged: list[Any]) -> dict[str, Any]:
    """Run the whole job once, or what is left of it; note what was acknowledged."""
    with milepost.Phase(PHASE, store=ROOT, clock=Clock(), codec=codec) as phase:
        for item in phase.each(ITEMS):
            phase.record({"item": item, "text": SECRET_VALUE * 20})
            acknowledged.append(item)
        return dict(phase.results())


def states(codec: Codec, acknowledged: list[Any]) -> None:
    """Save states, in files and in the journal; note what was acknowledged."""
    with milepost.CheckpointManager(PHASE, ROOT, codec=codec, clock=Clock(), ttl_hours=None) as manager:
        manager.get_latest_checkpoint()
        for iteration in (1, 2, 3, 4):
            manager.save_checkpoint(iteration, {"texts": [SECRET_VALUE] * iteration}, force=iteration % 2 == 1)
            acknowledged.append(iteration)


@pytest.mark.parametrize("codec", [PACKED, SEALED, BOTH], ids=repr)
def test_a_phase_resumes_after_every_crash(codec: Codec) -> None:
    """After a crash at any operation every acknowledged item is there, authentic, and the job finishes."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files):
            job(codec, acknowledged)

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with use(left):
            again: list[Any] = []
            assert job(codec, again) == {item: {"item": item, "text": SECRET_VALUE * 20} for item in ITEMS}
            assert not set(again) & set(acknowledged)

    assert for_each_crash(scenario, check, disk, limit=5).points > 20


@pytest.mark.parametrize("codec", [PACKED, SEALED, BOTH], ids=repr)
def test_a_manager_loads_after_every_crash(codec: Codec) -> None:
    """After a crash at any operation the newest acknowledged state is loaded, or one that was being saved, authentic."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files):
            states(codec, acknowledged)

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with use(left):
            manager = milepost.CheckpointManager(PHASE, ROOT, codec=codec, clock=Clock(), ttl_hours=None)
            latest = manager.get_latest_checkpoint()
            newest = acknowledged[-1] if acknowledged else 0
            iteration = latest["iteration"] if latest else 0
            assert iteration in {newest, newest + 1}
            assert latest is None or latest["state"] == {"texts": [SECRET_VALUE] * iteration}
            states(codec, [])

    assert for_each_crash(scenario, check, disk, limit=5).points > 20
