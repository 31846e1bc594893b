"""The one way a new file appears: whole, durable, or not at all.

Write ordering, each MUST proven in ``tests/crash/test_durable.py``:

1. write everything to a temporary file of the same directory (``O_EXCL``, mode 0600);
2. sync the file, close it;
3. rename it (or link it, where nothing may be overwritten) to its name;
4. sync the directory.

A failed write, sync or close is never retried on the same file: after a failed sync the page cache
may show bytes that the disk does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from milepost.fs.seam import FileSystem

TEMPORARY_SUFFIX = ".tmp"
_LARGE_BYTES = 256 * 1024

Content = bytes | Sequence[bytes] | Iterator[bytes]


class NotSynced(OSError):
    """The file stands under its name, but the sync of its directory failed: a power cut may take the name."""


def new_file(
    files: FileSystem, directory: int, name: str, data: Content, *, replace: bool, shared: bool = False
) -> None:
    """Let *name* appear in *directory* with *data*, durable when this returns.

    Args:
        files: The filesystem.
        directory: An open directory handle.
        name: The file's name.
        data: All of its bytes, or pieces of them: a large content need not be copied to be joined, nor be held whole.
        replace: Whether an existing file may be replaced; if not, a taken name is an error.
        shared: Give it the permissions of any new file of this user, instead of 0600.

    Raises:
        FileExistsError: The name is taken and *replace* is false.
        NotSynced: The name shows the new file, and a power cut may show the old one.
        OSError: Anything else the system refused; the name shows what it showed before.
    """
    temporary = f".{name}.{files.token()}{TEMPORARY_SUFFIX}"
    try:
        _write_temporary(files, directory, temporary, data, shared=shared)
        if replace:
            files.rename(directory, temporary, directory, name)
        else:
            files.link(directory, temporary, directory, name)
            with suppress(OSError):  # the file stands; the next writer sweeps what stays behind
                files.unlink(directory, temporary)
    except Exception:  # also one of the pieces may not be had
        # The first error is the one to tell; what stays behind here is swept by the next writer.
        with suppress(OSError):
            files.unlink(directory, temporary)
        raise
    try:
        files.sync(directory)
    except OSError as error:
        raise NotSynced(error.errno, error.strerror) from error


def _write_temporary(files: FileSystem, directory: int, temporary: str, data: Content, *, shared: bool) -> None:
    handle = files.open_file(directory, temporary, "create shared" if shared else "create")
    try:
        offset = 0
        for piece in _gathered([data] if isinstance(data, bytes) else data):
            write_all(files, handle, piece, offset)
            offset += len(piece)
        files.sync(handle)
    except Exception:
        with suppress(OSError):
            files.close(handle)
        raise
    files.close(handle)


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in fewer pieces: small ones joined, large ones as they are."""
    small: list[bytes] = []
    size = 0
    for piece in pieces:
        if len(piece) >= _LARGE_BYTES:
            if small:
                yield b"".join(small)
                small, size = [], 0
            yield piece
            continue
        small.append(piece)
        size += len(piece)
        if size >= _LARGE_BYTES:
            yield b"".join(small)
            small, size = [], 0
    if small:
        yield b"".join(small)


def write_all(files: FileSystem, handle: int, data: bytes, offset: int) -> None:
    """Write all of *data* at *offset*, however short the single writes are.

    Raises:
        OSError: As the system gave it; how much has arrived is then unknown.
    """
    written = files.write(handle, data, offset)
    if written == len(data):
        return
    view = memoryview(data)[written:]
    while view:
        offset += written
        written = files.write(handle, view, offset)
        view = view[written:]


def read_all(files: FileSystem, handle: int, offset: int = 0, size: int | None = None) -> bytes:
    """Read from *offset* to the end of the file (or *size* bytes), however short the single reads are.

    Raises:
        OSError: As the system gave it.
    """
    wanted = max(0, files.stat(handle).size - offset) if size is None else size
    first = files.read(handle, wanted, offset)
    if len(first) == wanted:
        return first
    pieces = [first]
    got = len(first)
    while got < wanted:
        piece = files.read(handle, wanted - got, offset + got)
        if not piece:
            break
        pieces.append(piece)
        got += len(piece)
    return b"".join(pieces)
