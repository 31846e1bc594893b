"""What a run or an item reads, as digests of content."""

from __future__ import annotations

import stat as mode_bits
from collections.abc import Iterator, Sequence
from os import walk
from pathlib import Path

from milepost import codec
from milepost.errors import InvalidArgument, StoreUnavailable
from milepost.fingerprint.filedigests import FileDigests
from milepost.fingerprint.parts import Parts, text_digest
from milepost.records import digest


def input_parts(paths: Sequence[Path | str], digests: FileDigests) -> Parts:
    """Return the parts of the inputs of a run: files by content, folders by the names and contents in them.

    Args:
        paths: files and folders, absolute or relative to the working directory.
        digests: reads the files.

    Returns:
        Path as given to digest; for a folder with the number of its files.

    Raises:
        InvalidArgument: a path is missing, may not be read, or is neither file nor folder.
        StoreUnavailable: a file could not be read, or keeps changing.
    """
    if isinstance(paths, str | Path):
        raise InvalidArgument("inputs must be a list of paths, not a single one")
    return {str(path): _part(Path(path), digests) for path in paths}


def item_digest(item: object, digests: FileDigests) -> str:
    """Return the digest of what an item of a loop is made from.

    Args:
        item: a `Path` stands for the content of its file or folder, any other value for its encoding.
        digests: reads the files.

    Returns:
        32 hex digits.

    Raises:
        InvalidArgument: the path is missing, may not be read, or is neither file nor folder.
        NotEncodable: the value has no encoding.
        StoreUnavailable: a file could not be read, or keeps changing.
    """
    if not isinstance(item, Path):
        return digest(codec.encode(item, "item"))
    return _folder(item, digests)[0] if _is_folder(item) else digests.of(item)


def _part(path: Path, digests: FileDigests) -> str:
    if not _is_folder(path):
        return digests.of(path)
    total, files = _folder(path, digests)
    return f"{total} ({files} file{'' if files == 1 else 's'})"


def _is_folder(path: Path) -> bool:
    try:
        return mode_bits.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):  # for the reader of the file to name
        return False


def _folder(folder: Path, digests: FileDigests) -> tuple[str, int]:
    """Return one digest of all that lies in *folder*, and the number of its files."""
    rows = sorted(_rows(folder, digests))
    return text_digest(*(text for row in rows for text in row)), sum(kind == "file" for _, kind, _ in rows)


def _rows(folder: Path, digests: FileDigests) -> Iterator[tuple[str, str, str]]:
    """Yield name, kind and content of each entry below *folder*.

    A link counts by where it points: followed, it could lead out of the folder or around in a circle. Pipes, sockets
    and devices have no content to read, so their names count.
    """
    for base, folders, files in walk(folder, onerror=_raise):
        for name in [*folders, *files]:
            entry = Path(base, name)
            relative = entry.relative_to(folder).as_posix()
            mode = _mode(entry)
            if mode_bits.S_ISLNK(mode):
                yield relative, "link", str(entry.readlink())
            elif mode_bits.S_ISDIR(mode):
                yield relative, "folder", ""
            elif mode_bits.S_ISREG(mode):
                yield relative, "file", digests.of(entry)
            else:
                yield relative, "other", ""


def _mode(entry: Path) -> int:
    try:
        return entry.lstat().st_mode
    except OSError as error:
        raise StoreUnavailable(f"{entry}: it cannot be read ({error.strerror})") from error


def _raise(error: OSError) -> None:
    raise InvalidArgument(f"{error.filename}: it cannot be read ({error.strerror})") from error
