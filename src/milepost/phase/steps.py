"""Named computations of a phase: steps, done once per run, and calls, whose intent is durable before they are made."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from milepost import codec
from milepost.errors import InvalidArgument, NotEncodable
from milepost.events import EventKind
from milepost.phase.changes import Makers
from milepost.phase.limits import Limits
from milepost.phase.loop import told
from milepost.phase.results import Results
from milepost.phase.telling import Teller
from milepost.phase.work import Ambiguous, Happened
from milepost.records import Kind, Record, digest
from milepost.run.index import CALLS, STEPS, Group, short
from milepost.run.session import Recorded, Session

log = logging.getLogger(__name__)

_CALL_IDS = "b4f3c6de-6f0e-5d52-9a54-5a7b1f4b3c11"  # a namespace of our own, drawn once

ItemDigest = Callable[[Any], str | None]


class Steps:
    """The steps and calls of one attempt."""

    def __init__(
        self,
        session: Session,
        makers: Makers | None,
        item_digest: ItemDigest,
        limits: Limits,
        teller: Teller | None = None,
    ) -> None:
        """Work in *session*, within *limits*; *makers* judges functions, None where Milepost is switched off."""
        self._limits = limits
        self._teller = teller
        self._session = session
        self._makers = makers
        self._item_digest = item_digest
        self._steps = session.index.group(STEPS)
        self._calls = session.index.group(CALLS)
        self._mutex = threading.Lock()
        self._under_way: set[tuple[str, str]] = set()
        self.used: dict[tuple[str, str], str] = {}

    def step(self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the value of *function*, computed once per run for the same arguments."""
        code, given = self._begin(STEPS, name, function, args, kwargs)
        with self._alone(STEPS, name):
            if self._is_done(self._steps, name, given, code):
                return self._session.value(self._steps.sequence(name))
            since = time.monotonic()
            value = function(*args, **kwargs)
            seconds = self._record(STEPS, name, value, given, code, since)
            self._tell(EventKind.STEPPED, name, seconds=seconds)
            return value

    def call(
        self,
        key: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        cost_usd: float | None,
        reconcile: Callable[..., Any] | None,
    ) -> Any:
        """Return the answer of *function*; its intent is durable before it is called."""
        cost_usd = _checked_price(key, cost_usd)
        code, given = self._begin(CALLS, key, function, args, kwargs)
        with self._alone(CALLS, key):
            if self._is_done(self._calls, key, given, code):
                return self._session.value(self._calls.sequence(key))
            call_id = self._call_id(key, given)
            since = time.monotonic()
            answer = self._answer_to(key, call_id, reconcile)
            if answer is not None:
                self._record(CALLS, key, answer.result, given, code, since)
                return answer.result
            self._send(key, call_id, given, code, cost_usd)
            try:
                value = function(*args, call_id=call_id, **kwargs)
            except Exception as error:
                seconds = round(time.monotonic() - since, 6)
                failure = told(error) | {"call_id": call_id}
                self._session.append(
                    [self._session.made(Kind.FAILED, key, failure, group=CALLS, seconds=seconds, input=given)]
                )
                self._tell(EventKind.UNANSWERED, key, call_id=call_id, cost_usd=cost_usd, seconds=seconds, error=error)
                raise
            seconds = self._record(CALLS, key, value, given, code, since)
            self._tell(EventKind.ANSWERED, key, call_id=call_id, cost_usd=cost_usd, seconds=seconds)
            return value

    def _send(self, key: str, call_id: str, given: str, code: str | None, cost_usd: float | None) -> None:
        """Make the intent durable, if the budget allows the call."""
        self._limits.reserve(key, cost_usd)
        try:
            intent = {"call_id": call_id, "cost_usd": cost_usd}
            self._session.append(
                [*self._declared(code), self._session.made(Kind.INTENT, key, intent, group=CALLS, input=given)]
            )
        finally:
            self._limits.release(cost_usd)
        self._tell(EventKind.SENT, key, call_id=call_id, cost_usd=cost_usd)

    def ambiguous(self) -> list[Ambiguous]:
        """Return the calls that were sent and not answered."""
        return self.listed(self._session)

    @staticmethod
    def listed(recorded: Recorded) -> list[Ambiguous]:
        """Return the calls of any recorded run that were sent and not answered."""
        return [_intent(recorded, key, sequence) for key, sequence in recorded.index.intents.items()]

    def digest_of_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Return one digest of all arguments; what has no stored form counts by its type."""
        named = [*((str(place), value) for place, value in enumerate(args)), *sorted(kwargs.items())]
        pieces = [f"{name}={self._argument(value)}".encode() for name, value in named]
        return digest(b"\n".join(pieces))

    def newest(self) -> int:
        """Return the number of the newest record among the steps and calls that this attempt used, or 0.

        What it did not use cannot make a result stale: a step inside a loop's body belongs to an item, and an item
        that is done does not ask for it again.
        """
        return max((self._session.index.group(group).sequence(name) for group, name in self.used), default=0)

    # --- inside

    def _begin(
        self, group: str, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[str | None, str]:
        if type(name) is not str or not name:
            raise InvalidArgument(f"{group} {name!r}: a name that is a text and not empty is needed.")
        if not callable(function):
            raise InvalidArgument(f"{group} {name!r}: a function is needed, not a {type(function).__name__}.")
        given = self.digest_of_arguments(args, kwargs)
        if self.used.setdefault((group, name), given) != given:
            raise InvalidArgument(
                f"{group} {name!r} is used twice in this attempt with other arguments; give each use its own name."
            )
        if self._makers is None:
            return None, given
        known = self._session.index.group(group)
        maker = known.code(name) if known.sequence(name) else None
        return self._makers.admit(function, {maker} if maker else set()), given

    def _is_done(self, group: Group, name: str, given: str, code: str | None) -> bool:
        if not group.sequence(name) or group.inputs[group.ordinals[name]] != short(given):
            return False
        return code is None or self._makers is None or group.code(name) in {None, *self._makers.same_as(code)}

    def _record(self, group: str, name: str, value: Any, given: str, code: str | None, since: float) -> float:
        seconds = round(time.monotonic() - since, 6)
        record = self._session.made(
            Kind.DONE, name, value, group=group, seconds=seconds, input=given, code=code, name=f"{group}s[{name!r}]"
        )
        self._session.append([*self._declared(code), record])
        return seconds

    def _tell(self, kind: EventKind, key: str, **details: Any) -> None:
        if self._teller is not None:
            self._teller.tell(kind, key, **details)

    def _declared(self, code: str | None) -> list[Record]:
        return self._makers.unwritten(code) if self._makers else []

    @contextmanager
    def _alone(self, group: str, name: str) -> Iterator[None]:
        """Refuse a second thread that would compute or pay for the same thing meanwhile."""
        with self._mutex:
            if (group, name) in self._under_way:
                raise InvalidArgument(f"{group} {name!r} is under way in another thread of this attempt.")
            self._under_way.add((group, name))
        try:
            yield
        finally:
            self._under_way.discard((group, name))

    def _call_id(self, key: str, given: str) -> str:
        """Return a UUID (RFC 9562, version 5) of run, key and arguments: the same in every attempt."""
        import uuid  # takes longer to load than the rest of a call

        return str(uuid.uuid5(uuid.UUID(_CALL_IDS), f"{self._session.run}\n{key}\n{given}"))

    def _answer_to(self, key: str, call_id: str, reconcile: Callable[..., Any] | None) -> Happened | None:
        """Return what is known to have come of an earlier attempt at this very call; None if it is to be made."""
        sequence = self._session.index.intents.get(key)
        if sequence is None:
            return None
        sent = _intent(self._session, key, sequence)
        if sent.call_id == call_id and reconcile is not None:
            return self._reconciled(reconcile, sent)
        log.warning(
            "%s: call %r was sent and not answered%s; %s.",
            self._session.path,
            key,
            priced(sent.cost_usd),
            f"it is made again with the same id {call_id}"
            if sent.call_id == call_id
            else "its arguments have changed since, so it is another call now",
        )
        return None

    def _reconciled(self, reconcile: Callable[..., Any], sent: Ambiguous) -> Happened | None:
        answer = reconcile(sent)
        if answer is not None and not isinstance(answer, Happened):
            raise InvalidArgument(
                f"call {sent.key!r}: reconcile returned a {type(answer).__name__}; milepost.Happened(result) or None "
                "(it did not happen) is needed."
            )
        return answer

    def _argument(self, value: Any) -> str:
        if isinstance(value, Results):
            return value.identity()
        try:
            return self._item_digest(value) or digest(codec.encode(value))  # switched off, no file is read for it
        except NotEncodable:
            return f"{type(value).__module__}.{type(value).__qualname__}"


def _intent(recorded: Recorded, key: str, sequence: int) -> Ambiguous:
    record, value = recorded.record(sequence), recorded.value(sequence)
    return Ambiguous(key, value["call_id"], value["cost_usd"], record.time)


def _checked_price(key: str, cost_usd: Any) -> float | None:
    """Return a price as a plain number, which is what journals add up.

    Raises:
        InvalidArgument: It is no number, not finite, or negative.
    """
    if cost_usd is None:
        return None
    try:
        price = None if isinstance(cost_usd, str | bytes | bool) else float(cost_usd)
    except (TypeError, ValueError, OverflowError):
        price = None
    if price is None or not math.isfinite(price) or price < 0:
        raise InvalidArgument(f"call {key!r}: cost_usd={cost_usd!r}: a number of at least 0 is needed, or None.")
    return price


def priced(cost_usd: float | None) -> str:
    """Return a price for a message."""
    return "" if cost_usd is None else f" (${cost_usd:.4f})"
