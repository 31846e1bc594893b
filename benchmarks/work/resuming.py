"""From opening a store with many finished items to the first item that is not, in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.subject import Facts, Subject, named
from benchmarks.work import stores
from benchmarks.work.items import key

PEAK = "peak MB"
PER_ITEM = "bytes of memory per finished item"
ON_DISK = "bytes on disk / payload"
_PENDING = 10


class Resuming(Subject):
    """Starts a process for each turn; what it measures begins after its imports."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Make the store, outside the time."""
        super().__init__(folder, settings)
        self.count: int = settings["done"]
        self.store = stores.filled(settings, self.count)
        self.on_disk = stores.disk_bytes(self.store) / stores.payload_bytes(self.count)
        self.answer: dict[str, Any] = {}

    def run(self) -> float:
        """Let a fresh process find the first pending item."""
        order = json.dumps([str(self.store), dict(self.settings), self.count])
        answer = subprocess.run([sys.executable, "-m", __name__, order], stdout=subprocess.PIPE, check=True)
        self.answer = json.loads(answer.stdout)
        if self.answer["found"] != key(self.count):
            raise AssertionError(f"{self.answer['found']} is not the first pending item")
        return float(self.answer["seconds"])

    def settle(self) -> Facts:
        """Tell the memory of the process, and the size of the store."""
        peak, before = self.answer["peak"], self.answer["before"]
        # What a server keeps is not in the folder.
        disk = {ON_DISK: self.on_disk} if self.on_disk else {}
        return {PEAK: peak / 1e6, PER_ITEM: (peak - before) / self.count, **disk}


def _resume(store: Path, settings: Mapping[str, Any], count: int) -> None:
    answers = os.dup(1)
    os.dup2(2, 1)
    keeper = named(settings["keeper"])(store, settings)
    keys = (key(number) for number in range(count + _PENDING))
    before = _memory("VmRSS")
    begun = time.perf_counter()
    found = keeper.first_pending(stores.RUN, keys)
    seconds = time.perf_counter() - begun
    answer = {"seconds": seconds, "found": found, "before": before, "peak": _memory("VmHWM")}
    os.write(answers, json.dumps(answer).encode())
    # Killed rather than closed: the next turn finds the store as a crash would leave it.
    os._exit(0)


def _memory(name: str) -> int:
    """Return what the system says of this process; `getrusage` would count the parent's peak as well."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    _store, _settings, _count = json.loads(sys.argv[1])
    _resume(Path(_store), _settings, _count)
