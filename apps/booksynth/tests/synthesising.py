"""Phase 3 with a model and without the workflow around it: for tests that kill it many times.

Run as ``main`` in a process of its own, with the folder of the analyses and that of the output as arguments.
"""

from __future__ import annotations

import sys
from pathlib import Path

import milepost
from booksynth import results
from booksynth.consolidate import consolidate
from booksynth.phases import store
from booksynth.request import CONSOLIDATED
from booksynth.settings import load
from booksynth.synthesis import synthesise
from booksynth.trackers import parse


def main() -> int:
    """Write the consolidated document."""
    shelf, output = map(Path, sys.argv[1:])
    config = load({"paths.output_dir": str(output)})
    read = {path.name: parse(path.name, path.read_bytes())[0] for path in sorted(shelf.iterdir())}
    shards = {name: shard for name, shard in read.items() if shard is not None}
    with milepost.Phase("phase_3", store=store(config), on_change="keep") as phase:
        document = synthesise(phase, consolidate(shards, [], config.phases.phase_3).document, config)
    (output / CONSOLIDATED).write_text(results.render(document)[CONSOLIDATED])
    return 0
