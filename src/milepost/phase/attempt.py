"""One attempt of a phase, from the lock to the last record: what stands behind an open `Phase`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from milepost.errors import Interrupted
from milepost.fs import current
from milepost.phase.changes import Makers, settle_run
from milepost.phase.command import again
from milepost.phase.completion import complete
from milepost.phase.digests import Digests
from milepost.phase.draws import numpy_random_of, random_of
from milepost.phase.loop import DigestOf, Loop
from milepost.phase.loops import Loops
from milepost.phase.settings import Settings
from milepost.phase.signals import Signals
from milepost.phase.state import State
from milepost.phase.steps import Steps, priced
from milepost.phase.work import Finished, Key, Pending
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

    def __init__(self, settings: Settings, session: Session, signals: Signals, digests: Digests | None) -> None:
        """Go on with a recovered *session*; *digests* is None where Milepost is switched off."""
        self.settings = settings
        self.signals = signals
        self._session = session
        self._digests = digests
        self._generators: dict[tuple[str | None, str, Callable[..., Any]], Any] = {}
        self.makers: Makers | None = None
        if digests is not None:
            now = digests.description(settings)
            description = settle_run(session, now, settings.on_change, settings.name)
            session.begin(description)
            session.keep_document(REFUSED, None)
            self.makers = Makers(session, settings.on_change, settings.name)
        self.loops = Loops(session, session.path)
        self.steps = Steps(session, self.makers, digests.of_value if digests else lambda _: "")
        self.state = State(session)
        for one in self.steps.ambiguous():
            log.warning("%s: call %r was sent and not answered%s.", session.path, one.key, priced(one.cost_usd))

    @classmethod
    def begin(cls, settings: Settings) -> Attempt:
        """Take the lock and the signals, recover the run, and open the attempt; see `Phase.__enter__`."""
        signals = Signals(settings.grace_seconds, lambda name: f"{settings.name}: stopped by {name}.")
        if not settings.enabled:
            return cls(settings, MemorySession(settings.name, settings.clock), signals, None)
        signals.install()
        session: FolderSession | None = None
        try:
            session = FolderSession(
                Place(current(), settings.root, settings.name),
                settings.clock,
                settings.durability,
                guard=signals,
                allow_network_filesystem=settings.allow_network_filesystem,
            )
            session.recover(salvage=settings.salvage)
            signals.check()
            attempt = cls(settings, session, signals, Digests(session, settings.clock))
            signals.check()
        except BaseException as error:
            if session is not None:
                session.close()
            signals.restore()
            _tell(error, 0)
            raise
        return attempt

    def end(self, error: BaseException | None) -> None:
        """Close the run and give the signals back; a signal that nobody was told of is told now."""
        try:
            if self._digests is not None:
                self._digests.keep()
            self._session.close()
        finally:
            self.signals.restore()
        done = sum(group.done for group in self._session.index.groups.values())
        if error is not None:
            _tell(error, done)
        elif self.signals.pending():
            try:
                self.signals.check()
            except Interrupted as interrupted:
                _tell(interrupted, done)
                raise

    # --- loops

    def begin_loop(self, name: str | None, key: Key | None, version: Callable[[Any], Any] | None) -> Loop:
        """Begin a loop whose items count as changed when their digest does."""
        return self.loops.begin(name, key, self._digest_of(key, version))

    def begin_map(
        self, function: Callable[..., Any], name: str | None, key: Key | None, version: Callable[[Any], Any] | None
    ) -> Loop:
        """Begin a loop whose results are made by *function*."""
        loop = self.begin_loop(name, key, version)
        if self.makers is not None:
            loop.code = self.makers.admit(function, loop.group.made_by())
            loop.accept_only(self.makers.same_as(loop.code))
        return loop

    def pending(self, loop: Loop, items: Iterable[Any], *, pass_random: bool) -> Iterator[Pending]:
        """Yield the items of *loop* that are not done."""
        for key, item in loop.pending(items):
            options = {"random": self.random(key, loop.name)} if pass_random else {}
            yield Pending(key, item, options)

    def recorder(self, loop: Loop) -> Callable[[Sequence[Finished]], None]:
        """Return what records a batch of *loop*."""

        def record(finished: Sequence[Finished]) -> None:
            loop.record(finished, self.makers.unwritten(loop.code) if self.makers else [])

        return record

    def _digest_of(self, key: Key | None, version: Callable[[Any], Any] | None) -> DigestOf:
        digests = self._digests
        if digests is None:
            return lambda _: None
        if version is not None:
            return lambda item: digests.of_value(version(item))
        return digests.of_item if key is not None else digests.of_keyed_item

    # --- the rest

    def complete(self, value: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the phase's result."""
        return complete(self._session, self.loops, self.steps, self.makers, value, args, kwargs)

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


def _tell(error: BaseException, done: int) -> None:
    """Say how to go on after an interrupt: logged as a warning, so that it is seen where nothing is set up."""
    if isinstance(error, Interrupted):
        name = error.message.removesuffix(".")
        log.warning("%s; %d results are recorded and safe. Go on with: %s", name, done, again())
