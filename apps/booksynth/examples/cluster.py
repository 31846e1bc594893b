"""Phase 2 on a Dask cluster: workers read the books, this process records what they find in a store that many share.

    python cluster.py SHELF OUTPUT SCHEDULER STORE [SECONDS]

Kill a worker, or this process, whenever you like, and run the same command again, here or on another machine: each book
that was recorded is not read again, and the files come out the same. SECONDS is how long each book takes beside its
reading, to have the time for a kill.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

from distributed import Client

import milepost
from booksynth import analysing, books
from booksynth.inputs import Found
from booksynth.settings import Phase2Settings, load


def read(found: Found, settings: Phase2Settings, seconds: float) -> object:
    """Return the analysis of a book; this runs in a worker."""
    time.sleep(seconds)
    return analysing.at_once(found, analysing.quoting(settings), settings).dump()


def main(shelf: Path, output: Path, scheduler: str, store: str, seconds: float = 0.0) -> None:
    """Read every book of *shelf* and write an analysis for each into *output*."""
    settings = load().phases.phase_2

    def executor() -> Executor:
        made: Executor = Client(scheduler, timeout=30).get_executor()  # type: ignore[no-untyped-call]
        return made

    with milepost.Phase("phase_2", store=store, params=settings, lease_seconds=3) as phase:
        found = books.find(shelf, settings.max_file_mb)
        work = partial(read, settings=settings, seconds=seconds)
        phase.map(work, found, key=lambda one: one.name, version=books.version, executor=executor)
        phase.complete(lambda results: len(results), phase.results())
        analyses = {name: books.Analysis.load(record).data for name, record in phase.results().items()}
    output.mkdir(parents=True, exist_ok=True)
    for name, data in analyses.items():
        if data is not None:
            milepost.write_durably(output / f"{name}.json", data)
    print(f"{len(analyses)} books read.")


if __name__ == "__main__":
    shelf, output, scheduler, store, *rest = sys.argv[1:]
    main(Path(shelf), Path(output), scheduler, store, *map(float, rest))
