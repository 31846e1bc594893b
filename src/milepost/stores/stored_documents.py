"""The documents of one area of a shared store: immutable objects, named by a directory that is replaced as a whole.

A document is written in two steps: its bytes under a key that nobody has, then the directory that names it. A writer
that was superseded fails at the second, for it does not know the directory's version any more.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from milepost.errors import CorruptDocument, Fenced, StoreUnavailable, VersionConflict
from milepost.fs import Content
from milepost.records import digest
from milepost.stores.head import Directory, Entry, parse_directory
from milepost.stores.store import Store

_LOOKS = 20


class Documents:
    """An area's directory and what it names, below *prefix*. *directory* is as it was read or written last."""

    def __init__(self, store: Store, prefix: str, where: str) -> None:
        """Know nothing yet; *where* says in messages where this is."""
        self._store = store
        self._prefix = prefix
        self._where = where
        self._version: str | None = None
        self.directory = Directory()

    @property
    def _key(self) -> str:
        return f"{self._prefix}/directory"

    def look(self, token: int | None = None) -> Directory:
        """Read the directory anew; an area without one is empty. *token* is that of a writer who will go by it.

        Raises:
            Fenced: A later writer than *token* took it, so it is not for this one to replace.
            CorruptDocument: It is not what was written.
            StoreUnavailable: The store refused.
        """
        try:
            found = self._store.read(self._key)
        except FileNotFoundError:
            self._version, self.directory = None, Directory()
        else:
            self.directory = parse_directory(f"{self._store.url}/{self._key}", found.data)
            self._version = found.version
        if token is not None and self.directory.token > token:
            raise self._superseded()
        return self.directory

    def write(self, **changes: Any) -> None:
        """Replace the directory by one with *changes*.

        Raises:
            Fenced: Somebody else wrote it since: this process was superseded.
            StorageError: The store refused.
        """
        directory = self.directory._replace(**changes)
        try:
            if self._version is None:
                self._version = self._store.create(self._key, directory.encoded())
            else:
                self._version = self._store.replace(self._key, directory.encoded(), self._version)
        except (VersionConflict, FileExistsError) as error:
            raise self._superseded() from error
        self.directory = directory

    def take(self, token: int) -> None:
        """Make sure that a writer with an older *token* can write here no more, whatever it writes meanwhile.

        Raises:
            Fenced: A later writer than *token* took it already.
            StorageError: The store refused, or the other writer was faster, look after look.
        """
        for _ in range(_LOOKS):
            self.look(token)
            try:
                self.write(token=token)
            except Fenced:
                continue
            return
        raise StoreUnavailable(f"{self._where}: another process writes too fast to be superseded; stop it.")

    def read(self, name: str, most: int | None) -> bytes:
        """Return a document's bytes, all of which were verified.

        Raises:
            FileNotFoundError: There is none.
            CorruptDocument: It is not what was written.
        """
        entry = self.entry(name)
        try:
            data = self._store.read(entry.key).data
        except FileNotFoundError as error:
            fresh = Documents(self._store, self._prefix, self._where).look()  # a writer's own view stays as it is
            if fresh.documents.get(name) != entry:
                raise
            raise CorruptDocument(f"{self._where}/{name}: what it held is gone.") from error
        if len(data) != entry.size or digest(data) != entry.digest:
            raise CorruptDocument(f"{self._where}/{name}: it is not what was written.")
        return data if most is None else data[:most]

    def entry(self, name: str) -> Entry:
        """Return what the directory says of a document.

        Raises:
            FileNotFoundError: There is none.
        """
        if name not in self.directory.documents:
            raise FileNotFoundError(f"{self._where}/{name}")
        return self.directory.documents[name]

    def put(self, name: str, data: Content, token: str) -> None:
        """Write a document, whether or not it was there.

        Raises:
            Fenced: This process was superseded; the document is as it was.
            StorageError: The store refused.
        """
        whole = data if isinstance(data, bytes) else b"".join(data)
        entry = Entry(f"{self._prefix}/documents/{quote(name, safe='')}.{token}", len(whole), digest(whole))
        old = self.directory.documents.get(name)
        self._store.create(entry.key, whole)
        self.write(documents=self.directory.documents | {name: entry})
        if old is not None:
            self._drop([old])

    def link(self, name: str, copy: str) -> None:
        """Let a document be known under the name *copy*, too."""
        self.write(documents=self.directory.documents | {copy: self.entry(name)})

    def remove(self, names: list[str]) -> None:
        """Take documents out of the directory, then delete what it names no more."""
        documents = self.directory.documents
        going = [documents[name] for name in names if name in documents]
        if going:
            self.write(documents={name: entry for name, entry in documents.items() if name not in names})
            self._drop(going)

    def sweep(self, token: int) -> None:
        """Delete what a killed writer wrote and no directory names.

        The keys are listed first and the directory is read behind that: as long as it is this writer's then, what was
        listed is no successor's.

        Args:
            token: That of the writer.

        Raises:
            Fenced: A later writer took the directory; nothing was deleted.
            StorageError: The store refused.
        """
        keys = self._store.keys(f"{self._prefix}/documents/")
        if self._unnamed(keys):
            self.look(token)
            self._store.delete(self._unnamed(keys))

    def _superseded(self) -> Fenced:
        return Fenced(
            f"{self._where}: another process took this run over. Nothing was written by this one; everything "
            "acknowledged before is whole."
        )

    def _drop(self, entries: list[Entry]) -> None:
        self._store.delete(self._unnamed([entry.key for entry in entries]))

    def _unnamed(self, keys: list[str]) -> list[str]:
        named = {entry.key for entry in self.directory.documents.values()}
        return [key for key in keys if key not in named]
