"""The suite itself is proven: each promise that a store breaks is caught, by the law that states it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis.errors import Flaky

from milepost.errors import MilepostError
from milepost.stores.memory import MemoryStore
from milepost.stores.store import Store
from milepost.testing.conformance import Handles, Opener, StoreConformance
from milepost.testing.machine import check_store
from tests.support import broken_stores as broken

PLANTED: list[tuple[type, str]] = [
    (broken.Overwriting, "test_create_never_overwrites"),
    (broken.Unconditional, "test_only_the_newest_version_can_be_replaced"),
    (broken.CheckingTooEarly, "test_of_many_replaces_one_wins"),
    (broken.CheckingTooEarly, "test_no_update_is_lost"),
    (broken.CreatingWhatIsGone, "test_a_missing_document_cannot_be_replaced"),
    (broken.VersionByContent, "test_a_version_never_comes_twice"),
    (broken.CountingAnew, "test_a_version_never_comes_twice"),
    (broken.HalfAppending, "test_an_append_is_all_or_nothing"),
    (broken.Unfenced, "test_a_taken_number_is_refused"),
    (broken.Unfenced, "test_of_many_appends_one_wins"),
    (broken.TakingTheSameForAReply, "test_a_taken_number_is_refused"),
    (broken.TakingTheSameForAReply, "test_of_many_appends_one_wins"),
    (broken.TrimmingAll, "test_trimming_keeps_what_it_is_told_to"),
    (broken.FreeingKept, "test_trimming_keeps_what_it_is_told_to"),
    (broken.TrimmingOneMore, "test_trimming_forgets_lines_up_to_a_number"),
    (broken.SortedAsPeopleDo, "test_keys_are_listed_by_prefix_in_the_order_of_code_points"),
    (broken.PrefixByFolder, "test_keys_are_listed_by_prefix_in_the_order_of_code_points"),
    (broken.PrefixAsPattern, "test_keys_are_listed_by_prefix_in_the_order_of_code_points"),
    (broken.CuttingLists, "test_many_keys_are_all_listed"),
    (broken.ListingJournals, "test_journals_are_no_documents"),
    (broken.LosingWrites, "test_a_write_is_seen_at_once"),
    (broken.LosingLines, "test_lines_come_back_in_order"),
    (broken.ReadingText, "test_a_document_is_read_as_it_was_written"),
    (broken.SplittingLines, "test_a_line_is_every_byte_but_a_newline"),
    (broken.IgnoringMost, "test_reading_begins_behind_a_number"),
    (broken.OffByOne, "test_reading_begins_behind_a_number"),
    (broken.RaisingItsOwn, "test_a_missing_document_is_not_found"),
    (broken.TimelessDocuments, "test_a_document_tells_when_it_was_written"),
    (broken.DeletingByPrefix, "test_deleting_what_is_missing_is_no_error"),
    (broken.Doubting, "test_a_taken_number_is_refused"),
    (broken.Caching, "test_a_write_is_seen_at_once"),
    (broken.WritingLate, "test_a_write_is_seen_at_once"),
]
BY_HANDLE = {broken.Caching, broken.WritingLate}
SEEN_BY_THE_MACHINE = sorted(
    {kind for kind, _ in PLANTED}
    - {
        broken.CheckingTooEarly,  # shows between threads only
        broken.CuttingLists,  # the machine uses few keys
        broken.TimelessDocuments,  # the machine does not look at times
    },
    key=lambda kind: kind.__name__,
)


class Quick(StoreConformance):
    between_processes = False


def opener_of(kind: type) -> Opener:
    """Return what opens handles on one store that is broken in this way."""
    inner = MemoryStore()
    if kind in BY_HANDLE:
        return cast("Opener", lambda: kind(inner))
    store: Store = kind()
    return lambda: store


def law(name: str) -> Callable[[Handles], None]:
    """Return a law of the suite."""
    return cast("Callable[[Handles], None]", getattr(Quick(), name))


BROKEN = (AssertionError, KeyError, ValueError, OSError, MilepostError)
"""What a broken promise shows as: a law that does not hold, or an error that the law did not expect."""


@pytest.mark.parametrize(("kind", "name"), PLANTED, ids=lambda part: getattr(part, "__name__", part))
def test_a_broken_promise_is_caught(kind: type, name: str) -> None:
    """A store that breaks a promise fails the law that states it."""
    with pytest.raises(BROKEN):
        law(name)(Handles(opener_of(kind)))


@pytest.mark.parametrize("kind", SEEN_BY_THE_MACHINE, ids=lambda kind: kind.__name__)
def test_the_machine_alone_finds_it(kind: type) -> None:
    """The state machine finds the same by itself, given some more ways to try."""
    with pytest.raises((*BROKEN, Flaky)):  # a store that forgets answers the same question in two ways
        check_store(opener_of(kind), examples=400, steps=40, shortest=False)


def test_each_defect_names_a_law() -> None:
    """Each planted defect names a law that the suite has."""
    laws = {name for name, _ in inspect.getmembers(StoreConformance, inspect.isfunction) if name.startswith("test_")}
    assert {name for _, name in PLANTED} <= laws
