"""What a crash may leave of a phase, as one check that all crash tests share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import milepost
from milepost.fs import FileSystem, use
from milepost.testing import SimulatedDisk
from tests.support.manager_law import Clock, no_damage_told

ROOT = Path("/checkpoints")


def phase(**settings: Any) -> milepost.Phase:
    """Return a phase on the filesystem in use."""
    return milepost.Phase("phase_3", store=ROOT, clock=settings.pop("clock", None) or Clock(), **settings)


def value_of(item: str) -> Any:
    """Return what the work on an item gives: values over several sectors among them."""
    return {"item": item, "pages": [item] * (400 if item == "large" else 2), "pair": (1, 2)}


def looping(
    items: Sequence[str], *, batch: int | None = None, **settings: Any
) -> Callable[[FileSystem, list[Any]], None]:
    """Return the scenario of a job that records its items; each acknowledgement is the keys of one record call."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files), phase(**settings) as opened:
            for one in opened.each(items, batch=batch):
                opened.record(value_of(one) if batch is None else [value_of(item) for item in one])
                acknowledged.append((one,) if batch is None else tuple(one))

    return scenario


def keeps_items(
    items: Sequence[str], *, in_flight: int = 1, **settings: Any
) -> Callable[[SimulatedDisk, list[Any]], None]:
    """Return the check that every acknowledged item is there, at most *in_flight* more, and that the job ends well.

    Nothing acknowledged is handed out again, and the results in the end are those of an undisturbed run.
    """

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        promised = [item for keys in acknowledged for item in keys]
        with no_damage_told(), use(left):
            with phase(**settings) as opened:
                again = []
                for item in opened.each(items):
                    again.append(item)
                    opened.record(value_of(item))
                assert not set(again) & set(promised), f"handed out again: {set(again) & set(promised)}"
                assert len(items) - len(again) - len(promised) in range(in_flight + 1)
                assert list(opened.results().items()) == [(item, value_of(item)) for item in items]
            with milepost.open("phase_3", store=ROOT) as reader:
                assert dict(reader.results()) == {item: value_of(item) for item in items}

    return check
