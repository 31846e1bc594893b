"""The manager against a plain dict: whatever is saved, deleted, cleared, reopened or aged, a load says the same."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as check_machine

from milepost import CheckpointManager
from milepost.errors import StaleState
from milepost.fs import use
from tests.unit.manager.world import HOUR, YEAR, UnsyncedFiles, World

TTL_HOURS = 24
MOST = 3

leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=4), st.binary(max_size=3)
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
        st.tuples(inner),
        st.dictionaries(st.integers(0, 3), inner, max_size=2),
        st.just({"$milepost": 1}),
    ),
    max_leaves=6,
)
keys = st.sampled_from(["a", "b", "c", "é", ""])


class ManagerMachine(RuleBasedStateMachine):
    """Two managers on one phase, and an oracle: the saves in order, and which of them are files."""

    @initialize()
    def begin(self) -> None:
        """Start with an empty root."""
        self.root = Path(tempfile.mkdtemp())
        self.seam = use(UnsyncedFiles())
        self.seam.__enter__()
        self.world = World(self.root / "checkpoints")
        self.managers = [self.fresh(), self.fresh()]
        self.state: dict[str, Any] = {}
        self.iteration = 0
        self.oracle: list[tuple[int, str, Any]] = []  # a save per checkpoint file: iteration, state, metadata
        self.latest: tuple[int, str, Any] | None = None
        self.saved_at = 0.0
        self.turned_back = False

    def fresh(self) -> CheckpointManager:
        """Return a manager that knows nothing yet."""
        return self.world.manager(ttl_hours=TTL_HOURS, max_checkpoints=MOST, save_interval_seconds=60)

    def teardown(self) -> None:
        """Leave nothing behind."""
        if hasattr(self, "seam"):
            self.managers.clear()
            self.seam.__exit__(None, None, None)
            shutil.rmtree(self.root)

    @property
    def expired(self) -> bool:
        """Tell whether a load now calls the progress expired."""
        return self.latest is not None and self.world.clock.at - self.saved_at > TTL_HOURS * HOUR

    # --- the state changes

    @rule(key=keys, value=values)
    def set_key(self, key: str, value: Any) -> None:
        """Replace or add a key."""
        self.state[key] = value

    @rule(key=keys, value=values)
    def grow(self, key: str, value: Any) -> None:
        """Append to a list or dict."""
        held = self.state.get(key)
        if type(held) is dict:
            self.state[key] = held | {f"n{len(held)}": value}
        else:
            self.state[key] = [*(held if type(held) is list else []), value]

    @rule(key=keys)
    def shrink(self, key: str) -> None:
        """Take the last element off, or the whole key."""
        held = self.state.pop(key, None)
        if type(held) is list and held:
            self.state[key] = held[:-1]

    @rule()
    def reorder(self) -> None:
        """Turn the order of the keys around."""
        self.state = dict(reversed(self.state.items()))

    # --- saving

    @rule(
        who=st.integers(0, 1), force=st.booleans(), step=st.integers(0, 2), metadata=st.sampled_from([None, {"m": 1}])
    )
    def save(self, who: int, force: bool, step: int, metadata: dict[str, Any] | None) -> None:
        """Save with one of the managers; a file is one more checkpoint of the oracle."""
        manager = self.managers[who]
        if self.expired:  # a caller looks first; then a new run begins
            manager.get_latest_checkpoint()
        self.iteration += step
        before, records = self.world.files(), self.world.records()
        try:
            path = manager.save_checkpoint(self.iteration, self.state, metadata, force=force)
        except StaleState:  # the other one saved and closed since this one loaded
            assert self.world.files() == before
            manager.get_latest_checkpoint(include_expired=not self.expired)
            path = manager.save_checkpoint(self.iteration, self.state, metadata, force=force)
        assert path is not None or not force
        now = (self.iteration, repr(self.state), metadata or {})
        files = self.world.files()
        if set(files) - set(before):
            assert path is not None
            assert [path.name] == sorted(set(files) - set(before))
            shown = manager.list_checkpoints()
            assert shown[0]["file"] == path.name
            self.oracle = [*self.oracle, now][-len(shown) :]
        elif path is not None:
            assert path.name == manager.list_checkpoints()[0]["file"]
            assert self.oracle[-1][1] == now[1]
        self.latest = now
        if (
            set(files) - set(before) or self.world.records() != records
        ):  # age counts from the newest record, and an equal save makes none
            self.saved_at = self.world.clock.at

    @precondition(lambda self: not self.expired)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """Delete a checkpoint; only the newest one changes what is loaded."""
        self.managers[0].get_latest_checkpoint()
        listed = self.managers[0].list_checkpoints()
        assert [one["iteration"] for one in listed] == [one[0] for one in reversed(self.oracle)]
        if listed:
            which = data.draw(st.integers(0, len(listed) - 1))
            self.managers[0].delete_checkpoint(listed[which]["path"])
            del self.oracle[len(listed) - 1 - which]
            if which == 0:
                self.latest = self.oracle[-1] if self.oracle else None
            self.saved_at = self.world.clock.at

    @rule(who=st.integers(0, 1))
    def clear(self, who: int) -> None:
        """Clear everything."""
        assert self.managers[who].clear_all_checkpoints() == len(self.world.files()) + len(self.oracle)
        self.oracle, self.latest = [], None
        self.managers = [self.fresh(), self.fresh()]

    # --- time and processes

    @rule(seconds=st.sampled_from([1, 59, 61, 3 * HOUR, 25 * HOUR]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.world.clock.sleep(seconds)

    @rule(jump=st.sampled_from([-YEAR, -HOUR, HOUR, 30 * YEAR]))
    def jump(self, jump: float) -> None:
        """Let the wall clock jump."""
        self.world.clock.jump(jump)
        self.turned_back |= jump < 0  # from then on the young may look old or the old young; both are kept

    @rule(who=st.integers(0, 1))
    def close(self, who: int) -> None:
        """Close one manager, which may go on."""
        self.managers[who].close()

    @rule()
    def new_process(self) -> None:
        """Drop both managers and begin with new ones that load first, as a new process would."""
        for manager in self.managers:
            manager.close()
        self.managers = [self.fresh(), self.fresh()]
        for manager in self.managers:
            manager.get_latest_checkpoint(include_expired=not self.expired)

    # --- the law

    @invariant()
    def loads_what_was_saved(self) -> None:
        """A new object loads the last save of all, or refuses it as expired and hands it out on demand."""
        if not hasattr(self, "world"):
            return
        if not self.expired:
            assert self.found(include_expired=False) == self.latest
        elif self.latest is not None and not self.turned_back:
            assert self.found(include_expired=False) is None
        assert self.found(include_expired=True) == self.latest

    def found(self, *, include_expired: bool) -> tuple[int, str, Any] | None:
        """Return what a new object loads."""
        loaded = self.fresh().get_latest_checkpoint(include_expired=include_expired)
        return None if loaded is None else (loaded["iteration"], repr(loaded["state"]), loaded["metadata"])


def test_the_manager_agrees_with_a_dict() -> None:
    """Through saves, deletions, clearing, closing and clocks that jump, a load returns what was saved last."""
    check_machine(ManagerMachine, settings=settings(max_examples=100, stateful_step_count=40, deadline=None))
