"""Where a phase's runs lie: a folder named after the phase, made only when something is written."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from milepost.errors import InvalidArgument
from milepost.fs import FileSystem
from milepost.run.handover import present
from milepost.stores import RunFiles
from milepost.stores.folder import Folder

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_LONGEST_NAME_BYTES = 200  # room for the suffixes of temporary files below the usual limit of 255


def folder_name(phase: str) -> str:
    """Return the folder name of a phase: letters, digits and ``_.-~`` stay, everything else is percent-encoded.

    Raises:
        InvalidArgument: The name is empty, ``.`` or ``..``, holds NUL or a lone surrogate, or is too long.
    """
    if type(phase) is not str or not phase or phase in (".", "..") or "\0" in phase:
        raise InvalidArgument(f"phase {phase!r}: a phase needs a name that is a text and not '.' or '..'.")
    try:
        name = quote(phase, safe="")
    except UnicodeEncodeError as error:
        raise InvalidArgument(f"phase {phase!r}: the name holds a lone surrogate.") from error
    if len(name) > _LONGEST_NAME_BYTES:
        raise InvalidArgument(
            f"phase {phase[:40]!r}…: the name is too long ({len(name)} bytes; {_LONGEST_NAME_BYTES} are the most)."
        )
    return name


def root_of(store: str | os.PathLike[str]) -> Path:
    """Return the folder that a `store=` argument names: a path, or a ``file:`` URL.

    Raises:
        InvalidArgument: It names another kind of store, or cannot be a path.
    """
    text = os.fspath(store)
    if isinstance(store, str) and (match := _SCHEME.match(text)):
        if match[1].lower() != "file":
            raise InvalidArgument(f"store {match[1]}:…: this version keeps runs in folders only; give a path.")
        text = unquote(urlsplit(text).path)
    if not text or "\0" in text:
        raise InvalidArgument(f"store {text!r}: the path of a folder is needed.")
    return Path(text).absolute()


class Place(NamedTuple):
    """The folder of *phase* below *root*."""

    files: FileSystem
    root: Path
    phase: str

    @property
    def name(self) -> str:
        """Return the folder's name below the root."""
        return folder_name(self.phase)

    @property
    def path(self) -> Path:
        """Return the folder's path."""
        return self.root / self.name

    def existing(self) -> RunFiles | None:
        """Open where the phase's run is to be read, or return None; changes nothing."""
        store = self.folder()
        return None if store is None else present(store)

    def folder(self) -> RunFiles | None:
        """Open the phase's folder as it stands, or return None; changes nothing."""
        try:
            with Folder.open(self.files, self.root) as root:
                return RunFiles(root.child(self.name))
        except FileNotFoundError:
            return None

    def made(self) -> RunFiles:
        """Open the folder, made durably where it is missing.

        Raises:
            InvalidArgument: Another phase's name differs only in case, which some filesystems cannot tell apart.
            StorageError: The medium refused.
        """
        with Folder.make(self.files, self.root) as root:
            names = root.names()
            if self.name not in names:
                alike = [name for name in names if name.casefold() == self.name.casefold()]
                if alike:
                    raise InvalidArgument(
                        f"phase {self.phase!r}: a phase {alike[0]!r} stands in {self.root} already, and names that "
                        "differ only in case are one name on some filesystems; choose another."
                    )
            return RunFiles(root.child(self.name, create=True))
