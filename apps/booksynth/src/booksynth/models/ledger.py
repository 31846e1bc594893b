"""The paid calls: each is made once, kept by what was asked, and paid for within the limits.

The ledger is a phase of Milepost of its own. So answers outlive changes of booksynth's code, of the shelf and of the
settings, and a run that begins anew pays for nothing again.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from booksynth.models.errors import FailedError, NotAllowedError, OverLimitError

if TYPE_CHECKING:
    import milepost
    from booksynth.models.settings import CostLimits

NAME = "models"
_NOTHING = Decimal(0)


@dataclass(frozen=True)
class Reply:
    """What came of a call: the response as JSON data, its price, and how many tries before it got no answer."""

    response: Any
    usd: Decimal
    unanswered: int = 0


Send = Callable[[str], Reply]
"""Makes the call with the idempotency key that it is given. Raises `FailedError` or `NotAllowedError`."""


def _perform(question: str, send: Callable[[str], dict[str, Any]], *, call_id: str) -> dict[str, Any]:
    """Make a call. Milepost fingerprints this function with its answers, so what changes stays outside of it.

    *question* is there because the arguments, which are part of the idempotency key, tell what is asked.
    """
    assert question, "a digest"
    return send(call_id)


class Ledger:
    """The calls of all phases, in one open phase of Milepost. Any thread may ask."""

    def __init__(self, phase: milepost.Phase, limits: CostLimits) -> None:
        """Go on with the calls of *phase*, within *limits*."""
        self._phase = phase
        self._limits = {"phase_2": limits.phase_2_usd, "phase_3": limits.phase_3_usd}
        self._total = limits.total_usd
        self._mutex = threading.Lock()
        self._asking: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._calls: dict[str, dict[str, str]] = phase.state.setdefault("calls", {})

    def ask(self, phase: str, question: str, at_most: Decimal, send: Send, *, tries: int = 1) -> Any:
        """Return the response to *question*, from the ledger or by *send*.

        Args:
            phase: Which phase pays.
            question: The digest of all that was asked.
            at_most: What one try can cost, in US dollars.
            send: Makes the call.
            tries: How many tries *send* may make, each of which may be billed; all are set aside before the first.

        Raises:
            FailedError: It failed; asked again, it has the same idempotency key.
            OverLimitError: It could exceed a limit; it was not sent.
        """

        def perform(call_id: str) -> dict[str, Any]:
            self._set_aside(phase, question, at_most * tries)
            try:
                reply = send(call_id)
            except (FailedError, NotAllowedError) as error:
                self._settle(phase, question, None, at_most * error.unanswered)
                raise
            unsure = at_most * reply.unanswered
            return {"response": reply.response, "usd": str(reply.usd), "unsure": str(unsure)}

        with self._mutex:
            turn = self._asking[question]
        with turn:  # two books may hold one chapter: the second waits for the first one's answer
            answer = self._phase.call(question, _perform, question, perform, cost_usd=float(at_most))
            self._settle(phase, question, Decimal(answer["usd"]), Decimal(answer["unsure"]))
        return answer["response"]

    def _set_aside(self, phase: str, question: str, at_most: Decimal) -> None:
        with self._mutex:
            spent = spent_by_phase(self._calls)
            for name, limit, used in (
                (f"cost_limits.{phase}_usd", self._limits.get(phase), spent.get(phase, _NOTHING)),
                ("cost_limits.total_usd", self._total, sum(spent.values(), _NOTHING)),
            ):
                if limit is not None and used + at_most > limit:
                    raise OverLimitError(*_stop(name, limit, used, at_most))
            before = self._calls.get(question, {})
            # What an earlier attempt set aside and never settled was sent, and may have been billed.
            unsure = Decimal(before.get("unsure", 0)) + Decimal(before.get("aside", 0))
            self._calls[question] = {"phase": phase, "unsure": str(unsure), "aside": str(at_most)}
            self._phase.save()

    def _settle(self, phase: str, question: str, usd: Decimal | None, unsure: Decimal) -> None:
        """Replace what was set aside by what was paid; None where no answer came."""
        with self._mutex:
            before = self._calls.get(question, {"phase": phase, "unsure": "0", "aside": "0"})
            if "aside" not in before:
                return
            after = {"phase": before["phase"], "unsure": str(Decimal(before["unsure"]) + unsure)}
            if usd is not None:
                after["usd"] = str(usd)
            self._calls[question] = after
            self._phase.save()


def _stop(name: str, limit: Decimal, used: Decimal, at_most: Decimal) -> tuple[str, str]:
    message = (
        f"a call to the model can cost ${at_most:.4f} with all its tries, and ${used:.4f} of {name}={limit} are spent "
        "or set aside, so it was not made. Everything recorded is safe; allow more and run the same command again to "
        "go on."
    )
    return message, name


def spent_by_phase(calls: Mapping[str, Mapping[str, str]]) -> dict[str, Decimal]:
    """Return by phase what calls cost or may have cost, in US dollars."""
    found: dict[str, Decimal] = {}
    for call in calls.values():
        amount = sum((Decimal(call.get(name, 0)) for name in ("usd", "unsure", "aside")), _NOTHING)
        found[call["phase"]] = found.get(call["phase"], _NOTHING) + amount
    return found


def bill(calls: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return what calls came to, as JSON data.

    `answered` counts those with an answer and `usd` is their price; `unsure_usd` is the most that was billed for tries
    that were sent and not answered, if any of it was. Amounts are texts, so that no digit is lost.
    """
    unsure = (Decimal(call.get(name, 0)) for call in calls.values() for name in ("unsure", "aside"))
    answered = [Decimal(call["usd"]) for call in calls.values() if "usd" in call]
    return {
        "answered": len(answered),
        "unanswered": len(calls) - len(answered),
        "usd": _text(sum(answered, _NOTHING)),
        "unsure_usd": _text(sum(unsure, _NOTHING)),
    }


def _text(amount: Decimal) -> str:
    return f"{amount.normalize():f}" if amount else "0"
