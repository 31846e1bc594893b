"""The rules of a loop: what is handed out, and what a record belongs to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost.errors import (
    AlreadyRecorded,
    DuplicateKey,
    InvalidArgument,
    NoItem,
    NotEncodable,
    PhaseClosed,
    Unrecorded,
)

Open = Callable[..., milepost.Phase]


@pytest.fixture(params=["folder", "memory"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Make phases of one name; the rules are the same in a folder and switched off."""

    def make(**settings: Any) -> milepost.Phase:
        return milepost.Phase("phase_3", store=tmp_path, enabled=request.param == "folder", **settings)

    return make


@pytest.fixture
def phase(tmp_path: Path) -> Iterator[milepost.Phase]:
    with milepost.Phase("phase_3", store=tmp_path) as opened:
        yield opened


def test_a_second_attempt_is_handed_only_what_is_not_done(tmp_path: Path) -> None:
    """An item with a record is never handed out again."""
    with milepost.Phase("p", store=tmp_path) as phase:
        for item in phase.each(["a", "b", "c"]):
            if item == "b":
                break
            phase.record(item.upper())
    with milepost.Phase("p", store=tmp_path) as phase:
        again = []
        for item in phase.each(["a", "b", "c"]):
            again.append(item)
            phase.record(item.upper())
        assert again == ["b", "c"]
        assert dict(phase.results()) == {"a": "A", "b": "B", "c": "C"}


def test_the_third_run_computes_nothing(tmp_path: Path) -> None:
    """A completed result comes back at once, without a call of the function that made it."""
    calls = []

    def total(results: Any) -> int:
        calls.append(1)
        return sum(results.values())

    for _ in range(3):
        with milepost.Phase("p", store=tmp_path) as phase:
            for item in phase.each(["a", "bb"]):
                phase.record(len(item))
            assert phase.complete(total, phase.results()) == 3
    assert len(calls) == 1


def test_results_come_in_the_order_of_this_attempts_items(tmp_path: Path) -> None:
    """Items are known by key: another order, new items and missing ones give a mapping in the new order."""
    with milepost.Phase("p", store=tmp_path) as phase:
        for item in phase.each(["a", "b", "c"]):
            phase.record(item * 2)
    with milepost.Phase("p", store=tmp_path) as phase:
        fresh = []
        for item in phase.each(["d", "c", "a"]):
            fresh.append(item)
            phase.record(item * 2)
        assert fresh == ["d"]
        assert list(phase.results().items()) == [("d", "dd"), ("c", "cc"), ("a", "aa")]
        assert "b" not in phase.results()
        with pytest.raises(KeyError):
            phase.results()["b"]


def test_the_record_belongs_to_the_item_handed_out_last(opened: Open) -> None:
    """A record without a key is that of the newest item; one with a key is that of the item it names."""
    with opened() as phase:
        for item in phase.each(["a", "b"]):
            if item == "b":
                phase.record("for a", key="a")
                phase.record("for b")
        assert dict(phase.results()) == {"a": "for a", "b": "for b"}


def test_a_record_without_an_item_in_hand_is_refused(opened: Open) -> None:
    """Before the first item and after exhaustion there is no item to record for."""
    with opened() as phase:
        with pytest.raises(NoItem):
            phase.record(1)
        for _ in phase.each(["a"]):
            phase.record(1)
        with pytest.raises(NoItem):
            phase.record(2)
        with pytest.raises(NoItem, match="'zzz'"):
            phase.record(2, key="zzz")
        assert dict(phase.results()) == {"a": 1}


def test_a_key_is_recorded_once(opened: Open) -> None:
    """A second record of one key is refused, and the first one stands."""
    with opened() as phase:
        for _ in phase.each(["a"]):
            phase.record(1)
            with pytest.raises(AlreadyRecorded, match="'a'"):
                phase.record(2)
            with pytest.raises(AlreadyRecorded, match="'a'"):
                phase.record(2, key="a")
        assert dict(phase.results()) == {"a": 1}


def test_a_key_of_an_earlier_attempt_is_not_recorded_again(tmp_path: Path) -> None:
    """What an earlier attempt recorded counts as recorded."""
    with milepost.Phase("p", store=tmp_path) as phase:
        for _ in phase.each(["a"]):
            phase.record(1)
    with milepost.Phase("p", store=tmp_path) as phase:
        assert list(phase.each(["a"])) == []
        with pytest.raises(AlreadyRecorded):
            phase.record(2, key="a")


def test_another_thread_must_name_the_item(opened: Open) -> None:
    """Off the iterating thread a record needs its key."""
    errors: list[BaseException] = []

    def other(phase: milepost.Phase) -> None:
        try:
            phase.record("x")
        except NoItem as error:
            errors.append(error)
        phase.record("named", key="a")

    with opened() as phase:
        for _ in phase.each(["a"]):
            thread = threading.Thread(target=other, args=(phase,))
            thread.start()
            thread.join()
        (refused,) = errors
        assert str(refused).endswith("name the item with key=.")
        assert dict(phase.results()) == {"a": "named"}


def test_default_keys_serve_texts_and_paths_only(opened: Open, tmp_path: Path) -> None:
    """A text is its own key, a path is its text, and anything else needs key=."""
    book = tmp_path / "book.txt"
    book.write_text("text")
    with opened() as phase:
        for item in phase.each(["a", book]):
            phase.record(str(item))
        assert list(phase.results()) == ["a", str(book)]
        with pytest.raises(InvalidArgument, match="int has no key"):
            next(phase.each([1], name="numbers"))


@pytest.mark.parametrize("key", [None, 3, "", b"x", "\ud800"], ids=repr)
def test_a_key_is_a_text_that_can_be_stored(opened: Open, key: Any) -> None:
    """Whatever key= gives must be a text that is not empty and has a UTF-8 form."""
    with opened() as phase, pytest.raises(InvalidArgument, match="key"):
        next(phase.each([1], key=lambda _: key))


def test_a_duplicate_key_is_named(opened: Open) -> None:
    """Two items of one key stop the loop with an error that names the key."""
    with opened() as phase:
        loop = phase.each(["a", "b", "a"])
        for _ in range(2):
            phase.record(next(loop))
        with pytest.raises(DuplicateKey, match="'a'"):
            next(loop)
        assert list(phase.results()) == ["a", "b"]


def test_a_second_loop_needs_a_name(opened: Open) -> None:
    """Two loops of one phase keep their keys apart by name."""
    with opened() as phase:
        for item in phase.each(["a"]):
            phase.record(item)
        with pytest.raises(InvalidArgument, match="name="):
            phase.each(["b"])
        for item in phase.each(["a"], name="second"):
            phase.record(item * 3)
        with pytest.raises(InvalidArgument, match="'second'"):
            phase.each(["b"], name="second")
        assert dict(phase.results()) == {"a": "a"}
        assert dict(phase.results("second")) == {"a": "aaa"}


def test_completing_needs_every_item_recorded(opened: Open) -> None:
    """A phase with items handed out and not recorded is not complete, and the error names them."""
    with opened() as phase:
        for item in phase.each(["a", "b"]):
            if item == "a":
                continue
            phase.record(item)
        with pytest.raises(Unrecorded, match="'a'"):
            phase.complete("done")


def test_leaving_with_items_unrecorded_is_no_complaint(tmp_path: Path) -> None:
    """Leaving the with block early is how a job stops; the rest is handed out next time."""
    with milepost.Phase("p", store=tmp_path) as phase:
        next(phase.each(["a", "b"]))
    with milepost.Phase("p", store=tmp_path) as phase:
        assert list(phase.each(["a", "b"])) == ["a", "b"]


def test_batches_are_recorded_as_one(opened: Open) -> None:
    """A batch is handed out as a list and recorded as a list of as many results."""
    with opened() as phase:
        sizes = []
        for batch in phase.each(list("abcde"), batch=2):
            sizes.append(len(batch))
            phase.record([item.upper() for item in batch])
        assert sizes == [2, 2, 1]
        assert "".join(phase.results().values()) == "ABCDE"


@pytest.mark.parametrize("value", ["ab", b"ab", {"a": 1, "b": 2}, ["one"], 7], ids=repr)
def test_a_batch_takes_a_list_of_as_many_values(opened: Open, value: Any) -> None:
    """A value that is not a list of one result for each item of the batch is refused."""
    with opened() as phase:
        for _ in phase.each(["a", "b"], batch=2):
            with pytest.raises(InvalidArgument, match="2 items"):
                phase.record(value)
            phase.record([1, 2])
        assert dict(phase.results()) == {"a": 1, "b": 2}


def test_a_failure_is_no_result_and_is_tried_again(tmp_path: Path) -> None:
    """A failed item has no value, is told among the failures, and is handed out by the next attempt."""
    with milepost.Phase("p", store=tmp_path) as phase:
        for item in phase.each(["a", "b"]):
            if item == "a":
                phase.fail(ValueError("no text"))
            else:
                phase.record(item)
        assert dict(phase.results()) == {"b": "b"}
        assert phase.failures()["a"]["type"] == "ValueError"
        assert phase.failures()["a"]["message"] == "no text"
    with milepost.Phase("p", store=tmp_path) as phase:
        again = []
        for item in phase.each(["a", "b"]):
            again.append(item)
            phase.record(item)
        assert again == ["a"]
        assert dict(phase.results()) == {"a": "a", "b": "b"}
        assert dict(phase.failures()) == {}


def test_a_value_that_cannot_be_stored_is_named_and_not_recorded(phase: milepost.Phase) -> None:
    """A result that would not come back equal is refused by its path, and its item can still be recorded."""
    for _ in phase.each(["a"]):
        with pytest.raises(NotEncodable, match=r"results\['a'\]\.x"):
            phase.record({"x": object()})
        phase.record({"x": 1})
    assert dict(phase.results()) == {"a": {"x": 1}}


def test_one_bad_value_of_a_batch_costs_the_others_nothing(phase: milepost.Phase) -> None:
    """Of a batch with one value that cannot be stored the others are recorded, and the error names the one."""
    for _ in phase.each(["a", "b", "c"], batch=3):
        with pytest.raises(NotEncodable, match=r"results\['b'\]"):
            phase.record([1, object(), 3])
    assert dict(phase.results()) == {"a": 1, "c": 3}


def test_a_phase_is_used_inside_its_with_block(tmp_path: Path) -> None:
    """Before and after its with block a phase refuses to work, and says so."""
    phase = milepost.Phase("p", store=tmp_path)
    with pytest.raises(PhaseClosed, match="with"):
        phase.results()
    with phase:
        loop = phase.each(["a"])
        next(loop)
    with pytest.raises(PhaseClosed):
        phase.record(1)


def test_generators_are_read_as_the_loop_goes_on(opened: Open) -> None:
    """Items of unknown number are taken one by one, never ahead."""
    taken = []

    def endless() -> Iterator[str]:
        for number in range(1_000_000_000):
            taken.append(number)
            yield f"item-{number}"

    with opened() as phase:
        for item in phase.each(endless()):
            phase.record(item)
            if len(taken) == 3:
                break
        assert list(phase.results()) == ["item-0", "item-1", "item-2"]
    assert taken == [0, 1, 2]


def test_an_item_that_changed_runs_again_alone(tmp_path: Path) -> None:
    """The content of a path, or what version= says, decides whether a done item still counts."""
    books = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for book in books:
        book.write_text("first")
    seen = []
    for text in ("first", "second", "second"):
        books[1].write_text(text)
        with milepost.Phase("p", store=tmp_path / "runs") as phase:
            for book in phase.each(books, key=lambda book: book.stem):
                seen.append(book.stem)
                phase.record(book.read_text())
            assert dict(phase.results()) == {"a": "first", "b": text}
    assert seen == ["a", "b", "b"]


def test_a_stale_result_is_no_result_before_it_is_made_again(tmp_path: Path) -> None:
    """While a changed item is in hand its old value is not among the results."""
    for version in (1, 2):
        with milepost.Phase("p", store=tmp_path) as phase:
            for item in phase.each(["a"], version=[None, lambda _: 1, lambda _: 2][version]):
                assert "a" not in phase.results()
                phase.record(version)
                assert phase.results()[item] == version


def test_switched_off_nothing_touches_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With MILEPOST_DISABLE=1 the same code is a plain loop in memory, of any values."""
    monkeypatch.setenv("MILEPOST_DISABLE", "1")
    value = object()
    with milepost.Phase("p", store=tmp_path / "none", params={"x": object()}) as phase:
        for _ in phase.each(["a"]):
            phase.record(value)
        phase.state["thing"] = value
        phase.save()
        assert phase.step("s", lambda: value) is value
        assert phase.call("c", lambda call_id: value, cost_usd=1.0) is value
        assert phase.complete(lambda results: results["a"], phase.results()) is value
    assert not (tmp_path / "none").exists()
