"""What the loop asks of workers, whatever they are."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from milepost.errors import WorkerDied

if TYPE_CHECKING:
    from concurrent.futures import Future

    from milepost.phase.work import Pending


class Outcome(NamedTuple):
    """How one try ended: with a *value* or an *error*, after *seconds*.

    *final* means that trying again cannot help, as with a result that no process can send.
    """

    seconds: float
    value: Any = None
    error: BaseException | None = None
    final: bool = False


class Pool(Protocol):
    """Workers that make one try of one item at a time.

    A future's exception is trouble with the workers, never an error of the function: that comes as an
    `Outcome`. `WorkerDied` counts against the item, `BrokenExecutor` means that the whole pool is gone.
    """

    ends_work: bool
    """Whether the pool itself ends a try whose time is over."""

    @property
    def window(self) -> int:
        """How many items may be begun and not recorded. It shrinks while abandoned tries hold workers."""

    def submit(self, pending: Pending) -> Future[Outcome]:
        """Have one try made."""

    def withdraw(self, future: Future[Outcome]) -> bool:
        """Take back a try that no worker has begun. Return whether it was taken back."""

    def abandon(self, future: Future[Outcome]) -> None:
        """Give up a try that cannot be ended: whatever comes of it is not wanted."""

    def renew(self) -> bool:
        """Replace workers that are lost. Return whether this could be done."""

    def close(self, *, now: bool) -> None:
        """End the workers that are ours: after what they have, or *now*. A user's executor stays as it is."""


def attempt(function: Callable[..., Any], item: Any, options: dict[str, Any]) -> Outcome:
    """Call *function* once and measure it.

    Args:
        function: The user's function.
        item: Its argument.
        options: Its keyword arguments.
    """
    began = time.monotonic()
    try:
        value = function(item, **options)
    except BaseException as error:  # noqa: BLE001 -- whatever it is, the loop decides, not the worker
        return Outcome(time.monotonic() - began, error=error)
    return Outcome(time.monotonic() - began, value)


def translated(trouble: BaseException) -> BaseException:
    """Return *trouble* with the workers in our terms, where we have one."""
    if type(trouble).__name__ == "KilledWorker":  # Dask's, which we do not import
        died = WorkerDied(f"Dask gave this item up: {trouble}")
        died.__cause__ = trouble
        return died
    return trouble
