"""Runs ``booksynth`` and writes down the peak of its memory, and of the largest process that it started, in bytes."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from booksynth.cli import main


def run() -> int:
    """Run the command, write both peaks to the file asked for, return the exit code."""
    code = main()
    # What the system says of this process since its program began; `getrusage` would count what it was forked from.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    own = 1024 * int(status.split("VmHWM:")[1].split()[0])
    started = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    Path(os.environ["BENCHMARK_PEAK_FILE"]).write_text(f"{own} {started}", encoding="ascii")
    return code


if __name__ == "__main__":
    raise SystemExit(run())
