"""Attempts of a `Phase`, one after the other, that fail and die at any moment: what its state machine stands on."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

import milepost
from milepost.errors import Changed, StorageError
from milepost.fs import use
from milepost.phase import loop as loop_module
from milepost.phase import steps as steps_module
from milepost.testing import SimulatedCrash, legal_states
from tests.support.manager_law import Clock, disk, no_damage_told
from tests.support.phase_law import ROOT
from tests.support.phase_machine import Event, Fused, Log, Oracle, Trouble, Walk, look

CODES = st.sampled_from([errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE])
NUMBERS = st.integers(1, 6)
DEATHS = st.builds(Trouble, NUMBERS, st.sampled_from(["before", "after"]), st.none())
FAULTS = st.builds(Trouble, NUMBERS, st.just("before"), CODES)
NONE: st.SearchStrategy[Trouble | None] = st.none()
TROUBLES = st.one_of(NONE, NONE, NONE, NONE, NONE, DEATHS, FAULTS)
CHOICES = st.integers(0, 1000)  # of a list whose length may hang on how long something took
STATES_TRIED = 30
opened = precondition(lambda self: self.phase is not None)
closed = precondition(lambda self: self.phase is None)


class StandingStill:
    """Stands for the module `time`."""

    @staticmethod
    def monotonic() -> float:
        """Return always the same."""
        return 1.0


class Died(Exception):
    """The process died, as it was meant to."""


class Attempts(RuleBasedStateMachine):
    """Drives attempts of one phase, one after the other, on a simulated disk."""

    enabled = True
    phase: milepost.Phase | None

    @initialize(durability=st.sampled_from(["power", "power", "strict", "process"]))
    def begin(self, durability: str) -> None:
        self.stack = ExitStack()
        self.stack.enter_context(no_damage_told())
        for module in (loop_module, steps_module):  # a duration of other digits makes a record of another length
            self.stack.enter_context(patch.object(module, "time", StandingStill))
        self.durability = durability
        self.disk = disk()
        self.files = Fused(self.disk)
        self.oracle, self.log = Oracle(), Log()
        self.phase = None
        self.refused: tuple[int, ...] | None = None
        self.lossy = False
        self.forget_attempt()

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            if self.phase is not None:
                self.close()
            self.stack.close()

    def forget_attempt(self) -> None:
        self.walks: dict[str | None, Walk] = {}
        self.active: Walk | None = None
        self.used: dict[tuple[str, str], int] = {}

    # --- doing something that may not end well

    @property
    def live(self) -> milepost.Phase:
        assert self.phase is not None
        return self.phase

    def do(
        self,
        operation: Callable[[], Any],
        events: list[Event],
        trouble: Trouble | None,
        sure: Callable[[], int] = lambda: 0,
    ) -> Any:
        """Do what records *events*; if it fails, the first *sure* of them stand all the same and the rest may.

        Raises:
            Died: The process died in it.
            StorageError: It failed in it.
        """
        self.files.arm(trouble)
        try:
            with use(self.files):
                result = operation()
        except (SimulatedCrash, StorageError) as error:
            self.files.arm(None)
            count = sure()
            self.oracle.acknowledge(events[:count], durable=self.durability != "process")
            self.oracle.doubt = self.oracle.doubt + events[count:] if not count else events[count:]
            self.lossy = True
            if isinstance(error, StorageError):
                self.expect(trouble is not None and trouble.code, error)
                raise
            self.die()
            raise Died from error
        self.files.arm(None)
        self.oracle.acknowledge(events, durable=self.durability != "process")
        return result

    def expect(self, is_expected: object, error: Exception) -> None:
        """Fail unless it was to be expected that *error* was raised."""
        assert is_expected, f"nothing was wrong: {error}"

    def die(self, *, power: int | None = None) -> None:
        """End the process without a word; *power* chooses what a power cut leaves, where that went too."""
        self.files.dead = True
        if self.phase is not None:
            with suppress(SimulatedCrash), use(self.files):
                self.phase.__exit__(None, None, None)
        self.phase = None
        if power is None:
            self.disk = self.disk.killed()
        else:
            states = list(legal_states(self.disk, STATES_TRIED))
            self.disk = self.disk.crash(states[power % len(states)])
        self.files = Fused(self.disk)
        self.settle(lossy=self.lossy or power is not None)
        self.forget_attempt()

    def settle(self, *, lossy: bool) -> None:
        """Compare what the dead process left with what it was told, and go on from there."""
        self.oracle.settle(look(self.disk), lossy=lossy)
        self.lossy = False

    # --- attempts

    @closed
    @rule(
        params=st.sampled_from([None, 1, 2]), on_change=st.sampled_from(["stop", "keep", "restart"]), trouble=TROUBLES
    )
    def open(self, params: int | None, on_change: str, trouble: Trouble | None) -> None:
        before = self.oracle.world
        given = () if params is None else (params,)
        is_changed = before.params is not None and before.params != given
        is_new = given if before.params is None or is_changed else None
        events = [self.oracle.event("opened", given=is_new)]
        if is_changed and not before.is_empty and on_change == "restart":
            events.insert(0, self.oracle.event("restart"))
        told: dict[str, Any] = {} if params is None else {"params": {"x": params}}
        phase = milepost.Phase(
            "phase_3", store=ROOT, on_change=on_change, durability=self.durability, enabled=self.enabled, clock=Clock(),
            **told,
        )  # fmt: skip
        try:
            self.do(phase.__enter__, events, trouble)
        except Changed as error:
            self.expect(is_changed and not before.is_empty and on_change == "stop", error)
            self.files.arm(None)
            self.refused = given
        except Died:
            pass
        except StorageError:
            self.settle(lossy=True)  # a writer that could not even begin has left
        else:
            assert not (self.enabled and is_changed and not before.is_empty and on_change == "stop")
            self.phase, self.refused = phase, None
            self.agree_on_beginning()

    def agree_on_beginning(self) -> None:
        """Check what an attempt begins with."""
        world = self.oracle.world
        assert self.live.state == world.state
        assert {one.key for one in self.live.ambiguous} == set(world.intents)

    @opened
    @rule()
    def close(self) -> None:
        with use(self.files):
            self.live.__exit__(None, None, None)
        self.phase = None
        self.forget_attempt()
        self.settle(lossy=self.lossy)

    @opened
    @rule()
    def kill(self) -> None:
        self.die()

    @opened
    @rule(state=CHOICES)
    def cut_power(self, state: int) -> None:
        self.die(power=state)

    @closed
    @precondition(lambda self: self.refused is not None)
    @rule()
    def bless(self) -> None:
        with use(self.disk):
            assert milepost.bless("phase_3", store=ROOT)
        self.oracle.acknowledge([self.oracle.event("opened", given=self.refused)], durable=True)
        self.refused = None
