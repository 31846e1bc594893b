"""A folder of files that we wrote and people may edit: what is ours is replaced, what is theirs stays.

`manifest.json` beside the files says what we wrote last. A file whose content is not that was edited: it is never
overwritten and never removed. The new version is put beside it; deleting that one says that it was seen. Before
anything is written, the manifest also names what is about to be, so that a kill in between leaves nothing behind
that would be taken for somebody's edit.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from milepost import write_durably
from milepost.errors import StoreUnavailable

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
FORMAT = "booksynth/outputs"
FORMAT_VERSION = 1
MAX_DEPTH = 4

# What `milepost.write_durably` calls a file before it is whole.
_HALF_WRITTEN = re.compile(r"\.(.+)\.[0-9a-f]{16}\.tmp")

DigestOf = Callable[[str], str | None]


@dataclass(frozen=True)
class Former:
    """What the manifest says: digests by path, and those of a writing that may have been broken off."""

    files: dict[str, str] = field(default_factory=dict)
    writing: dict[str, str] = field(default_factory=dict)

    def ours(self, path: str) -> set[str]:
        """Return the digests that a file has as we wrote it."""
        return {mine[path] for mine in (self.files, self.writing) if path in mine}


@dataclass
class Outcome:
    """What is to be done, or was: paths below the folder, in the order of their names.

    `write`: path to the path whose content it gets. `edited`: files with an edit that stay as they are, to the file
    beside them that holds the new version; empty where there is nothing new. `orphans`: edited files that nothing
    stands for any more.
    """

    files: dict[str, str] = field(default_factory=dict)
    write: dict[str, str] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)
    edited: dict[str, str] = field(default_factory=dict)
    orphans: list[str] = field(default_factory=list)


def digest(data: bytes) -> str:
    """Return the SHA-256 of *data* (hex)."""
    return hashlib.sha256(data).hexdigest()


def beside(path: str, sha256: str) -> str:
    """Return where the new version of an edited file goes: its name tells its content, so no two collide."""
    whole = PurePosixPath(path)
    return str(whole.with_name(f"{whole.stem}.new-{sha256[:8]}{whole.suffix}"))


def decide(wanted: Mapping[str, str], former: Former, digest_of: DigestOf) -> Outcome:
    """Return what is to be done so that the *wanted* files (path to digest) stand, and no edit is lost.

    Args:
        wanted: What is to stand.
        former: What the manifest says.
        digest_of: The digest of a file as it is now; None where it is not there.
    """
    outcome = Outcome()
    for path in sorted(wanted):
        _place(outcome, path, path, wanted[path], former, digest_of)
    for path in sorted({*former.files, *former.writing} - outcome.files.keys()):
        now = digest_of(path)
        if now is None:
            continue
        if now in former.ours(path):
            outcome.remove.append(path)
        elif path not in outcome.edited:
            outcome.orphans.append(path)
    return outcome


def _place(outcome: Outcome, path: str, source: str, sha256: str, former: Former, digest_of: DigestOf) -> None:
    now = digest_of(path)
    if now is None or now in former.ours(path):
        outcome.files[path] = sha256
        if now != sha256:
            outcome.write[path] = source
        return
    if now == sha256:
        outcome.files[path] = sha256
        return
    _keep(outcome, path, source, sha256, former, digest_of)


def _keep(outcome: Outcome, path: str, source: str, sha256: str, former: Former, digest_of: DigestOf) -> None:
    """Leave an edited file as it is, and put what is new beside it, unless that was seen and deleted."""
    based_on = former.files.get(path)
    outcome.edited[path] = ""
    new = beside(path, sha256)
    if based_on == sha256 or (new in former.files and digest_of(new) is None):
        outcome.files[path] = sha256
        return
    if based_on is not None:
        outcome.files[path] = based_on
    if path == source:
        outcome.edited[path] = new
        _place(outcome, new, source, sha256, former, digest_of)


def sync(folder: Path, files: Mapping[str, bytes]) -> Outcome:
    """Let *files* (path below *folder* to content) stand, remove what we wrote for others, and keep every edit.

    Running it again is the same as running it once, whatever broke it off.

    Raises:
        milepost.errors.StorageError: The medium refused; running it again goes on.
    """
    former = read_manifest(folder)
    sweep(folder, [*files, *former.files, *former.writing, MANIFEST])
    outcome = decide({path: digest(data) for path, data in files.items()}, former, lambda path: _digest(folder, path))
    writing = former.writing | {path: digest(files[source]) for path, source in outcome.write.items()}
    if writing != former.writing:
        _write_manifest(folder, Former(former.files, writing))
    for path, source in outcome.write.items():
        write_durably(folder / path, files[source])
    for path in outcome.remove:
        _remove(folder, path)
    _write_manifest(folder, Former(outcome.files))
    return outcome


def write(path: Path, data: bytes) -> None:
    """Let the file at *path* hold *data*; one that does is not touched.

    Raises:
        milepost.errors.StorageError: The medium refused; what stood there is whole.
    """
    sweep(path.parent, [path.name])
    if _digest(path.parent, path.name) != digest(data):
        write_durably(path, data)


def sweep(folder: Path, paths: Iterable[str]) -> None:
    """Remove the half-written files that a killed writer left of *paths*; the phase's lock keeps other writers out.

    Raises:
        milepost.errors.StoreUnavailable: One cannot be removed.
    """
    names: dict[Path, set[str]] = {}
    for path in paths:
        names.setdefault((folder / path).parent, set()).add(PurePosixPath(path).name)
    for parent, known in names.items():
        for entry in parent.glob(".*.tmp") if parent.is_dir() and not parent.is_symlink() else ():
            half = _HALF_WRITTEN.fullmatch(entry.name)
            if half and half[1] in known:
                _unlink(entry)


def read_manifest(folder: Path) -> Former:
    """Return what the manifest of *folder* says; nothing where it is missing or not as we write it.

    Without it nothing counts as ours, so that no file is overwritten or removed.
    """
    path = folder / MANIFEST
    try:
        document: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Former()
    except (OSError, ValueError) as error:
        log.warning("%s: not readable (%s); every file there counts as edited", path, type(error).__name__)
        return Former()
    parts = [document.get(name) for name in ("files", "writing")] if isinstance(document, dict) else [None]
    if document.get("format") != FORMAT if isinstance(document, dict) else True:
        parts = [None]
    if not all(isinstance(part, dict) and all(map(_is_entry, part.items())) for part in parts):
        log.warning("%s: not as booksynth writes it; every file there counts as edited", path)
        return Former()
    return Former(parts[0] or {}, parts[1] or {})


def is_safe(path: str) -> bool:
    """Tell whether *path* stays below the folder that it is taken in."""
    parts = path.split("/")
    return len(parts) <= MAX_DEPTH and "\0" not in path and all(part not in {"", ".", ".."} for part in parts)


def _is_entry(entry: tuple[Any, Any]) -> bool:
    path, sha256 = entry
    return isinstance(path, str) and isinstance(sha256, str) and is_safe(path)


def _write_manifest(folder: Path, state: Former) -> None:
    document = {"format": FORMAT, "format_version": FORMAT_VERSION, "files": state.files, "writing": state.writing}
    data = (json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()
    write(folder / MANIFEST, data)


def _digest(folder: Path, path: str) -> str | None:
    """Return the digest of a file, None where there is none; what is no plain file counts as edited."""
    file = folder / path
    above = [str(parent) for parent in PurePosixPath(path).parents if str(parent) != "."]
    if any((folder / part).is_symlink() for part in (path, *above)):
        return "a link"
    if file.exists() and not file.is_file():
        return "no file"
    try:
        return digest(file.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"not readable: {error.strerror}"


def _remove(folder: Path, path: str) -> None:
    file = folder / path
    _unlink(file)
    for parent in file.parents:
        # A folder that still holds something, an edit for one, stays.
        if parent == folder or any(parent.iterdir()):
            return
        parent.rmdir()


def _unlink(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"{file}: it cannot be removed ({error.strerror})") from error
