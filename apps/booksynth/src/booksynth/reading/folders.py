"""A folder of HTML pages on a shelf: which pages it holds, and all of them read as one book."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePath

from booksynth import inputs
from booksynth.inputs import Content, Found, UnreadableError
from booksynth.reading.kinds import Kind, kind_of
from booksynth.shards import Problem

# Packing knows no clock: the same pages are the same bytes.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def look(found: Found, max_file_mb: float) -> Found:
    """Return *found* as a book where it is a folder that holds pages of HTML, and as it is where it is none."""
    is_folder = found.problem is not None and found.problem.code == "not-a-file" and found.path.is_dir()
    if not is_folder or inputs.is_tracker(found.name):
        return found
    try:
        pages = _pages(found)
    except UnreadableError as error:
        return replace(found, problem=error.problem)
    if not pages:
        return replace(found, problem=Problem(found.name, "", "not-a-file", "a folder without pages of HTML"))
    size = sum(page.size for page in pages)
    if size > max_file_mb * 1_000_000:
        reason = f"{size} bytes in {len(pages)} pages; max_file_mb allows {max_file_mb * 1_000_000:.0f}"
        return replace(found, size=size, problem=Problem(found.name, "", "too-large", reason))
    return replace(found, size=size, problem=None, is_folder=True)


def read(found: Found, max_file_mb: float) -> Content:
    """Return all pages of a folder, packed into one file; its digest depends on their paths and contents alone.

    Raises:
        UnreadableError: A page cannot be read, changed while it was read, or all are too large by now.
    """
    left = max_file_mb
    pages: dict[str, bytes] = {}
    for page in _pages(found):
        if page.problem is not None:
            raise UnreadableError(_of(found, page))
        try:
            pages[page.name] = inputs.read(page, left).data
        except UnreadableError as error:
            raise UnreadableError(_of(found, replace(page, problem=error.problem))) from error
        left -= len(pages[page.name]) / 1_000_000
    data = packed(pages)
    return Content(data, hashlib.sha256(data).hexdigest(), [], is_racy=False)


def packed(pages: Mapping[str, bytes]) -> bytes:
    """Return the pages (path below the folder to content) as one file: the same bytes for the same pages."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(pages):
            archive.writestr(zipfile.ZipInfo(path, _LONG_AGO), pages[path])
    return whole.getvalue()


def _of(found: Found, page: Found) -> Problem:
    assert page.problem is not None
    return Problem(found.name, page.name, page.problem.code, page.problem.reason)


def others(found: Found) -> list[Problem]:
    """Return a problem for each book of another kind in a folder of pages: it is not read there.

    Raises:
        UnreadableError: The folder cannot be listed.
    """
    reason = "a book in a folder of pages is not read; put it on the shelf itself"
    kinds = {Kind.PDF, Kind.EPUB, Kind.MARKDOWN}
    return [Problem(found.name, inputs.as_text(str(name)), "not-read-here", reason) for name in _files(found, kinds)]


def _pages(found: Found) -> list[Found]:
    return [inputs.look(found.path, str(name), float("inf")) for name in _files(found, {Kind.HTML})]


def _files(found: Found, kinds: set[Kind]) -> list[PurePath]:
    """Return the files of such a kind in a folder and below it; none whose name, or whose folder's, begins with a dot.

    Links are not followed: they lead elsewhere, or to a page twice.
    """
    names: list[PurePath] = []

    def refuse(error: OSError) -> None:
        raise UnreadableError(Problem(found.name, "", "unreadable", f"cannot be listed: {error.strerror}")) from error

    for folder, folders, files in os.walk(found.path, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(folder).relative_to(found.path)
        pages = (name for name in files if kind_of(name) in kinds and not name.startswith("."))
        names += [below / name for name in pages if not (Path(folder) / name).is_symlink()]
    return sorted(names)
