"""What a drill's runs left in shared stores: deleted at their end, as their folders are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from milepost.drill.observed import noted
from milepost.errors import MilepostError
from milepost.fs.drilled import STORES
from milepost.stores.head import parse_directory
from milepost.stores.opening import open_store
from milepost.stores.store import Store

_DIRECTORY = "/directory"


def wiped(controls: Iterable[Path]) -> list[str]:
    """Delete all that runs with these control folders wrote into shared stores; return what could not be, and why."""
    urls = {one["url"] for control in controls for one in noted(control / STORES)}
    problems = []
    for url in sorted(urls):
        try:
            _wipe(open_store(url))
        except MilepostError as error:
            problems.append(f"what a run left in a store could not be deleted: {error}")
    return problems


def _wipe(store: Store) -> None:
    keys = store.keys("")
    for key in keys:
        if key.endswith(_DIRECTORY):
            for number in range(1, parse_directory(key, store.read(key).data).begun + 1):
                journal = f"{key.removesuffix(_DIRECTORY)}/journal-{number:06d}"
                last = max((first + len(lines) - 1 for first, lines in store.lines(journal)), default=0)
                if last:
                    store.trim(journal, last)
    store.delete(keys)
