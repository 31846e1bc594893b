"""Where the figures were measured, in words that say nothing of whose machine it is."""

from __future__ import annotations

import os
import platform
from datetime import date
from pathlib import Path


def describe(folder: Path) -> dict[str, str | int]:
    """Return what a reader needs to judge the figures."""
    return {
        "date": date.today().isoformat(),  # noqa: DTZ011  # the reader's calendar, no computation
        "cores": os.cpu_count() or 0,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "filesystem": filesystem(folder),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def filesystem(folder: Path) -> str:
    """Return the type of the filesystem that holds *folder*: the mount with the longest path above it."""
    path = str(folder.resolve())
    best, kind = "", "unknown"
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return kind
    for line in mounts.splitlines():
        _, mounted_at, found, *_ = line.split()
        above = mounted_at.rstrip("/") + "/"
        if (path + "/").startswith(above) and len(above) >= len(best):
            best, kind = above, found
    return kind
