"""The digests an attempt takes: of the run's parameters, inputs and code, and of each item before it is handed out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Protocol

from milepost import codec
from milepost.clock import Clock
from milepost.errors import NotEncodable
from milepost.phase.settings import Settings
from milepost.phase.work import Key, Version
from milepost.records import digest
from milepost.run.session import DIGESTS, Session

if TYPE_CHECKING:
    from milepost.fingerprint import FileDigests


class Documents(Protocol):
    """Where an attempt keeps what is not in its journal."""

    def document(self, name: str) -> bytes | None:
        """Return a document's bytes, or None if there is none."""


class Digests:
    """Digests of one attempt; those of big files are kept beside the run, so that unchanged ones are not read again."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        """Read what an earlier attempt kept, when a file is asked for first."""
        self._documents = documents
        self._clock = clock
        self._files: FileDigests | None = None
        self._kept: bytes | None = None

    def description(self, settings: Settings) -> dict[str, dict[str, str]]:
        """Return what the run is made with, by section; names to readable values.

        Raises:
            InvalidArgument: An input is missing, or a parameter has no stored form.
        """
        within = settings.within
        around = {} if within is None else {"upstream": within.upstream}
        if settings.params is None and not settings.inputs and not settings.code and not settings.seed:
            return {section: parts for section, parts in around.items() if parts}
        from milepost.fingerprint import code_parts, input_parts, parameter_parts

        params = parameter_parts(settings.params)
        if settings.seed:
            params["(seed)"] = str(settings.seed)
        sections = {
            "params": params,
            "inputs": input_parts(settings.inputs, self._file_digests()) if settings.inputs else {},
            "code": code_parts(settings.code) if settings.code else {},
        }
        return {section: parts for section, parts in (sections | around).items() if parts}

    def of_items(self, key: Key | None, version: Version | None) -> Callable[[Any], str | None]:
        """Return what takes the digest of an item of a loop with that *key* and *version*."""
        if version is not None:
            return lambda item: self.of_value(version(item))
        return self.of_item if key is not None else self.of_keyed_item

    def of_keyed_item(self, item: Any) -> str | None:
        """Return the digest of an item that is its own key: a text is all it says, a path has its content."""
        return None if type(item) is str else self.of_item(item)

    def of_item(self, item: Any) -> str | None:
        """Return the digest of an item.

        Raises:
            NotEncodable: It has no stored form.
        """
        try:
            return self.of_value(item)
        except NotEncodable as error:
            raise NotEncodable(
                f"item{error.path.removeprefix('value')}",
                f"{error.reason}; whether it changed cannot be known: pass version=, a function from item to a value "
                "that changes with it",
            ) from None

    def of_value(self, value: Any) -> str:
        """Return the digest of a value: the content of a path, the encoding of anything else.

        Raises:
            NotEncodable: It has no stored form.
        """
        if isinstance(value, PurePath):
            return self._of_path(Path(value))
        return digest(codec.encode(value))

    def keep(self, session: Session) -> None:
        """Keep the digests of big files for the next attempt."""
        if self._files is not None:
            data = self._files.dump()
            if data != self._kept:
                session.keep_document(DIGESTS, data)

    def _of_path(self, path: Path) -> str:
        from milepost.fingerprint import item_digest

        if not path.exists():
            return digest(b"absent")  # what comes of it is for the loop's body to say
        return item_digest(path, self._file_digests()) or ""

    def _file_digests(self) -> FileDigests:
        if self._files is None:
            from milepost.fingerprint import FileDigests

            self._kept = self._documents.document(DIGESTS)
            self._files = FileDigests(self._kept, clock=self._clock)
        return self._files
