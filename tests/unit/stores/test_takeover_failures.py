"""A takeover that is broken off before the old writer is fenced: the next one must fence it all the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

from milepost.clock import SystemClock
from milepost.errors import Fenced, StoreUnavailable
from milepost.records import Kind, Record
from milepost.stores.memory import MemoryStore
from milepost.stores.stored import StoredRun
from milepost.stores.terms import Terms
from milepost.stores.wrapped import WrappedStore

T = TypeVar("T")

PATIENT, TAKING = Terms(30.0), Terms(30.0, take_over=True)


class Refusing(WrappedStore):
    """Refuses each append to a journal."""

    def append(self, journal: str, first: int, lines: Sequence[bytes]) -> None:
        raise StoreUnavailable(f"{journal}: the network is down.")


class Unanswering(WrappedStore):
    """Refuses to write a directory."""

    def _change(self, verb: str, name: str, call: Callable[[], T]) -> T:
        if name.endswith("/directory"):
            raise StoreUnavailable(f"{name}: the network is down.")
        return call()


def _record(key: str) -> Record:
    return Record(Kind.DONE, 1_795_000_000.0, 1, key=key, value=b"1")


def _opened(store: MemoryStore | WrappedStore, terms: Terms) -> StoredRun:
    run = StoredRun.made(store, "phase", terms)
    run.lock(SystemClock())
    return run


@pytest.mark.parametrize("broken", [Refusing, Unanswering])
def test_a_takeover_that_fails_leaves_the_lease_to_be_taken_over(broken: type[WrappedStore]) -> None:
    """Closing a run whose takeover failed does not make the old writer look as if it had let go of the lease."""
    store = MemoryStore()
    old = _opened(store, PATIENT)
    old.recover("8aa3d0540103e230")
    old.append([_record("a")], expected=0)
    second = StoredRun.made(broken(store), "phase", TAKING)
    with pytest.raises(StoreUnavailable, match="the network is down"):
        second.lock(SystemClock())
    second.close()
    third = _opened(store, PATIENT)
    reading = third.recover("8aa3d0540103e230", known=True)
    with pytest.raises(Fenced):
        old.append([_record("late")], expected=1)
    third.append([_record("b")], expected=reading.end.sequence)
    with pytest.raises(Fenced):
        old.replace("digests.json", b"late")
