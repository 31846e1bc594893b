"""Stores that hold many finished items: made once in a run of the benchmark, outside the time, used by several."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import states
from benchmarks.keepers.base import Pair
from benchmarks.subject import named
from benchmarks.work.items import key

RUN = "phase"
_DIFFERENT = 1000
_BLOCK_BYTES = 512


def filled(settings: Mapping[str, Any], count: int) -> Path:
    """Return the folder of the store with *count* items of 2 KB for the keeper; make it if it is not there yet.

    The setting *filled_by* names another keeper whose store it looks at.
    """
    settings = {**settings, "keeper": settings.get("filled_by", settings["keeper"])}
    name = settings["keeper"].replace(":", ".").rpartition("keepers.")[2]
    folder = Path(settings["shared"], f"{name}-{count}")
    if not folder.exists():
        making = folder.with_name(f"{folder.name}.making")
        making.mkdir(parents=True)
        order = json.dumps([str(making), dict(settings), count])
        subprocess.run([sys.executable, "-m", __name__, order], check=True, stdout=subprocess.DEVNULL)
        making.rename(folder)
    return folder


def _fill(folder: Path, settings: Mapping[str, Any], count: int) -> None:
    named(settings["keeper"])(folder, settings).fill(RUN, pairs(count), count)
    os.sync()
    # Killed rather than ended: what a keeper left running is to be found as a crash leaves it.
    os._exit(0)


def disk_bytes(folder: Path) -> int:
    """Return what *folder* takes on the disk."""
    return sum(path.stat().st_blocks * _BLOCK_BYTES for path in folder.rglob("*") if path.is_file())


def payload_bytes(count: int) -> int:
    """Return the length of all results as compact JSON."""
    sizes = [len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) for value in _values()]
    whole, rest = divmod(count, len(sizes))
    return whole * sum(sizes) + sum(sizes[:rest])


def _values() -> list[dict[str, str]]:
    return [states.recommendation(number, scale=2.15) for number in range(_DIFFERENT)]


def pairs(count: int) -> Iterator[Pair]:
    """Yield *count* items with results of about 2 KB, of which a thousand differ."""
    values = _values()
    return ((key(number), values[number % _DIFFERENT]) for number in range(count))


if __name__ == "__main__":
    _folder, _settings, _count = json.loads(sys.argv[1])
    _fill(Path(_folder), _settings, _count)
