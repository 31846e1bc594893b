"""Runs ``booksynth`` and adds up the time spent inside the manager's methods."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from booksynth.cli import main
from milepost import CheckpointManager

_METHODS = (
    "__init__",
    "save_checkpoint",
    "get_latest_checkpoint",
    "list_checkpoints",
    "delete_checkpoint",
    "clear_all_checkpoints",
    "close",
)


class Stopwatch:
    """Adds up what its methods take; one called by another counts once."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0

    def around(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return *method*, timed."""

        @wraps(method)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._depth += 1
            begun = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self.seconds += time.perf_counter() - begun

        return timed


def run() -> int:
    """Run the command, write manager and whole seconds to the file asked for, return the exit code."""
    stopwatch = Stopwatch()
    for name in _METHODS:
        setattr(CheckpointManager, name, stopwatch.around(getattr(CheckpointManager, name)))
    begun = time.perf_counter()
    code = main()
    whole = time.perf_counter() - begun
    Path(os.environ["BENCHMARK_SECONDS_FILE"]).write_text(f"{stopwatch.seconds} {whole}", encoding="ascii")
    return code


if __name__ == "__main__":
    raise SystemExit(run())
