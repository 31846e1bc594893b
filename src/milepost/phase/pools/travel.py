"""What goes from one process to another: made fit before it leaves, so that nothing breaks on arrival."""

from __future__ import annotations

import traceback
from multiprocessing.reduction import ForkingPickler
from typing import Any

from milepost.phase.pools.base import Outcome


class RemoteError(Exception):
    """Stands for an error of a worker process that cannot be sent as it is; its name and text are kept."""


def fit_to_travel(outcome: Outcome) -> Outcome:
    """Return *outcome* with an error that another process can load, and that tells where it happened."""
    if outcome.error is None:
        return outcome
    return outcome._replace(error=_sendable(outcome.error))


def pack(value: Any) -> memoryview:
    """Return *value* as bytes for another process."""
    return memoryview(ForkingPickler.dumps(value))


def unpack(data: bytes | memoryview) -> Any:
    """Return what `pack` was given, in another process of ours."""
    return ForkingPickler.loads(data)


def _sendable(error: BaseException) -> BaseException:
    told = "".join(traceback.format_exception(error)).rstrip()
    try:
        error.add_note(f"In the worker:\n{told}")  # a traceback does not travel
        loaded = unpack(pack(error))
    except Exception:  # noqa: BLE001 -- an error's own code may fail in any way when it is pickled
        loaded = None
    if type(loaded) is type(error):
        return error
    substitute = RemoteError(f"{type(error).__qualname__}: {_text(error)}")
    substitute.add_note(f"In the worker:\n{told}")
    return substitute


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 -- an error whose text cannot be had is still an error
        return "(its text cannot be read)"
