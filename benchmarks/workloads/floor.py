"""The floor F: the least that makes a file appear whole and durable."""

from __future__ import annotations

import os
from pathlib import Path


def write_file(directory: int, name: str, data: bytes) -> None:
    """Write *data* to a new temporary file, sync it, rename it to *name*, sync the directory."""
    temporary = f".{name}.tmp"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=directory)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    os.fsync(directory)


def settle_file(path: Path) -> None:
    """Sync a file that was written without: left dirty, it would burden the next contender's sync."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
