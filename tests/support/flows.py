"""A small workflow in the form of a diamond whose parts tests change between runs, and a diary of what ran."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import milepost
from milepost.events import Event
from tests.support.manager_law import Clock

Item = tuple[str, int]
"""A key and the version of the item's content."""

PHASES = ["gather", "left", "right", "join"]


def key_of(item: Item) -> str:
    """Return the key of an item."""
    return item[0]


class Diary:
    """What ran: the names of entered phases, and the items that were worked on."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.items: list[tuple[str, str]] = []
        self.events: list[Event] = []

    def keys(self, phase: str) -> list[str]:
        """Return the keys of the items of *phase* that ran, in order."""
        return [key for name, key in self.items if name == phase]

    def clear(self) -> None:
        """Begin a new page."""
        self.entered, self.items, self.events = [], [], []


def plus(value: int) -> int:
    """Work in the first way."""
    return value + 1


def minus(value: int) -> int:
    """Work in the second way."""
    return value - 1


class Job:
    """What the diamond is made of now. Change a field, then build the workflow anew, as another process would.

    ``gather`` loops over declared items, ``left`` makes one value of its output, ``right`` loops over items that are
    declared from its output, and ``join`` puts both together. *work* is called for each item before it is recorded.
    """

    def __init__(self, store: str | os.PathLike[str], **settings: Any) -> None:
        self.store = store
        self.settings = {"clock": Clock()} | settings
        self.diary = Diary()
        self.items: list[Item] = [("a", 1), ("b", 2), ("c", 3)]
        self.way: Callable[[int], int] = plus
        self.scale = 1
        self.fails: set[tuple[str, str]] = set()
        self.keeps_items = False
        self.options: dict[str, dict[str, Any]] = {}
        self.work: Callable[[str, str], None] = lambda _phase, _key: None

    def loop(self, phase: milepost.Phase, items: Sequence[Any], value_of: Callable[[Any], Any]) -> dict[str, Any]:
        """Work on all items, and return the results by key."""
        for item in phase.each(items):
            self.diary.items.append((phase.name, item[0]))
            self.work(phase.name, item[0])
            if (phase.name, item[0]) in self.fails:
                phase.fail("as it was told to")
            else:
                phase.record(value_of(item))
        return dict(phase.results())

    def enter(self, phase: milepost.Phase) -> None:
        """Write down that a body was entered."""
        self.diary.entered.append(phase.name)
        self.work(phase.name, "")

    def built(self) -> milepost.Workflow:
        """Return the workflow as it is declared now."""
        flow = milepost.Workflow(
            "diamond", store=self.store, on_event=self.diary.events.append, **self.settings
        )  # fmt: skip

        @flow.phase(items=list(self.items), key=key_of, **self.options.get("gather", {}))
        def gather(phase: milepost.Phase, items: Sequence[Item]) -> Any:
            self.enter(phase)
            return {key: value % 4 for key, value in self.loop(phase, items, lambda item: item[1]).items()}

        @flow.phase(after=gather, code=[self.way], **{"on_change": "restart"} | self.options.get("left", {}))
        def left(phase: milepost.Phase, values: Mapping[str, int]) -> Any:
            self.enter(phase)
            return phase.step("sum", lambda numbers: sum(map(self.way, numbers)), list(values.values()))

        @flow.phase(
            after=["gather"], items=lambda values: sorted(values.items()), key=key_of, params={"scale": self.scale},
            **{"on_change": "restart", "upstream": "keep_items" if self.keeps_items else "restart"}
            | self.options.get("right", {}),
        )  # fmt: skip
        def right(phase: milepost.Phase, items: Sequence[Item], values: Mapping[str, int]) -> Any:
            self.enter(phase)
            return [len(values), self.loop(phase, items, lambda item: item[1] * self.scale)]

        @flow.phase(after=[left, right], **self.options.get("join", {}))
        def join(phase: milepost.Phase, one: int, other: list[Any]) -> Any:
            self.enter(phase)
            return {"left": one, "right": other}

        return flow

    def run(self, **wishes: Any) -> Any:
        """Run the workflow on a new page of the diary."""
        self.diary.clear()
        return self.built().run(**wishes)

    def plan(self, **wishes: Any) -> Any:
        """Return the plan of the workflow."""
        return self.built().plan(**wishes)

    def expected(self) -> dict[str, Any]:
        """Return the outputs of an undisturbed run from nothing, computed without Milepost."""
        gathered = {key: version % 4 for key, version in self.items if ("gather", key) not in self.fails}
        left = sum(self.way(value) for value in gathered.values())
        scaled = {
            key: value * self.scale for key, value in sorted(gathered.items()) if ("right", key) not in self.fails
        }
        right = [len(gathered), scaled]
        return {"gather": gathered, "left": left, "right": right, "join": {"left": left, "right": right}}


def snapshot(root: Path) -> dict[str, tuple[bytes, int]]:
    """Return the content and the time of change of every file and folder below *root*."""
    return {
        str(path.relative_to(root)): (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
        for path in [root, *sorted(root.rglob("*"))]
        if root.exists()
    }


@contextmanager
def untouched(root: Path) -> Iterator[None]:
    """Fail if anything below *root* differs behind the block."""
    before = snapshot(root)
    yield
    assert snapshot(root) == before, "something was written"
