"""Foreign errors become ours once, here, chained, with the place and the next step in the message."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from milepost.errors import DiskFull, DurabilityUnknown, MilepostError, StoreUnavailable, UnsafeStore
from milepost.fs import NotSynced

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_NOT_OURS = frozenset({errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EISDIR})
_HINTS = {
    errno.EROFS: "the filesystem is mounted read-only: remount it, or use another folder",
    errno.EACCES: "this user may not: change the permissions, or use another folder",
    errno.EPERM: "this user may not: change the permissions, or use another folder",
    errno.EMFILE: "this process has too many files open: raise its limit (ulimit -n) or close some",
    errno.ENFILE: "the machine has too many files open",
    errno.EIO: "the device reports an error: look at the system log before trusting this disk",
}


@contextmanager
def translated(
    path: Path, doing: str, *, needed_bytes: int | None = None, free_bytes: int | None = None
) -> Iterator[None]:
    """Turn an `OSError` of the block into Milepost's error for it; a missing or a taken name passes, as an answer.

    Raises:
        DurabilityUnknown: A new name could not be synced.
        DiskFull: No space, or over quota.
        UnsafeStore: What stands at *path* is a link, a device, or not of the expected kind.
        StoreUnavailable: Everything else.
    """
    try:
        yield
    except (FileNotFoundError, FileExistsError):
        raise
    except NotSynced as error:
        raise unknown(path, "sync the folder of the new file", error) from error
    except OSError as error:
        raise error_for(error, path, doing, needed_bytes=needed_bytes, free_bytes=free_bytes) from error


def error_for(
    error: OSError, path: Path, doing: str, *, needed_bytes: int | None = None, free_bytes: int | None = None
) -> MilepostError:
    """Return Milepost's error for a system error met while *doing* something at *path*."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in FULL:
        return full(path, doing, needed_bytes=needed_bytes, free_bytes=free_bytes, reason=reason)
    if error.errno in _NOT_OURS:
        return UnsafeStore(
            f"{path}: cannot {doing}: it is a link, a device or not of the expected kind ({reason}). "
            "Nothing was touched."
        )
    hint = _HINTS.get(error.errno or 0)
    return StoreUnavailable(f"{path}: cannot {doing}: {reason}" + (f"; {hint}." if hint else "."))


def full(
    path: Path, doing: str, *, needed_bytes: int | None, free_bytes: int | None, reason: str = "no space left on device"
) -> DiskFull:
    """Return the error of a full disk, with the bytes needed and free where they are known."""
    needed = "" if needed_bytes is None else f"; {needed_bytes:,} bytes are needed"
    free = "" if free_bytes is None else f", {free_bytes:,} are free"
    return DiskFull(
        f"{path}: cannot {doing}: {reason}{needed}{free}. Everything acknowledged before is whole. "
        "Free some space and run the same command again.",
        needed_bytes=needed_bytes,
        free_bytes=free_bytes,
    )


def unknown(path: Path, doing: str, error: OSError) -> DurabilityUnknown | DiskFull:
    """Return the error of a write or sync that failed part way; a full disk stays one, for the mend is known."""
    if error.errno in FULL:
        return full(path, doing, needed_bytes=None, free_bytes=None)
    reason = os.strerror(error.errno) if error.errno else str(error)
    return DurabilityUnknown(
        f"{path}: cannot {doing}: {reason}. Nobody knows what the disk holds of this last write; it is not "
        "acknowledged. Everything acknowledged before is whole. Look at the system log before trusting this disk."
    )
