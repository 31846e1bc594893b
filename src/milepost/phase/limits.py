"""What a phase may take: dollars of its run, and seconds of an attempt. Reached, it stops cleanly and resumable."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from milepost.errors import BudgetReached, InvalidArgument, PhaseTimeout

Spent = Callable[[], float]


class Budget(NamedTuple):
    """What was allowed; None is no limit.

    *max_cost_usd* bounds what the paid calls of the run, in all its attempts, may have cost; *max_seconds* how long an
    attempt begins new work; *timeout_seconds* how long an attempt may take before it counts as failed.
    """

    max_cost_usd: float | None = None
    max_seconds: float | None = None
    timeout_seconds: float | None = None


class Limits:
    """Asked before each item, step and call of one attempt; any thread may ask.

    *bounds_time* tells whether `check` can ever refuse.
    """

    def __init__(self, phase: str, budget: Budget, spent_usd: Spent) -> None:
        """Measure from now on, by the monotonic clock; *spent_usd* tells what the run has spent."""
        self._phase = phase
        self._budget = budget
        self._spent_usd = spent_usd
        self._begun = time.monotonic()
        self._mutex = threading.Lock()
        self._in_flight_usd = 0.0
        self.bounds_time = budget.max_seconds is not None or budget.timeout_seconds is not None

    @property
    def is_reached(self) -> bool:
        """Whether nothing new may begin because time is over."""
        return self._over(self._budget.max_seconds) or self._over(self._budget.timeout_seconds)

    def check(self) -> None:
        """Let something new begin.

        Raises:
            BudgetReached: The attempt has had its seconds.
            PhaseTimeout: It has had more time than a try may take.
        """
        if self._over(self._budget.timeout_seconds):
            raise self.timeout()
        if self._over(self._budget.max_seconds):
            raise BudgetReached(
                f"{self._phase}: stopped after max_seconds={self._budget.max_seconds:g}. Everything recorded is safe; "
                "run the same command again to go on.",
                limit="max_seconds",
            )

    def timeout(self) -> PhaseTimeout:
        """Return what is raised when a try has had its time."""
        return PhaseTimeout(
            f"{self._phase}: not finished within timeout_seconds={self._budget.timeout_seconds:g}. Everything recorded "
            "is safe; run the same command again to go on, or allow more time."
        )

    def reserve(self, key: str, cost_usd: float | None) -> None:
        """Set the price of a call aside before it is sent; `release` gives it back once its intent is recorded.

        Raises:
            InvalidArgument: The phase has a budget and the call no price.
            BudgetReached: The call would exceed the budget; it is not made.
        """
        most = self._budget.max_cost_usd
        if most is None:
            return
        if cost_usd is None:
            raise InvalidArgument(f"call {key!r}: this phase has max_cost_usd={most:g}, so each call needs cost_usd=.")
        with self._mutex:
            spent = self._spent_usd() + self._in_flight_usd
            if round(spent + cost_usd, 9) > most:
                raise BudgetReached(
                    f"{self._phase}: call {key!r} costs ${cost_usd:g} and ${spent:g} of max_cost_usd={most:g} are "
                    "spent, so it was not made. Everything recorded is safe; allow more and run the same command "
                    "again to go on.",
                    limit="max_cost_usd",
                )
            self._in_flight_usd += cost_usd

    def release(self, cost_usd: float | None) -> None:
        """Give back what was set aside."""
        if self._budget.max_cost_usd is not None and cost_usd is not None:
            with self._mutex:
                self._in_flight_usd -= cost_usd

    def _over(self, seconds: float | None) -> bool:
        return seconds is not None and time.monotonic() - self._begun >= seconds
