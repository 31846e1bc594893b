"""A state machine that uses a store through several handles, against dicts."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from milepost.errors import Fenced, VersionConflict
from milepost.stores.store import Store

STEPS = 25
_CLIENTS = 3

_clients = st.integers(0, _CLIENTS - 1)
_names = st.sampled_from(["ab", "a/b", "a/bc", "a%", "A/b", "b_/x", "bb/x", ".c/d"])
_prefixes = st.sampled_from(["", "a", "a/", "a/b", "a%", "b_", ".c/", "A/", "z"])
_folders = st.sampled_from(["", "a/", "b_/", ".c/", "z/"])
_data = st.sampled_from([b"", b"same", b"\r\n\n"]) | st.binary(max_size=40)
_journals = st.sampled_from(["j", "j/k", "J"])
_line = st.sampled_from([b"", b"same", b"\r"]) | st.binary(max_size=12).map(lambda line: line.replace(b"\n", b""))
_lines = st.lists(_line, min_size=1, max_size=5)


class _Batch:
    """Lines that were appended together, from the number *first* on."""

    def __init__(self, first: int, lines: list[bytes]) -> None:
        self.held = dict(enumerate(lines, first))
        self.first = first


class StoreMachine(RuleBasedStateMachine):
    """What the dicts hold a store must hold, whichever handle is asked. Each run works below a name of its own.

    Of lines that were trimmed those may be left that were appended together with one that is kept: *certain* must be
    there, *possible* may.
    """

    opener: Callable[[], Store]
    tells_overlaps = True

    @initialize()
    def begin(self) -> None:
        """Open the handles on a fresh name."""
        self.root = f"machine-{secrets.token_hex(6)}/"
        self.stores = [type(self).opener() for _ in range(_CLIENTS)]
        self.documents: dict[str, tuple[bytes, str]] = {}
        self.versions: dict[str, list[str]] = {}
        self.certain: dict[str, dict[int, bytes]] = {}
        self.possible: dict[str, dict[int, bytes]] = {}
        self.batches: dict[str, list[_Batch]] = {}
        self.ends: dict[str, int] = {}

    # --- documents

    @rule(client=_clients, name=_names, data=_data)
    def create(self, client: int, name: str, data: bytes) -> None:
        """Create a document; a taken key is refused."""
        try:
            version = self.stores[client].create(self.root + name, data)
        except FileExistsError:
            assert name in self.documents, f"{name} is free, and create said that it is taken"
        else:
            assert name not in self.documents, f"{name} was taken, and create wrote it"
            self._written(name, data, version)

    @precondition(lambda self: self.versions)
    @rule(client=_clients, data=_data, draw=st.data())
    def replace(self, client: int, data: bytes, draw: st.DataObject) -> None:
        """Replace a document by any version that ever was; only the newest one is taken."""
        name = draw.draw(st.sampled_from(sorted(self.versions)))
        version = self.versions[name][draw.draw(st.integers(0, len(self.versions[name]) - 1))]
        if draw.draw(st.booleans()) and name in self.documents:
            version = self.documents[name][1]
        current = self.documents.get(name)
        try:
            new = self.stores[client].replace(self.root + name, data, version)
        except VersionConflict:
            assert current is None or current[1] != version, f"{name} has this version, and replace refused it"
        else:
            assert current is not None, f"{name} is gone, and replace wrote it"
            assert current[1] == version, f"{name} has another version, and replace wrote it"
            self._written(name, data, new)

    @rule(client=_clients, names=st.lists(_names, max_size=3))
    def delete(self, client: int, names: list[str]) -> None:
        """Delete documents, be they there or not."""
        self.stores[client].delete([self.root + name for name in names])
        for name in names:
            self.documents.pop(name, None)

    @rule(name=_names)
    def read(self, name: str) -> None:
        """Read a document with every handle, if it is there."""
        for store in self.stores:
            try:
                found = store.read(self.root + name)
            except FileNotFoundError:
                assert name not in self.documents, f"{name} is there, and read did not find it"
            else:
                assert self.documents.get(name) == (found.data, found.version), f"{name} is not what was written"

    @rule(client=_clients, prefix=_prefixes)
    def list_keys(self, client: int, prefix: str) -> None:
        """List the keys that begin with a prefix."""
        expected = sorted(self.root + name for name in self.documents if name.startswith(prefix))
        assert self.stores[client].keys(self.root + prefix) == expected

    @rule(client=_clients, prefix=_folders)
    def list_branches(self, client: int, prefix: str) -> None:
        """List what follows a prefix."""
        rests = [name[len(prefix) :] for name in self.documents if name.startswith(prefix)]
        expected = sorted({rest.partition("/")[0] for rest in rests if "/" in rest})
        assert self.stores[client].branches(self.root + prefix) == expected

    # --- journals

    @rule(client=_clients, journal=_journals, lines=_lines, gap=st.sampled_from([0, 0, 0, 1]))
    def append(self, client: int, journal: str, lines: list[bytes], gap: int) -> None:
        """Append behind all that ever was, or with a *gap* where the store looks at every number."""
        first = self.ends.get(journal, 0) + 1 + (gap if self.tells_overlaps else 0)
        self.stores[client].append(self.root + journal, first, lines)
        batch = _Batch(first, lines)
        self.batches.setdefault(journal, []).append(batch)
        self.certain.setdefault(journal, {}).update(batch.held)
        self.possible.setdefault(journal, {}).update(batch.held)
        self.ends[journal] = first + len(lines) - 1

    @rule(client=_clients, journal=_journals, lines=_lines, draw=st.data())
    def append_where_it_is_taken(self, client: int, journal: str, lines: list[bytes], draw: st.DataObject) -> None:
        """Append under a number that is taken, or a batch that reaches one; nothing may change."""
        certain = self.certain.get(journal, {})
        firsts = {batch.first for batch in self.batches.get(journal, [])}
        taken = sorted(number for number in certain if self.tells_overlaps or number in firsts)
        if self.tells_overlaps and len(lines) > 1:
            taken += [number - 1 for number in taken if number > 1 and number - 1 not in certain]
        if not taken:
            return
        first = draw.draw(st.sampled_from(taken))
        if draw.draw(st.booleans()) and first in certain:
            lines = [certain[first]]  # the very line that stands there
        try:
            self.stores[client].append(self.root + journal, first, lines)
        except Fenced:
            self.list_lines(client, journal, 0, None)
        else:
            raise AssertionError(f"{journal}: a number that was taken was given again")

    @rule(client=_clients, journal=_journals, after=st.integers(0, 12), most=st.none() | st.integers(0, 8))
    def list_lines(self, client: int, journal: str, after: int, most: int | None) -> None:
        """Read the lines behind a number."""
        found: list[tuple[int, bytes]] = []
        for first, lines in self.stores[client].lines(self.root + journal, after, most):
            assert lines, "a piece without lines"
            found += enumerate(lines, first)
        numbers = [number for number, _ in found]
        assert numbers == sorted(set(numbers)), f"{journal}: {numbers}"
        assert most is None or len(found) <= most, f"{journal}: more than {most} lines"
        assert not numbers or numbers[0] > after, f"{journal}: line {numbers[0]} is not behind {after}"
        possible = self.possible.get(journal, {})
        for number, line in found:
            assert possible.get(number) == line, f"{journal}: line {number} is not what was appended, or was trimmed"
        if most is None or len(found) < most:
            expected = {number for number in self.certain.get(journal, {}) if number > after}
        else:
            last = numbers[-1] if numbers else after
            expected = {number for number in self.certain.get(journal, {}) if after < number <= last}
        assert expected <= set(numbers), f"{journal}: lines {sorted(expected - set(numbers))} are lost"

    @rule(client=_clients, journal=_journals, upto=st.integers(0, 15), keep=st.lists(st.integers(1, 15), max_size=3))
    def trim(self, client: int, journal: str, upto: int, keep: list[int]) -> None:
        """Forget lines up to a number, but those to keep."""
        self.stores[client].trim(self.root + journal, upto, keep)
        certain, possible = self.certain.get(journal, {}), self.possible.get(journal, {})
        for batch in self.batches.get(journal, []):
            spared = any(number > upto or number in keep for number in batch.held)
            for number in batch.held:
                if number <= upto and number not in keep:
                    certain.pop(number, None)
                    if not spared:
                        possible.pop(number, None)

    # --- handles

    @rule(client=_clients)
    def reopen(self, client: int) -> None:
        """Close a handle and open another."""
        self.stores[client].close()
        self.stores[client] = type(self).opener()

    @invariant()
    def versions_never_repeat(self) -> None:
        """Check that a version stands for one write of one key."""
        for name, versions in getattr(self, "versions", {}).items():
            assert len(set(versions)) == len(versions), f"{name}: a version came twice"

    def teardown(self) -> None:
        """Compare all of it once more, and leave nothing behind."""
        if hasattr(self, "ends"):
            self.list_keys(0, "")
            for name in self.documents:
                self.read(name)
            for journal in self.ends:
                self.list_lines(2, journal, 0, None)
                self.stores[0].trim(self.root + journal, self.ends[journal])
            self.stores[0].delete([self.root + name for name in self.documents])
        for store in getattr(self, "stores", []):
            store.close()

    def _written(self, name: str, data: bytes, version: str) -> None:
        self.documents[name] = data, version
        self.versions.setdefault(name, []).append(version)


def check_store(
    opener: Callable[[], Store],
    *,
    examples: int = 15,
    steps: int = STEPS,
    tells_overlaps: bool = True,
    shortest: bool = True,
) -> None:
    """Use a store in *examples* ways of up to *steps* steps each; raise what first differs from dicts.

    Args:
        opener: Opens one more handle on the same place.
        examples: How many ways.
        steps: How many steps each has at most.
        tells_overlaps: Whether the store looks at every number of a batch, not only at the first.
        shortest: Look for the shortest way to what differs, which may take minutes.
    """
    fields = {"opener": staticmethod(opener), "tells_overlaps": tells_overlaps}
    run_machine(type("Checked", (StoreMachine,), fields), examples, steps, shortest=shortest)


def run_machine(machine: Any, examples: int, steps: int, *, shortest: bool = True) -> None:
    """Run a state machine without a deadline: how long a store takes is not what it is asked."""
    phases = (Phase.generate, Phase.shrink) if shortest else (Phase.generate,)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=phases,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
