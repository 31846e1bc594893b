"""Whether an item is tried again, and when: exponential backoff with jitter, decided by tenacity.

Nothing here sleeps. The loop that asks keeps the item's place in its window, gives the worker to
another item meanwhile, and so ends a wait at once when the run is stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from milepost.errors import InvalidArgument

if TYPE_CHECKING:
    from tenacity import RetryCallState

LONGEST_WAIT_SECONDS = 60.0

WaitAfter = Callable[[BaseException, int], float | None]
"""Given an error and how many tries were made: the seconds until the next try, or None for no more."""


def waits(retries: int, first_wait_seconds: float) -> WaitAfter:
    """Return what decides about the next try.

    The waits double from try to try, up to 60 seconds (or *first_wait_seconds*, if that is longer), and
    up to *first_wait_seconds* at random are added to each. Only an `Exception` is tried again: an interrupt or an
    exit is not a failure of the work.

    Args:
        retries: How many further tries an item gets after the first.
        first_wait_seconds: The wait before the second try; 0 for none at all.

    Raises:
        InvalidArgument: A number is negative.
    """
    if retries < 0:
        raise InvalidArgument(f"retries={retries}: the number of further tries cannot be negative")
    if first_wait_seconds < 0:
        raise InvalidArgument(f"retry_wait_seconds={first_wait_seconds}: a wait cannot be negative")
    if retries == 0:
        return lambda error, tries: None  # noqa: ARG005 -- the shape of every such rule
    import tenacity

    may_stop = tenacity.stop_after_attempt(retries + 1)
    longest = max(LONGEST_WAIT_SECONDS, first_wait_seconds)
    # Not wait_exponential_jitter: its arguments were renamed between the versions we work with.
    doubling = tenacity.wait_exponential(multiplier=first_wait_seconds, max=longest)
    wait = doubling + tenacity.wait_random(0, first_wait_seconds)
    retrying = tenacity.Retrying(stop=may_stop, wait=wait)

    def wait_after(error: BaseException, tries: int) -> float | None:
        state: RetryCallState = tenacity.RetryCallState(retrying, None, (), {})
        state.attempt_number = tries
        if not isinstance(error, Exception) or may_stop(state):
            return None
        return float(wait(state))

    return wait_after
