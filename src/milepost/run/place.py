"""Where a phase's runs lie: in a folder, or below a name in a shared store; made only when something is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable
from urllib.parse import quote, unquote, urlsplit

from milepost.codec.coding import Codec
from milepost.errors import InvalidArgument, MilepostError
from milepost.fs import FileSystem, current
from milepost.run.coded import CodedRun
from milepost.run.handover import present
from milepost.stores import RunFiles, RunStore, Spot
from milepost.stores.folder import Folder
from milepost.stores.opening import open_store, scheme_of
from milepost.stores.terms import USUAL_SECONDS, Terms
from milepost.stores.translate import error_for

if TYPE_CHECKING:  # needed by those only who keep their runs there
    from milepost.stores.store import Store
    from milepost.stores.stored import StoredRun

VARIABLE = "MILEPOST_STORE"
LEASE_VARIABLE = "MILEPOST_LEASE_SECONDS"
TAKE_OVER_VARIABLE = "MILEPOST_TAKE_OVER"
DEFAULT = "checkpoints"
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


@runtime_checkable
class Location(Protocol):
    """Where the phases of a job are kept: a folder, or a shared store. *spot* says which, for messages."""

    @property
    def spot(self) -> Spot:
        """Where this is."""

    @property
    def named(self) -> Path | str:
        """The folder, or the store's URL without credentials: what one would type."""

    def path_of(self, name: str) -> Path:
        """Return what names a phase's folder for callers: its path, or its key where there are no paths."""

    def names(self) -> list[str]:
        """List, sorted, the folder names (see `folder_name`) of all that might be a phase.

        Raises:
            InvalidArgument: There is no such folder.
            StorageError: It cannot be read.
        """

    def folder(self, name: str) -> RunStore | None:
        """Open what stands under a folder *name* as it is, or return None; changes nothing."""

    def existing(self, name: str) -> RunStore | None:
        """Open where the run of a folder *name* is to be read, or return None; changes nothing."""

    def made(self, name: str) -> RunStore:
        """Open what stands under a folder *name*, made durably where it is missing.

        Raises:
            InvalidArgument: A name differs from it only in case, which some filesystems cannot tell apart.
            StorageError: The medium refused.
        """


class FolderLocation(NamedTuple):
    """The phases' folders below the folder *root*, on *files*; None for those that are in use when they are needed."""

    root: Path
    files: FileSystem | None = None

    @property
    def spot(self) -> Spot:
        """Where this is."""
        return Spot(self.root)

    @property
    def named(self) -> Path:
        """The folder."""
        return self.root

    def path_of(self, name: str) -> Path:
        """Return the folder's path."""
        return self.root / name

    def names(self) -> list[str]:
        """List the folders below the root; links are none."""
        if not self.root.is_dir():
            raise InvalidArgument(f"{self.root}: there is no such folder.")
        try:
            return sorted(path.name for path in self.root.iterdir() if path.is_dir() and not path.is_symlink())
        except OSError as error:
            raise error_for(error, self.root, "list the folder") from error

    def folder(self, name: str) -> RunFiles | None:
        """Open the folder as it stands."""
        try:
            with Folder.open(self.files or current(), self.root) as root:
                return RunFiles(root.child(name))
        except FileNotFoundError:
            return None

    def existing(self, name: str) -> RunFiles | None:
        """Open where the run is to be read."""
        store = self.folder(name)
        return None if store is None else present(store)

    def made(self, name: str) -> RunFiles:
        """Open the folder, made durably where it is missing."""
        with Folder.make(self.files or current(), self.root) as root:
            names = root.names()
            if name not in names:
                alike = [one for one in names if one.casefold() == name.casefold()]
                if alike:
                    raise InvalidArgument(
                        f"phase {unquote(name)!r}: a phase {alike[0]!r} stands in {self.root} already, and names that "
                        "differ only in case are one name on some filesystems; choose another."
                    )
            return RunFiles(root.child(name, create=True))


class SharedLocation(NamedTuple):
    """The phases in a shared *store*; whoever writes one holds a lease by these *terms*."""

    store: Store
    terms: Terms

    @property
    def spot(self) -> Spot:
        """Where this is."""
        return Spot(self.store.url)

    @property
    def named(self) -> str:
        """The store's URL."""
        return self.store.url

    def path_of(self, name: str) -> Path:
        """Return the key."""
        return Path(name)

    def names(self) -> list[str]:
        """List the names below which something is kept."""
        return self.store.branches("")

    def folder(self, name: str) -> StoredRun | None:
        """Open the phase as it stands."""
        from milepost.stores.stored import StoredRun

        return StoredRun.existing(self.store, name, self.terms)

    def existing(self, name: str) -> StoredRun | None:
        """Open the phase as it stands: runs change places in one step."""
        return self.folder(name)

    def made(self, name: str) -> StoredRun:
        """Open the phase, made where it is missing."""
        from milepost.stores.stored import StoredRun

        return StoredRun.made(self.store, name, self.terms)


class CodedLocation(NamedTuple):
    """The phases at another location, their values written with *codec*; None keeps to what each run has."""

    inner: FolderLocation | SharedLocation
    codec: Codec | None = None

    @property
    def spot(self) -> Spot:
        """Where this is."""
        return self.inner.spot

    @property
    def named(self) -> Path | str:
        """The folder, or the store's URL."""
        return self.inner.named

    def path_of(self, name: str) -> Path:
        """Return what names a phase's folder for callers."""
        return self.inner.path_of(name)

    def names(self) -> list[str]:
        """List what might be a phase."""
        return self.inner.names()

    def folder(self, name: str) -> CodedRun | None:
        """Open what stands there."""
        return self._around(self.inner.folder(name))

    def existing(self, name: str) -> CodedRun | None:
        """Open where the run is to be read."""
        return self._around(self.inner.existing(name))

    def made(self, name: str) -> CodedRun:
        """Open what stands there, made where it is missing."""
        return CodedRun(self.inner.made(name), self.codec)

    def _around(self, store: RunStore | None) -> CodedRun | None:
        return None if store is None else CodedRun(store, self.codec)


Where = str | os.PathLike[str] | Location
"""A path, the URL of a store, or a location that was made of one."""


def location_of(where: Where | None = None, terms: Terms | None = None, codec: Codec | None = None) -> Location:
    """Return the location that a `store=` argument names: a path, the URL of a store, or what stands for neither.

    Args:
        where: A path or URL; None for the one in ``MILEPOST_STORE``, or else the folder ``checkpoints``.
        terms: How a writer holds its lease, where it is a shared store; None for the usual ones.
        codec: How values are written there; None keeps to what each run has.

    Raises:
        InvalidArgument: It names a kind of store that nobody offers, or cannot be a path.
        MissingExtra: The libraries for it are not installed.
        StorageError: The store cannot be reached, or is not to be trusted.
    """
    if where is not None and isinstance(where, Location):
        return where if codec is None else coded(where, codec)
    return CodedLocation(_bare_location(os.environ.get(VARIABLE) or DEFAULT if where is None else where, terms), codec)


def coded(location: Location, codec: Codec | None) -> Location:
    """Return *location* with values written with *codec*."""
    if isinstance(location, CodedLocation):
        return location._replace(codec=codec)
    assert isinstance(location, FolderLocation | SharedLocation), "there are no others"
    return CodedLocation(location, codec)


def bare_location(location: Location) -> Location:
    """Return the location itself, whatever is done to values."""
    return location.inner if isinstance(location, CodedLocation) else location


def _bare_location(where: str | os.PathLike[str], terms: Terms | None) -> FolderLocation | SharedLocation:
    scheme = scheme_of(where)
    if scheme is None or scheme == "file":
        return FolderLocation(_root_of(where))
    assert isinstance(where, str), "only a text has a scheme"
    return SharedLocation(open_store(where), terms or terms_of())


def terms_of(lease_seconds: float | None = None, *, take_over: bool = False) -> Terms:
    """Return how a writer holds its lease: as the arguments say, or else ``MILEPOST_LEASE_SECONDS``, or as usual.

    ``MILEPOST_TAKE_OVER=1`` says as much as *take_over*.

    Raises:
        InvalidArgument: One of them cannot be worked with.
    """
    word = os.environ.get(LEASE_VARIABLE)
    if lease_seconds is None and word:
        try:
            lease_seconds = float(word)
        except ValueError as error:
            raise InvalidArgument(f"{LEASE_VARIABLE} {word!r}: a number of seconds is needed.") from error
    taken = os.environ.get(TAKE_OVER_VARIABLE, "")
    if taken not in {"", "0", "1"}:
        raise InvalidArgument(f"{TAKE_OVER_VARIABLE} {taken!r}: 1 or 0 is needed.")
    return Terms(USUAL_SECONDS if lease_seconds is None else lease_seconds, take_over or taken == "1").checked()


def location_for_job(store: Where, terms: Terms | None = None, codec: Codec | None = None) -> Location:
    """Return where a job keeps its runs: what ``MILEPOST_STORE`` says, which moves it without an edit, or *store*.

    A folder is the one that its path names now, wherever the job goes. Errors are those of `location_of`.
    """
    if isinstance(store, Location):
        return store if codec is None else coded(store, codec)
    found = _bare_location(os.environ.get(VARIABLE) or store, terms)
    if isinstance(found, FolderLocation):
        found = found._replace(root=found.root.absolute())
    return CodedLocation(found, codec)


def _root_of(store: str | os.PathLike[str]) -> Path:
    text = os.fspath(store)
    if scheme_of(store) == "file":
        text = unquote(urlsplit(text).path)
    if not text or "\0" in text:
        raise InvalidArgument(f"store {text!r}: the path of a folder is needed, without NUL.")
    return Path(text)


class Place(NamedTuple):
    """Where *phase* is kept at a *location*."""

    location: Location
    phase: str

    @property
    def name(self) -> str:
        """Return the name of its folder there."""
        return folder_name(self.phase)

    @property
    def path(self) -> Spot:
        """Return where it is, for messages."""
        return self.location.spot / self.name

    def existing(self) -> RunStore | None:
        """Open where the phase's run is to be read, or return None; changes nothing."""
        return self.location.existing(self.name)

    def folder(self) -> RunStore | None:
        """Open what stands there, or return None; changes nothing."""
        return self.location.folder(self.name)

    def made(self) -> RunStore:
        """Open what stands there, made durably where it is missing; see `Location.made`."""
        return self.location.made(self.name)


def names_of_phases(location: Location) -> list[tuple[str, str]]:
    """Return, for all that might be a phase, its folder name and its own, which are such as `folder_name` makes them.

    Raises:
        InvalidArgument: There is no such folder.
        StorageError: It cannot be read.
    """
    return [(name, unquote(name)) for name in location.names() if is_named(name, unquote(name))]


def is_named(name: str, phase: str) -> bool:
    """Tell whether a folder *name* is the one that a phase called *phase* has: a stranger's may have any."""
    try:
        return folder_name(phase) == name
    except MilepostError:
        return False
