"""What a workflow must do in its next run, from what it did before: the model of the workflow's state machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple
from unittest.mock import patch

from milepost.fs import use
from milepost.records import digest
from milepost.run.manifest import read_manifest
from milepost.run.place import FolderLocation, Place
from milepost.workflow.looking import Look
from tests.support.flows import PHASES, Job

ROOT = Path("/checkpoints")


def quick_parts(functions: list[Callable[..., Any]]) -> dict[str, str]:
    """Return a digest of each function's own code: what `code_parts` gives, in a thousandth of the time."""
    parts = {}
    for one in functions:
        code = one.__code__ if isinstance(one, FunctionType) else type(one).__call__.__code__
        parts[one.__qualname__] = digest(code.co_code, repr(code.co_names).encode())
    return parts


@contextmanager
def quick_fingerprints() -> Iterator[None]:
    """Take quick fingerprints while the block runs; that real ones tell changes is shown elsewhere."""
    with (
        patch("milepost.fingerprint.code_parts", quick_parts),
        patch("milepost.fingerprint.function_parts", lambda one: quick_parts([one])),
    ):
        yield


class Worked(NamedTuple):
    """What an item's record was made with: its content, and all that its whole phase depends on."""

    item: Any
    around: Any


class Model:
    """Which items are recorded, by phase and key, with what they were made of."""

    def __init__(self) -> None:
        self.done: dict[str, dict[str, Worked]] = {name: {} for name in PHASES}
        self.runs: dict[str, str | None] = dict.fromkeys(PHASES)
        self.newly: dict[str, set[str]] = {name: set() for name in PHASES}

    def begin(self, job: Job, files: Any) -> None:
        """Know the state before a run: what is recorded, and which runs there are."""
        self.check_kept(files)
        self.newly = {name: set() for name in PHASES}
        self.begun: set[tuple[str, str]] = set()
        self.twice: list[str] = []
        outputs = job.expected()
        self.around = {
            "gather": None,
            "right": (job.scale, None if job.keeps_items else repr(outputs["gather"])),
        }
        self.contents = {"gather": dict(job.items), "right": outputs["gather"]}

    def work(self, phase: str, key: str) -> None:
        """Know that an item is worked on; it must not be what is recorded already."""
        told = Worked(self.contents[phase].get(key), self.around[phase])
        self.begun.add((phase, key))
        if self.done[phase].get(key) == told:
            self.twice.append(f"{phase} {key}")

    def record(self, phase: str, key: str) -> None:
        """Know that an item's record is acknowledged."""
        self.newly[phase].add(key)
        self.begun.discard((phase, key))
        self.done[phase][key] = Worked(self.contents[phase].get(key), self.around[phase])

    def die(self) -> None:
        """Know that the process died: what it had begun may be recorded anew, with nobody to tell."""
        for phase, key in self.begun:
            self.done[phase].pop(key, None)

    def check_kept(self, files: Any) -> None:
        """Hold that all that was acknowledged is there, as long as its run was not set aside."""
        for name in PHASES:
            run, found = _held(files, name)
            if run != self.runs[name]:
                self.runs[name] = run
                self.done[name] = {key: one for key, one in self.done[name].items() if key in self.newly[name]}
            assert set(self.done[name]) <= found, f"{name}: acknowledged records are lost"


def _held(files: Any, phase: str) -> tuple[str | None, set[str]]:
    """Return which run a phase has, and the keys it holds; read beside the workflow."""
    with use(files):
        place = Place(FolderLocation(ROOT, files), phase)
        store = place.existing()
        if store is None:
            return None, set()
        with store:
            manifest = read_manifest(store)
        look = Look.at(place.location, phase)
        try:
            run = manifest.run if manifest is not None and not manifest.leaving else None
            return run, set(look.index.group(None).done_keys())
        finally:
            look.close()
