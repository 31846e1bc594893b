"""The working folder of a job: its copies, and which of its files are compared."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from milepost.fs.trees import copy_tree
from milepost.records import digest
from milepost.stores.lock import LOCK_NAME

LINKED = frozenset({".git", ".hg", ".tools", ".venv", "node_modules", "venv"})
"""Large folders that are no data: the copies share them."""

LEFT_OUT = frozenset({".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox"})
STORE_NAME = "checkpoints"
"""What Milepost calls its folder where nobody says another name."""

COMPILED = "__pycache__"
NO_OUTPUT = frozenset({COMPILED, *LINKED, *LEFT_OUT})
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}\.tmp")
_SQLITE = b"SQLite format 3\0"
_BESIDE_A_DATABASE = ("-wal", "-shm", "-journal")
FOLDER_MARK = b"<folder>"
"""Stands for the path of a copy in what is compared: no two copies have one path."""


class Selection(NamedTuple):
    """Which files are compared: those below *paths* (all, if there are none) that match none of *ignored*."""

    paths: Sequence[str] = ()
    ignored: Sequence[str] = ()

    def takes(self, name: str) -> bool:
        """Tell whether the file *name*, relative to the working folder, is compared."""
        if any(fnmatch(name, one) or fnmatch(PurePosixPath(name).name, one) for one in self.ignored):
            return False
        return not self.paths or any(PurePosixPath(name).is_relative_to(one) for one in self.paths)


def copy_of(source: Path, target: Path, scratch: Path, check: Callable[[], None]) -> None:
    """Copy a working folder without what Milepost saved in it, so that each run begins at the beginning.

    *check* is called for every entry, and may raise to end it.
    """

    def skip(path: Path) -> bool:
        check()
        return path.name in LEFT_OUT or path == scratch or is_store(path) or is_database(path)

    copy_tree(source, target, linked=LINKED, skip=skip)


def keep_compiled(ran: Path, pristine: Path) -> None:
    """Give what Python compiled in a run to all later copies: their sources have the same times."""
    for base, names, _ in os.walk(ran):
        names[:] = [name for name in names if name not in LINKED | LEFT_OUT]
        compiled = pristine / Path(base).relative_to(ran) / COMPILED
        if COMPILED in names and compiled.parent.is_dir() and not compiled.exists():
            copy_tree(Path(base) / COMPILED, compiled)


def is_store(path: Path) -> bool:
    """Tell whether *path* is the folder of a phase, or one named ``checkpoints`` that holds some."""
    if is_phase(path):
        return True
    return path.name == STORE_NAME and path.is_dir() and any(map(is_phase, path.iterdir()))


def is_database(path: Path) -> bool:
    """Tell whether *path* is a SQLite database in which Milepost keeps runs, or a file beside one and of it."""
    base = path.name
    for ending in _BESIDE_A_DATABASE:
        base = base.removesuffix(ending)
    main = path.with_name(base) if base else path
    if not main.is_file():  # opening a pipe would wait for its other end
        return False
    try:
        with open(main, "rb") as file:
            if file.read(len(_SQLITE)) != _SQLITE:
                return False
        with closing(sqlite3.connect(f"{main.absolute().as_uri()}?mode=ro", uri=True)) as database:
            found = database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'milepost_schema'").fetchone()
    except (OSError, sqlite3.Error):
        return False
    return bool(found[0])


def is_phase(path: Path) -> bool:
    """Tell whether *path* is a folder that Milepost keeps a phase in."""
    if path.is_symlink() or not (path / LOCK_NAME).is_file():
        return False
    return (path / "run.json").is_file() or any(path.glob("journal_*.jsonl"))


def contents(folder: Path, takes: Callable[[str], bool]) -> dict[str, str]:
    """Return a digest for each file of *folder* that may be an output, the copy's own path left out of it."""
    return {name: digest(plain(folder, name)) for name in _files(folder, folder) if takes(name)}


def plain(folder: Path, name: str) -> bytes:
    """Return a file's bytes with a mark in the place of the copy's path."""
    path = folder / name
    data = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
    return data.replace(os.fsencode(folder), FOLDER_MARK)


def _files(root: Path, folder: Path) -> Iterator[str]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = folder / entry.name
        if entry.name in NO_OUTPUT or _TEMPORARY.fullmatch(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            if not is_store(path):
                yield from _files(root, path)
        elif (entry.is_symlink() or entry.is_file()) and not is_database(path):
            yield path.relative_to(root).as_posix()
