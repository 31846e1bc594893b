"""Single requests to a bucket: made again while that is of use, and told in Milepost's errors."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from milepost.errors import CorruptDocument, DurabilityUnknown, StoreUnavailable
from milepost.stores.objects.framing import framed, nonce, unframed

T = TypeVar("T")

_used_in: dict[str, int] = {}  # obstore's threads live in the process that used it first

_STATUS = re.compile(r"\bstatus(?: code)?:? *([1-5][0-9]{2})\b")
_FINAL = frozenset({"400", "404", "405"})


class Taken(Exception):
    """The object is there already, and another wrote it."""


class Changed(Exception):
    """The object is not of the version that was to be replaced."""


class Object(NamedTuple):
    """An object: its *data*, its *nonce*, its *version*, and when it was written, in seconds since 1970-01-01 UTC."""

    data: bytes
    nonce: str
    version: str
    modified: float


class _Again(Exception):
    """The request failed such that it may be made again; it may have arrived all the same."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(type(error).__name__)
        self.error = error


class _Sent:
    """Whether a write may have arrived though nobody said so."""

    perhaps = False


class Bucket:
    """A bucket behind obstore's *client*; each verb ends within about *seconds*."""

    def __init__(self, client: Any, where: str, seconds: float) -> None:
        """Ask nothing yet; *where* is its URL without secrets."""
        self._client = client
        self.where = where
        self._seconds = seconds

    def read(self, key: str) -> Object:
        """Return an object.

        Raises:
            FileNotFoundError: There is none.
            CorruptDocument: It is not what was written.
            StoreUnavailable: The bucket refused, or could not be reached in time.
        """
        return self._insistently(lambda: self._get(key), f"read {key}", writes=False)

    def create(self, key: str, data: bytes) -> str:
        """Write an object under a free key; return its version.

        Raises:
            Taken: Another wrote it.
            DurabilityUnknown: Nobody knows whether it was written.
            StoreUnavailable: The bucket refused.
        """
        mark, sent = nonce(), _Sent()
        body = framed(mark, data)

        def once() -> str:
            try:
                return self._put(key, body, "create")
            except (AlreadyExistsError, PreconditionError) as error:
                return self._mine(key, mark, error, Taken)
            except _Again as again:
                sent.perhaps = True
                return self._mine(key, mark, again, Taken)

        return self._insistently(once, f"write {key}", writes=True, sent=sent)

    def replace(self, key: str, data: bytes, version: str) -> str:
        """Write an object if its version is still *version*; return the new one.

        Raises:
            Changed: It has another version, or is gone.
            DurabilityUnknown: Nobody knows whether it was written.
            StoreUnavailable: The bucket refused.
        """
        mark, mode, sent = nonce(), _mode(version), _Sent()
        body = framed(mark, data)

        def once() -> str:
            try:
                return self._put(key, body, mode)
            except NotFoundError as error:
                raise Changed(key) from error
            except (AlreadyExistsError, PreconditionError) as error:
                return self._mine(key, mark, error, Changed, old=version)
            except _Again as again:
                sent.perhaps = True
                return self._mine(key, mark, again, Changed, old=version)

        return self._insistently(once, f"write {key}", writes=True, sent=sent)

    def delete(self, keys: list[str]) -> None:
        """Delete objects; a missing one is no error."""

        def once() -> None:
            try:
                self._ask(lambda: obstore.delete(self._client, keys), NotFoundError)
            except NotFoundError:
                return

        if keys:
            self._insistently(once, "delete objects", writes=True)

    def names(self, prefix: str, after: str | None = None) -> list[str]:
        """List the keys below *prefix* that are behind *after*, sorted."""

        def once() -> list[str]:
            return sorted(name for page in self._pages(prefix, after) for name in page)

        return self._insistently(once, f"list {prefix}", writes=False)

    def branches(self, prefix: str) -> list[str]:
        """List the next parts of keys below *prefix* that go on behind it."""

        def once() -> list[str]:
            found = self._ask(lambda: obstore.list_with_delimiter(self._client, prefix or None))
            return sorted(path.rpartition("/")[2] for path in found["common_prefixes"])

        return self._insistently(once, f"list {prefix}", writes=False)

    # --- inside

    def _get(self, key: str) -> Object:
        try:
            result = self._ask(lambda: obstore.get(self._client, key), NotFoundError)
            whole = bytes(self._ask(result.bytes))
        except NotFoundError as error:
            raise FileNotFoundError(f"{self.where}: {key}") from error
        found = unframed(whole)
        if found is None:
            if len(whole) < result.meta["size"]:  # the body broke off
                raise _Again(EOFError(key))
            raise CorruptDocument(f"{self.where}: the object {key} is not what was written.")
        modified: datetime = result.meta["last_modified"]
        return Object(found.data, found.nonce, _version(result.meta), modified.timestamp())

    def _put(self, key: str, body: bytes, mode: Any) -> str:
        answers = (AlreadyExistsError, PreconditionError, NotFoundError)
        return _version(
            self._ask(lambda: obstore.put(self._client, key, body, mode=mode, use_multipart=False), *answers)
        )

    def _mine(
        self, key: str, mark: str, error: BaseException, refused: type[Taken | Changed], *, old: str | None = None
    ) -> str:
        """Look what became of a write: its version if it stands; an error if another's does; else it is made again."""
        cause = error.error if isinstance(error, _Again) else error
        try:
            found = self._get(key)
        except FileNotFoundError:
            if refused is Changed:
                raise Changed(key) from cause
            raise _Again(cause) from cause
        if found.nonce == mark:
            return found.version
        if old is not None and found.version == old:
            raise _Again(cause) from cause
        raise refused(key) from cause

    def _pages(self, prefix: str, after: str | None) -> Iterator[list[str]]:
        pages = obstore.list(self._client, prefix or None, offset=after, chunk_size=1000)
        while True:
            page = self._ask(lambda: next(pages, None))
            if page is None:
                return
            yield [one["path"] for one in page]

    def _ask(self, request: Callable[[], T], *answers: type[BaseError]) -> T:
        """Make one request; the service's *answers* pass, what may be made again becomes `_Again`."""
        if os.getpid() != _used_in.setdefault("pid", os.getpid()):
            raise StoreUnavailable(
                f"{self.where}: this is a forked child of a process that uses object storage, whose threads a fork "
                "leaves behind. Nothing was written. Start children with spawn or forkserver, or return results to the "
                "parent."
            )
        try:
            return request()
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise StoreUnavailable(
                f"{self.where}: the credentials in the environment may not do this, or there are none. Nothing was "
                "written."
            ) from error
        except BaseError as error:
            if isinstance(error, answers):
                raise
            status = _status(error)
            if status in _FINAL:
                raise StoreUnavailable(
                    f"{self.where}: the service refuses this request for good (status {status}). Nothing was "
                    "written; look at the bucket's name, the region and the endpoint."
                ) from error
            raise _Again(error) from error

    def _insistently(self, attempt: Callable[[], T], doing: str, *, writes: bool, sent: _Sent | None = None) -> T:
        tries = Retrying(
            retry=retry_if_exception_type(_Again),
            stop=stop_after_delay(self._seconds),
            wait=wait_random_exponential(multiplier=0.1, max=2.0),
            reraise=True,
        )
        try:
            return tries(attempt)
        except StoreUnavailable as error:
            if sent is None or not sent.perhaps:
                raise
            raise DurabilityUnknown(
                f"{self.where}: a try to {doing} got no answer, and then the service refused to tell what became of "
                "it, so nobody knows whether it was written; it is not acknowledged. Everything acknowledged before is "
                "whole. Put the credentials right and run the same command again."
            ) from error
        except _Again as again:
            status = _status(again.error)
            reason = f"status {status}" if status else type(again.error).__name__
            if writes:
                raise DurabilityUnknown(
                    f"{self.where}: the bucket gave no usable answer for {self._seconds:g} s while trying to {doing} "
                    f"({reason}), so nobody knows whether it was written; it is not acknowledged. Everything "
                    "acknowledged before is whole. Run the same command again."
                ) from again.error
            raise StoreUnavailable(
                f"{self.where}: cannot {doing}: no usable answer for {self._seconds:g} s ({reason}). Run the same "
                "command again once the service can be reached."
            ) from again.error


def _status(error: BaseException) -> str | None:
    """Return the HTTP status that an error tells of, if it does."""
    found = _STATUS.search(str(error))
    return found[1] if found else None


def _mode(version: str) -> dict[str, str]:
    """Return the version of an object as obstore names it; what was never one matches nothing."""
    try:
        known = json.loads(version)
    except ValueError:
        known = None
    return known if isinstance(known, dict) and known else {"e_tag": '"none"'}


def _version(meta: Any) -> str:
    """Return what names a version of an object, as text."""
    known = {name: meta[name] for name in ("e_tag", "version") if meta.get(name) is not None}
    return json.dumps(known, sort_keys=True)
