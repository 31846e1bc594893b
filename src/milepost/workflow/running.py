"""Runs the phases of a workflow: in order or side by side, each entered only if it must be."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterable, Mapping
from queue import Empty, SimpleQueue
from typing import Any, Self

from milepost import codec
from milepost.errors import (
    BudgetReached,
    DuplicateKey,
    Interrupted,
    InvalidArgument,
    MilepostError,
    NotEncodable,
    PhaseFailed,
    RunLocked,
    StorageError,
    Unrecorded,
    UsageError,
    WorkError,
)
from milepost.events import Event, EventKind
from milepost.fingerprint import parameter_parts
from milepost.phase.command import again
from milepost.phase.phase import Phase
from milepost.phase.receipts import mend_receipt
from milepost.phase.retrying import waits
from milepost.phase.settings import Settings
from milepost.phase.signals import Signals, whole
from milepost.phase.telling import described
from milepost.phase.work import DeclaredItems
from milepost.workflow.calling import call_with, items_of, needs_outputs
from milepost.workflow.deciding import Action, Decision, Reason, ReasonKind, Wish, altered_outputs, decide
from milepost.workflow.frame import Frame, within_of
from milepost.workflow.graph import Graph, Node, upstream_of
from milepost.workflow.looking import Look, finished_digest
from milepost.workflow.outcome import Outputs

log = logging.getLogger(__name__)

_TICK_SECONDS = 0.2


class Runner:
    """One run of a workflow in this process."""

    def __init__(self, frame: Frame, graph: Graph, nodes: list[Node], wish: Wish) -> None:
        """Run *nodes*, which are in order; what they build on outside of these must be finished."""
        self.outputs = Outputs(node.name for node in graph.order())
        self._frame = frame
        self._graph = graph
        self._nodes = nodes
        self._wish = wish
        self._signals = Signals(frame.name, frame.grace_seconds)
        for node in nodes:  # what is wrong with a later phase is told before an earlier one has run for hours
            settings = frame.settings(node, within_of(frame.name, node, {}))
            if settings.enabled:
                parameter_parts(settings.params)

    def run(self, jobs: int) -> Outputs:
        """Run all phases, at most *jobs* side by side, and return their outputs.

        Raises:
            PhaseFailed: The body of a phase raised, after its retries.
            Changed: Code, parameters or inputs of a phase changed and the word is "stop".
            BudgetReached: A phase has spent what it may.
            Interrupted: A signal asked to stop.
            MilepostError: A store refused.
        """
        whole(Runner.__exit__)
        with self:
            if jobs == 1:
                for node in self._nodes:
                    self._check()
                    self._do(node)
            else:
                self._side_by_side(jobs)
        return self.outputs

    def __enter__(self) -> Self:
        """Take the signals over."""
        self._signals.install()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        """Give the signals back; one that nobody was told of is told now, whatever error would have hidden it."""
        self._signals.restore()
        if self._signals.pending() and (error is None or isinstance(error, Exception)):
            raise self._interrupted() from error

    def _check(self) -> None:
        """Begin no phase once a signal asked to stop."""
        if self._signals.stopping:
            raise self._interrupted()

    def _interrupted(self) -> Interrupted:
        """Return what is raised for a signal that came between two phases, and say how to go on."""
        interrupted = self._signals.interrupted()
        by = signal.Signals(interrupted.signal_number).name
        text = "%s: stopped by %s between two phases; everything recorded is safe. Go on with: %s"
        log.warning(text, self._frame.name, by, again())
        return interrupted

    # --- one phase

    def _do(self, node: Node) -> None:
        """Have the output of one phase, by reusing it or by entering its body."""
        blocking = [name for name in node.after if name in self.outputs.left]
        if blocking:
            self.outputs.left[node.name] = f"{blocking[0]} is not finished"
            return
        for name in node.after:
            if name not in self.outputs:
                self._take_finished(name)
        upstream = upstream_of(node, {name: self.outputs.digest(name) for name in node.after})
        values = [self.outputs[name] for name in node.after] if needs_outputs(node.items) else []
        items = items_of(node, values, self._frame.config)
        settings = self._frame.settings(node, within_of(self._frame.name, node, upstream))
        decision, left = self._decided(node, settings, upstream, items)
        if left:
            self.outputs.left[node.name] = left
        elif decision.action is Action.REUSE:
            self._reuse(node.name, str(decision.output_digest))
            for reason in decision.kept:
                log.warning("%s: reused, although %s.", node.name, reason)
        else:
            self._enter(node, settings, decision, items)

    def _decided(
        self, node: Node, settings: Settings, upstream: Mapping[str, str | None], items: DeclaredItems | None
    ) -> tuple[Decision, str | None]:
        """Return what is to become of a phase, and why it is left, if it is.

        The index that this takes of a long journal is let go before the phase makes its own.
        """
        look = Look.at(self._frame.root, node.name) if settings.enabled else Look(None)
        try:
            decision = decide(look, settings, upstream, items, ttl_hours=node.ttl_hours, wish=self._wish)
            left = self._withheld(decision, look)
            lacks_receipt = decision.action is Action.REUSE and not look.has_receipt
        except (InvalidArgument, DuplicateKey) as error:
            raise type(error)(f"phase {node.name!r}: {error}") from error
        finally:
            look.close()
        if lacks_receipt:
            self._mend_receipt(settings)
        return decision, left

    @staticmethod
    def _mend_receipt(settings: Settings) -> None:
        """Write the receipt that a crash took; what hinders that does not hinder the reuse of the result."""
        try:
            mend_receipt(settings)
        except (RunLocked, StorageError) as error:
            log.warning("%s: its receipt could not be written: %s", settings.name, error)

    def _withheld(self, decision: Decision, look: Look) -> str | None:
        """Return why a phase is not run although it is not finished; None if it is."""
        if not self._wish.only_failed or decision.action in {Action.REUSE, Action.STOP}:
            return None
        if decision.action is Action.AGAIN:
            return f"it would begin anew ({decision.reasons[0]}), which is more than what failed"
        return None if look.index.failed else "nothing of it failed, and only what failed was to run"

    def _take_finished(self, name: str) -> None:
        """Take the output of a phase that this run does not include, as it was recorded last.

        Raises:
            InvalidArgument: It is not finished.
        """
        look = Look.at(self._frame.root, name)
        try:
            self._put_stored(name, finished_digest(look, name))
        finally:
            look.close()

    def _put_stored(self, name: str, digest: str) -> None:
        def value() -> Any:
            look = Look.at(self._frame.root, name)
            try:
                return look.result_of(digest)
            finally:
                look.close()

        self.outputs.put(name, value, digest)

    def _reuse(self, name: str, digest: str) -> None:
        self._put_stored(name, digest)
        self.outputs.reused.append(name)
        if self._frame.on_event is not None:
            self._frame.on_event(Event(EventKind.REUSED, name, self._frame.clock.now()))

    def _enter(self, node: Node, settings: Settings, decision: Decision, items: Any) -> None:
        """Enter the body of a phase, again if it fails and has retries left."""
        asked = [one for one in decision.reasons if one.kind in {ReasonKind.FRESH, ReasonKind.EXPIRED}]
        assert settings.within is not None, "a workflow's phase is within it"
        within = settings.within._replace(
            declared=decision.made_of,
            fresh=str(asked[0]) if asked and decision.action is Action.AGAIN else None,
            only_failed=self._wish.only_failed,
            stop=self._signals.check,
            stopping=lambda: self._signals.stopping,
        )
        arguments = ([items] if items is not None else []) + [self.outputs[name] for name in node.after]
        wait_after = waits(node.retries, node.retry_wait_seconds)
        tries = 0
        while True:
            tries += 1
            try:
                self._attempt(node, settings._replace(within=within), arguments)
                break
            except Exception as error:
                is_ours = isinstance(error, MilepostError) and not isinstance(error, WorkError)
                if is_ours or isinstance(error, PhaseFailed):
                    raise
                wait_seconds = wait_after(error, tries)
                if wait_seconds is None and isinstance(error, MilepostError):
                    raise
                if wait_seconds is None:
                    raise _failed(node.name, error) from error
                self._tell_retry(node.name, error)
                self._wait(wait_seconds)
                within = within._replace(fresh=None)
        self._confirm_outputs(node.name, [one for one in decision.reasons if one.kind is ReasonKind.OUTPUT])

    def _attempt(self, node: Node, settings: Settings, arguments: list[Any]) -> None:
        with Phase.of(settings) as phase:
            try:
                finished = phase.finish(call_with(node.function, [phase, *arguments], self._frame.config))
            except Unrecorded as error:
                if not phase.is_partial:
                    error.phase = node.name
                    raise
                finished = None  # its body asked for the result of all items, and was not to have them
            except NotEncodable as error:
                named = NotEncodable(f"{node.name}: {error.path}", error.reason)
                named.phase = node.name
                raise named from error
            except UsageError as error:
                error.phase = node.name
                raise
        if finished is None:
            self.outputs.left[node.name] = "items of it did not run, because only what failed was to"
            return
        stored, digest = finished
        # Decoded for each reader: what one phase changes in it, another must not see, for a resumed run would not.
        self.outputs.put(node.name, lambda: codec.decode(stored) if settings.enabled else stored, digest)
        self.outputs.ran.append(node.name)

    def _confirm_outputs(self, name: str, missed: list[Reason]) -> None:
        """Refuse a phase that was entered because outputs were missing and did not write them again."""
        if not missed or name in self.outputs.left:
            return
        look = Look.at(self._frame.root, name)
        try:
            still = [str(one) for one in altered_outputs(look)]
        finally:
            look.close()
        if still:
            self.outputs.drop(name)
            raise PhaseFailed(
                f"{name}: its body ran to its end, and did not write again: {'; '.join(still)}. Items that are "
                f"done are not worked on again; to do all of it anew, run the phase {name!r} alone and fresh."
            )

    def _tell_retry(self, name: str, error: Exception) -> None:
        log.warning("%s: failed and is tried again: %s", name, described(error))
        if self._frame.on_event is not None:
            self._frame.on_event(Event(EventKind.RETRIED, name, self._frame.clock.now(), error=described(error)))

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._check()
            time.sleep(min(left, _TICK_SECONDS))

    # --- side by side

    def _side_by_side(self, jobs: int) -> None:
        """Run independent phases in threads. After a failure those under way go on to their end, and none is begun.

        Threads are daemons: leaving at once must not wait for them, and their journals need no closing.
        """
        sorter = self._graph.sorter(node.name for node in self._nodes)
        waiting: list[Node] = []
        ended: SimpleQueue[tuple[Node, BaseException | None]] = SimpleQueue()
        errors: list[BaseException] = []
        running = 0

        def work(node: Node) -> None:
            try:
                self._do(node)
            except BaseException as error:  # noqa: BLE001 -- raised again by the thread that waits
                ended.put((node, error))
            else:
                ended.put((node, None))

        while sorter.is_active():
            waiting += self._graph.ready(sorter)
            while waiting and running < jobs and not errors and not self._signals.stopping:
                running += 1
                node = waiting.pop(0)
                threading.Thread(target=work, args=(node,), name=f"milepost-{node.name}", daemon=True).start()
            if not running:
                break
            try:
                node, error = ended.get(timeout=_TICK_SECONDS)
            except Empty:
                continue
            running -= 1
            if error is not None:
                errors.append(error)
            else:
                sorter.done(node.name)
        if self._signals.stopping:
            told = any(isinstance(one, Interrupted) for one in errors)
            errors = [one for one in errors if not isinstance(one, Interrupted)]
            errors.append(self._signals.interrupted() if told else self._interrupted())
        _raise_first(errors)


def _raise_first(errors: Iterable[BaseException]) -> None:
    """Raise the failure that tells most: an interrupt, then a budget, then whatever came first."""
    ranked = sorted(errors, key=lambda one: (not isinstance(one, Interrupted), not isinstance(one, BudgetReached)))
    for other in ranked[1:]:
        log.error("another phase ended too: %s", described(other))
    if ranked:
        raise ranked[0]


def _failed(name: str, error: Exception) -> PhaseFailed:
    """Return what is raised for a body that raised."""
    return PhaseFailed(
        f"{name}: {described(error)}. Everything recorded is safe; correct the cause and run the same command again to "
        f"go on: {again()}"
    )
