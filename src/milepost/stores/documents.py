"""The documents in a run's folder, and the folders of the runs below it: all of `RunStore` that is not the journal."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Self

from milepost.fs import Content
from milepost.records import Position
from milepost.stores.base import Spot
from milepost.stores.folder import Folder
from milepost.stores.segments import keep_copy
from milepost.stores.translate import translated

RUNS = "runs"
"""The folder that holds the runs of a phase that were set aside, and those that are being made."""
MANIFEST = "run.json"
"""The document that says which run this is; it is the last that goes."""


class FolderDocuments:
    """Files of an open *folder*. See `RunStore` for what each verb promises."""

    def __init__(self, folder: Folder) -> None:
        """Work in *folder*."""
        self.folder = folder
        self.path = Spot(folder.path)

    @property
    def window_seconds(self) -> float:
        """Nothing is worth waiting for: what finished together is one batch anyway."""
        return 0.0

    def read(self, name: str, most: int | None = None, *, group_may_write: bool = False) -> bytes:
        """Return a document's bytes."""
        return self.folder.read(name, most, group_may_write=group_may_write)

    def names(self, prefix: str = "") -> list[str]:
        """List the documents, sorted."""
        return [name for name in self.folder.names() if name.startswith(prefix)]

    def has(self, name: str) -> bool:
        """Tell whether there is a document or anything else of that name."""
        return self.folder.has(name)

    def size(self, name: str) -> int:
        """Return the size of a file."""
        with translated(self.folder.path / name, "look at the file"):
            return self.folder.files.stat_name(self.folder.handle, name).size

    def stamp(self, name: str) -> Hashable:
        """Return inode and time of change of a file."""
        try:
            with translated(self.folder.path / name, "look at the file"):
                stat = self.folder.files.stat_name(self.folder.handle, name)
        except FileNotFoundError:
            return None
        return stat.inode, stat.modified

    def identity(self) -> Hashable:
        """Return what names this directory whatever path led to it."""
        return id(self.folder.files), *self.folder.identity()

    def token(self) -> str:
        """Return a random name."""
        return self.folder.files.token()

    def settle(self) -> None:
        """Sync the folder: a name may be seen before it is durable."""
        self.folder.sync()

    def document_path(self, name: str) -> Path:
        """Return a document's path."""
        return self.folder.path / name

    def trim(self, upto: Position) -> None:
        """Keep everything: the journal files of a run go together, when the run does."""

    # --- the runs below

    def runs(self) -> list[str]:
        """Return the names of the folders below ``runs/``."""
        if not self.folder.has(RUNS):
            return []
        try:
            with self.folder.child(RUNS) as runs:
                return runs.names()
        except FileNotFoundError:
            return []

    def run(self, name: str, *, create: bool = False) -> Self:
        """Open the folder *name* below ``runs/``."""
        with self.folder.child(RUNS, create=create) as runs:
            return type(self)(runs.child(name, create=create))

    def remove_run(self, name: str) -> None:
        """Delete the folder *name* below ``runs/``."""
        with self.folder.child(RUNS) as runs:
            with runs.child(name) as one:
                for file in sorted(one.names(), key=lambda file: file == MANIFEST):
                    one.remove(file)
                one.sync()
            with translated(runs.path / name, "delete the folder"):
                runs.files.remove_directory(runs.handle, name)
            runs.sync()

    def create(self, name: str, data: bytes) -> None:
        """Write a document durably under a free name."""
        self.folder.put(name, data, replace=False)

    def replace(self, name: str, data: Content) -> None:
        """Write a document durably, whether or not it was there."""
        self.folder.put(name, data, replace=True)

    def delete(self, names: Sequence[str], *, durable: bool) -> None:
        """Delete documents; a missing one is no error."""
        for name in names:
            self.folder.remove(name)
        if durable and names:
            self.folder.sync()

    def keep_copy(self, name: str) -> None:
        """Keep a damaged file whole under a second name."""
        keep_copy(self.folder, name)
