"""Four processes at once, each with a run of its own in one store."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.subject import Facts, Subject
from benchmarks.work.items import Items


class Four(Subject):
    """Lets *processes* work at once; a turn ends with the last of them."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Start them one after another, so that the first makes what all share."""
        super().__init__(folder, settings)
        spawning = multiprocessing.get_context("spawn")
        self.ends: list[Connection] = []
        self.processes = []
        for number in range(settings["processes"]):
            ours, theirs = spawning.Pipe()
            own = {**settings, "name": f"process{number}"}
            process = spawning.Process(target=_serve, args=(theirs, folder, own), daemon=True)
            process.start()
            theirs.close()
            self.ends.append(ours)
            self.processes.append(process)
            assert ours.recv() == "ready"

    def prepare(self, number: int) -> None:
        """Let each open its run, one after another."""
        for end in self.ends:
            self._ask([end], ("prepare", number))

    def run(self) -> None:
        """Let all work."""
        self._ask(self.ends, ("run",))

    def settle(self) -> Facts:
        """Let each end its run."""
        for end in self.ends:
            self._ask([end], ("settle",))
        return {}

    def close(self) -> None:
        """Let them end."""
        for end in self.ends:
            end.close()
        for process in self.processes:
            process.join(10)

    @staticmethod
    def _ask(ends: list[Connection], words: tuple[object, ...]) -> None:
        for end in ends:
            end.send(words)
        for end in ends:
            end.recv()


def _serve(end: Connection, folder: Path, settings: Mapping[str, Any]) -> None:
    subject = Items(folder, settings)
    end.send("ready")
    while True:
        try:
            verb, *words = end.recv()
        except EOFError:
            return
        getattr(subject, verb)(*words)
        end.send("done")
