"""Folders that come and go with a drill: copied, filled and removed without any promise that they last."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path


def scratch_folder(prefix: str) -> Path:
    """Make a new folder for temporary things, and return its path without links in it."""
    return Path(tempfile.mkdtemp(prefix=prefix)).resolve()


def make_folder(path: Path) -> None:
    """Make a folder with its parents; it may be there."""
    path.mkdir(parents=True, exist_ok=True)


def make_pipe(path: Path) -> None:
    """Make a named pipe for this user."""
    os.mkfifo(path, 0o600)


def open_pipe(path: Path) -> int:
    """Open a named pipe at both ends, so that nobody waits for the other to open it; reading does not wait."""
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def write_plainly(path: Path, data: bytes) -> None:
    """Write a small file that nobody needs after a crash."""
    path.write_bytes(data)


def open_to_fill(path: Path) -> int:
    """Return a new file, open for a process to write its output to."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def remove_tree(path: Path) -> None:
    """Remove a folder and all in it, also what its job made unwritable; nothing happens where it is gone."""
    shutil.rmtree(path, onerror=_made_writable)


def copy_tree(
    source: Path, target: Path, *, linked: Collection[str] = (), skip: Callable[[Path], bool] = lambda _: False
) -> None:
    """Copy a folder: regular files with their times and modes, links such that they lead where they led.

    Args:
        source: The folder.
        target: The copy; it must not be there.
        linked: Names of folders that the copy shares with *source* by a link.
        skip: Tells of a path below *source* that it is left out. Pipes, sockets and devices always are.

    Raises:
        OSError: Something cannot be read, or there is no space.
    """
    target.mkdir()
    _copy_entries(source, source, target, target, linked, skip)
    shutil.copystat(source, target)


def _copy_entries(
    root: Path, source: Path, copy: Path, target: Path, linked: Collection[str], skip: Callable[[Path], bool]
) -> None:
    with os.scandir(source) as entries:
        for entry in entries:
            path, to = source / entry.name, target / entry.name
            if skip(path):
                continue
            if entry.is_symlink():
                to.symlink_to(_kept_link(root, path, copy))
            elif entry.is_dir():
                if entry.name in linked:
                    to.symlink_to(path)
                    continue
                to.mkdir()
                _copy_entries(root, path, copy, to, linked, skip)
                shutil.copystat(path, to)
            elif entry.is_file():
                shutil.copy2(path, to)


def _kept_link(root: Path, link: Path, copy: Path) -> Path:
    """Return what a copied link says: inside the folder it leads to the copy, out of it where it led before."""
    said = Path(os.readlink(link))
    leads_to = Path(os.path.normpath(link.parent / said))
    if leads_to.is_relative_to(root):
        return said if not said.is_absolute() else copy / leads_to.relative_to(root)
    return leads_to


def _made_writable(remove: Callable[..., object], path: str, failed: tuple[type, BaseException, object]) -> None:
    """Try again to remove *path* after its folder was made writable."""
    if isinstance(failed[1], FileNotFoundError):
        return
    os.chmod(os.path.dirname(path), 0o700)
    if os.path.isdir(path) and not os.path.islink(path):
        os.chmod(path, 0o700)
    if remove in {os.unlink, os.rmdir}:
        remove(path)
    else:
        shutil.rmtree(path)
