"""One attempt of a phase, from the lock to the last record: what stands behind an open `Phase`."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

from milepost.errors import BudgetReached, Forked, Interrupted, StorageError
from milepost.events import EventKind, all_of
from milepost.fs import drill_listener
from milepost.phase.changes import Makers, settle_run
from milepost.phase.command import again
from milepost.phase.completion import complete
from milepost.phase.digests import Digests
from milepost.phase.draws import numpy_random_of, random_of
from milepost.phase.limits import Limits
from milepost.phase.loop import DigestOf, Loop
from milepost.phase.loops import Loops
from milepost.phase.outputs import output_digest, record_output
from milepost.phase.receipts import keep_receipt
from milepost.phase.results import Results
from milepost.phase.settings import Settings
from milepost.phase.signals import Signals, whole
from milepost.phase.state import State
from milepost.phase.steps import Steps, priced
from milepost.phase.telling import Teller
from milepost.phase.work import Finished, Key, OnRetry, Pending, declared_by
from milepost.run import Place
from milepost.run.memory import MemorySession
from milepost.run.session import REFUSED, FolderSession, Session

if TYPE_CHECKING:
    import random

    import numpy as np

Generator = TypeVar("Generator")

log = logging.getLogger(__name__)


class Attempt:
    """The open run of a phase."""

    _is_complete = False

    def __init__(self, settings: Settings, session: Session, signals: Signals, digests: Digests | None) -> None:
        """Go on with a recovered *session*; *digests* is None where Milepost is switched off."""
        self.settings = settings
        self.signals = signals
        self.within = settings.within
        self._session = session
        self._digests = digests
        self._generators: dict[tuple[str | None, str, Callable[..., Any]], Any] = {}
        self.makers: Makers | None = None
        if digests is not None:
            now = digests.description(settings)
            description = settle_run(session, now, settings)
            session.begin(description)
            session.keep_document(REFUSED, None)
            self.makers = Makers(session, settings.on_change, settings.name)
        listener = all_of([settings.on_event, drill_listener()])
        self._teller = None if listener is None else Teller(listener, settings.name, settings.clock, session)
        self.limits = Limits(settings.name, settings.budget, lambda: session.index.tally.spent_usd)
        timeout_seconds = settings.budget.timeout_seconds
        if timeout_seconds is not None:
            signals.expire_after(timeout_seconds + settings.grace_seconds, self.limits.timeout)
        only_failed = self.within is not None and self.within.only_failed
        self.loops = Loops(session, self._teller, only_failed=only_failed)
        of_value = digests.of_value if digests else lambda _: ""
        self.steps = Steps(session, self.makers, of_value, self.limits, self._teller)
        self.state = State(session)
        for one in self.steps.ambiguous():
            log.warning("%s: call %r was sent and not answered%s.", session.path, one.key, priced(one.cost_usd))
        self._tell(EventKind.OPENED)

    @classmethod
    def begin(cls, settings: Settings) -> Attempt:
        """Take the lock and the signals, recover the run, and open the attempt; see `Phase.__enter__`."""
        signals = Signals(settings.name, settings.grace_seconds)
        if not settings.enabled:
            return cls(settings, MemorySession(settings.name, settings.clock), signals, None)
        session: FolderSession | None = None
        recovered = False
        try:
            signals.install()
            signals.check()  # a phase around this one may have been asked to stop
            with signals:  # between the lock and the session's name an interrupt would leave the lock to nobody
                session = FolderSession(
                    Place(settings.root, settings.name),
                    settings.clock,
                    settings.durability,
                    guard=signals,
                    allow_network_filesystem=settings.allow_network_filesystem,
                    workflow=None if settings.within is None else settings.within.workflow,
                )
            session.recover(salvage=settings.salvage)
            recovered = True
            signals.check()
            attempt = cls(settings, session, signals, Digests(session, settings.clock))
            signals.check()
        except BaseException as error:
            _leave(signals, session, error, recovered=recovered)
            raise
        return attempt

    @whole
    def end(self, error: BaseException | None) -> None:
        """Close the run and give the signals back; a signal that nobody was told of is told now."""
        try:
            self._tell(EventKind.CLOSED, error=error)
        finally:
            _leave(self.signals, self._session, error, digests=self._digests)

    def check(self) -> None:
        """Let something new begin, or raise what says that nothing may: a signal, a workflow's word, a limit."""
        self.signals.check()
        if self.within is not None:
            self.within.stop()
        if self.limits.bounds_time:
            self.limits.check()

    def check_within(self) -> None:
        """Let a step, a call or the result begin: those of an item in hand belong to it, and it may finish."""
        if not self.loops.in_flight:
            self.check()

    @property
    def stopping(self) -> bool:
        """Whether nothing new may begin."""
        told = self.within is not None and self.within.stopping()
        return told or self.signals.stopping or self.limits.is_reached

    def _tell(self, kind: EventKind, error: BaseException | None = None) -> None:
        if self._teller is not None:
            self._teller.tell(kind, error=error)

    # --- loops

    def begin_loop(
        self, items: Iterable[Any], name: str | None, key: Key | None, version: Callable[[Any], Any] | None
    ) -> Loop:
        """Begin a loop whose items count as changed when their digest does."""
        key, version = declared_by(items, key, version)
        return self.loops.begin(items, name, key, self._digest_of(key, version))

    def begin_map(
        self,
        function: Callable[..., Any],
        items: Iterable[Any],
        name: str | None,
        key: Key | None,
        version: Callable[[Any], Any] | None,
    ) -> Loop:
        """Begin a loop whose results are made by *function*."""
        code = None
        if self.makers is not None:  # first: a refused function leaves the loop's name free
            made_by = self._session.index.group(None if name is None else f"loop:{name}").made_by()
            code = self.makers.admit(function, made_by)
        loop = self.begin_loop(items, name, key, version)
        if self.makers is not None and code is not None:
            loop.code = code
            loop.accept_only(self.makers.same_as(code))
        return loop

    def pending(self, loop: Loop, items: Iterable[Any], *, pass_random: bool) -> Iterator[Pending]:
        """Yield the items of *loop* that are not done."""
        for key, item in loop.pending(items):
            options = {"random": self.random(key, loop.name)} if pass_random else {}
            yield Pending(key, item, options)

    def on_start(self, loop: Loop) -> Callable[[Pending], None] | None:
        """Return what hears that an item is handed to a worker; None where nobody listens."""
        return None if self._teller is None else lambda pending: loop.tell_started(pending.key)

    def on_retry(self, loop: Loop) -> OnRetry | None:
        """Return what hears that an item gets another try; None where nobody listens."""
        return None if self._teller is None else loop.tell_retried

    @property
    def window_seconds(self) -> float:
        """How long it is worth waiting for more that finishes before it is recorded together."""
        return self._session.window_seconds

    def recorder(self, loop: Loop) -> Callable[[Sequence[Finished]], None]:
        """Return what records a batch of *loop*."""

        def record(finished: Sequence[Finished]) -> None:
            loop.record(finished, self.makers.unwritten(loop.code) if self.makers else [])

        return record

    def _digest_of(self, key: Key | None, version: Callable[[Any], Any] | None) -> DigestOf:
        return (lambda _: None) if self._digests is None else self._digests.of_items(key, version)

    # --- the rest

    def complete(self, value: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the phase's result."""
        newest = self._session.index.completed
        if isinstance(value, Results):  # what is returned most easily: the results themselves
            value = dict(value)
        result = complete(self._session, self.loops, self.steps, self.makers, value, args, kwargs, within=self.within)
        self._is_complete = True
        if self._digests is not None:
            self._keep_receipt()
        if self._session.index.completed != newest:
            self._tell(EventKind.COMPLETED)
        return result

    def _keep_receipt(self) -> None:
        """Write the receipt; the result is recorded whatever comes of that."""
        try:
            keep_receipt(self._session, self.settings)
        except StorageError as error:
            log.warning(
                "%s: the result is recorded, and its receipt could not be written: %s The next attempt writes it.",
                self._session.path,
                error,
            )

    def finish(self, value: Any) -> tuple[Any, str] | None:
        """Complete the phase with *value* unless its body did; return the stored result and its digest."""
        if self.loops.withheld:
            return None
        if not self._is_complete:
            self.signals.check()  # a body that swallowed the word to stop has not come to its end
            if self.within is not None:
                self.within.stop()
            self.complete(value, (), {})
        stored = self._session.record(self._session.index.completed).value
        return stored, output_digest(stored)

    def output(self, path: str) -> None:
        """Record the digest of what the phase wrote at *path*, unless the newest record says the same."""
        if self._digests is not None:
            record_output(self._session, self._digests, path)

    def save_state(self) -> None:
        """Journal what changed in the state."""
        if self._digests is not None:
            self.state.save()

    def random(self, key: str | None, name: str | None) -> random.Random:
        """Return the generator of an item, the same object for the item in hand."""
        return self._generator(random_of, key, name)

    def numpy_random(self, key: str | None, name: str | None) -> np.random.Generator:
        """Return the numpy generator of an item, the same object for the item in hand."""
        return self._generator(numpy_random_of, key, name)

    def _generator(self, make: Callable[..., Generator], key: str | None, name: str | None) -> Generator:
        if key is not None:
            return make(self.settings.seed, self.settings.name, name, key)
        loop, held = self.loops.in_hand()
        asked = (loop.name, held, make)
        if asked not in self._generators:
            self._generators = {one: kept for one, kept in self._generators.items() if one[:2] == asked[:2]}
            self._generators[asked] = make(self.settings.seed, self.settings.name, loop.name, held)
        return cast("Generator", self._generators[asked])


@whole
def _leave(
    signals: Signals,
    session: Session | None,
    error: BaseException | None,
    *,
    digests: Digests | None = None,
    recovered: bool = True,
) -> None:
    """Close the run, give the signals back, and tell how to go on if one of them asked to stop.

    Raises:
        Interrupted: A signal asked to stop and nobody was told, or an *error* would have hidden it.
        StorageError: The medium refused; everything recorded is where it was.
    """
    try:
        if session is not None:
            try:
                if digests is not None:
                    with suppress(Forked):  # a child that leaves the block leaves this to its parent
                        digests.keep(session)
            finally:
                session.close()
    finally:
        signals.restore()
    done = session.index.done if session is not None and recovered else None
    if isinstance(error, Interrupted):
        _tell(signals.name, error.signal_number, done)
    elif signals.pending() and (error is None or isinstance(error, Exception)):
        interrupted = signals.interrupted()
        _tell(signals.name, interrupted.signal_number, done, error)
        raise interrupted from error
    elif signals.received is not None and error is not None:
        _tell(signals.name, signals.received, done)
    elif isinstance(error, BudgetReached):
        log.warning("%s", error)  # an exit says nothing by itself


def _tell(name: str, number: int, done: int | None, error: Exception | None = None) -> None:
    """Say how to go on after a signal: logged as a warning, so that it is seen where nothing is set up."""
    what = "everything recorded is" if done is None else f"{done} results are recorded and"
    by = signal.Signals(number).name
    log.warning("%s: stopped by %s; %s safe. Go on with: %s", name, by, what, again(), exc_info=error)
