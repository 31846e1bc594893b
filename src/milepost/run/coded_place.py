"""Where runs are kept whose values are compressed or encrypted: any location, with a codec around what it opens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from milepost.codec.coding import Codec
from milepost.errors import InvalidArgument
from milepost.run.coded import CodedRun
from milepost.stores import RunStore, Spot

if TYPE_CHECKING:
    from milepost.run.place import Location


class CodedLocation(NamedTuple):
    """The phases at another location, their values written with *codec*; None keeps to what each run has."""

    inner: Location
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


def checked_codec(codec: Codec | None) -> Codec | None:
    """Return *codec* if it is one, or None.

    Raises:
        InvalidArgument: It is something else.
    """
    if codec is not None and not isinstance(codec, Codec):
        raise InvalidArgument("codec: a milepost.Codec is needed, or None.")
    return codec


def bare_location(location: Location) -> Location:
    """Return the location itself, whatever is done to values."""
    return location.inner if isinstance(location, CodedLocation) else location
