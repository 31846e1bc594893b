"""What goes wrong with a database, told in Milepost's errors; and trying again what may be tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from milepost.errors import DiskFull, DurabilityUnknown, MilepostError, StoreUnavailable

T = TypeVar("T")

_FULL = frozenset({"53100", "SQLITE_FULL"})
_HINTS = {
    "42501": "this role may not; grant it what docs/sql-stores.md lists",
    "57014": "the statement took longer than statement_timeout and was taken back",
    "55P03": "another session holds a lock for too long",
    "25006": "the database is read-only: it may be a standby",
    "28P01": "the password is wrong",
    "28000": "the server does not let this role in",
    "3D000": "there is no such database",
    "SQLITE_BUSY": "another process holds the file for too long",
    "SQLITE_READONLY": "the file or its folder is read-only",
    "SQLITE_CANTOPEN": "the file or its folder cannot be opened",
}
_GOING_DOWN = frozenset({"57P01", "57P02", "57P03"})


class Lost(Exception):
    """The connection broke. *sent* tells that a statement may have arrived, so that nobody knows what became of it."""

    def __init__(self, error: SQLAlchemyError, *, sent: bool) -> None:
        """Remember the *error*."""
        super().__init__(str(type(error).__name__))
        self.error = error
        self.sent = sent


def code_of(error: SQLAlchemyError) -> str:
    """Return the SQLSTATE, or SQLite's name for its error; empty where there is none."""
    origin = getattr(error, "orig", None)
    return getattr(origin, "sqlstate", None) or getattr(origin, "sqlite_errorname", None) or ""


def is_lost(error: SQLAlchemyError) -> bool:
    """Tell whether the connection broke, rather than that the database said no."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    code = code_of(error)
    return (
        error.connection_invalidated or code in _GOING_DOWN or code[:2] == "08" or (not code and _is_operational(error))
    )


def told(error: SQLAlchemyError, where: str, doing: str) -> MilepostError:
    """Return Milepost's error for one of the database, which never repeats its parameters or its address."""
    code = code_of(error)
    if code.startswith(tuple(_FULL)):
        return DiskFull(
            f"{where}: cannot {doing}: the database's disk is full. Everything acknowledged before is whole. Free some "
            "space and run the same command again."
        )
    origin = getattr(error, "orig", None)
    name = code or type(origin or error).__name__
    hint = next((text for known, text in _HINTS.items() if code.startswith(known)), None)
    return StoreUnavailable(f"{where}: cannot {doing}: {name}" + (f": {hint}." if hint else "."))


@contextmanager
def watched(where: str, doing: str, *, sent: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Turn errors of the database in the block into `Lost`, or into Milepost's."""
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        if is_lost(error):
            raise Lost(error, sent=sent()) from error
        if code_of(error).startswith("SQLITE_IOERR"):
            raise DurabilityUnknown(
                f"{where}: cannot {doing}: the device reports an error. Nobody knows what the disk holds of this last "
                "write; it is not acknowledged. Look at the system log before trusting this disk."
            ) from error
        raise told(error, where, doing) from error


def insistently(attempt: Callable[[], T], where: str, doing: str, *, seconds: float, writes: bool) -> T:
    """Return what *attempt* returns, made again while the connection breaks, for *seconds* at most.

    Raises:
        DurabilityUnknown: It *writes*, and nobody knows what became of the last statement that was sent.
        StoreUnavailable: The database could not be reached; nothing was written.
    """
    sent = False

    def once() -> T:
        nonlocal sent
        try:
            return attempt()
        except Lost as lost:
            sent = sent or lost.sent
            raise

    with suppress(Lost):
        return once()
    tries = Retrying(
        retry=retry_if_exception_type(Lost),
        stop=stop_after_delay(seconds),
        wait=wait_random_exponential(multiplier=0.1, max=1.0),
        reraise=True,
    )
    try:
        return tries(once)
    except Lost as lost:
        if writes and sent:
            raise DurabilityUnknown(
                f"{where}: the connection broke while trying to {doing}, and the database could not be reached again "
                f"in {seconds:g} s, so nobody knows whether it was written; it is not acknowledged. Everything "
                "acknowledged before is whole. See that the server runs, then run the same command again."
            ) from lost
        raise StoreUnavailable(
            f"{where}: cannot {doing}: the database could not be reached in {seconds:g} s ({_reason(lost.error)}). "
            "Nothing was written. See that the server runs, then run the same command again."
        ) from lost


def _is_operational(error: DBAPIError) -> bool:
    return type(error.orig).__name__ in {"OperationalError", "InterfaceError", "ConnectionTimeout", "AdminShutdown"}


def _reason(error: SQLAlchemyError) -> str:
    return code_of(error) or type(getattr(error, "orig", None) or error).__name__
