"""A journal numbers what it records, and tells what it proves."""

from __future__ import annotations

import pytest

from milepost.errors import Fenced
from milepost.fs import FileSystem
from milepost.journal import History, Journal
from milepost.records import Kind, Position, decode_line, start_of
from tests.support.journals import RUN, Clock, disk, look, number_of, read, store, writer, written


def _history(count: int) -> History:
    return _of(written(count))


def _of(files: FileSystem) -> History:
    history = History.of(store(files), Kind.STATE, range(-2, 10))
    assert history is not None
    return history


@pytest.mark.parametrize("after", [0, 1, 4, 5, 6, 100])
def test_records_are_given_from_a_number_on(after: int) -> None:
    """Records behind a number come in order, each with its own number, and none where there is nothing."""
    found = list(_history(5).records(after))
    assert [number for number, _ in found] == list(range(after + 1, 6))
    assert [int(record.value[1:].partition(b":")[0]) for _, record in found if record.value] == list(
        range(after + 1, 6)
    )


def test_the_last_record_is_the_newest() -> None:
    """The last record is the newest one, and an empty journal has none."""
    assert _history(3).last() == list(_history(3).records())[-1][1]
    assert _history(0).last() is None


def test_a_history_contains_the_positions_it_passed_through() -> None:
    """A history contains its start and every position behind a record, and no other number or chain."""
    history = _history(3)
    start = start_of(RUN)
    assert history.contains(start)
    assert history.contains(history.end)
    chains = [line[-34:-2].decode() for line in read(written(3)).lines]
    assert all(history.contains(Position(number, chain)) for number, chain in enumerate(chains, start=1))
    assert not history.contains(Position(0, chains[0]))
    assert not history.contains(Position(1, chains[1]))
    assert not history.contains(Position(4, chains[2]))
    assert not history.contains(Position(2, start.chain))
    assert not history.contains(Position(-1, start.chain))


def test_a_history_keeps_only_what_was_asked_for() -> None:
    """A history keeps the records of one kind, and its end and newest record are those of the whole journal."""
    files = disk()
    run = writer(files)
    journal = Journal(run, Clock(), start_of(RUN))
    for kind in (Kind.STATE, Kind.DONE, Kind.STATE, Kind.CODE):
        journal.append(kind, b'{"kind":"state"}', key='"kind":"state"')
    history = _of(files)
    assert [number for number, _ in history.records()] == [1, 3]
    assert history.end is history.reading.end
    assert history.end == journal.position
    last = history.last()
    assert last is not None
    assert last.kind is Kind.CODE
    assert History.of(store(disk()), Kind.STATE) is None


def test_opening_counts_on_from_the_newest_record() -> None:
    """Each opening appends one `opened` record whose attempt is one more than that of the newest record."""
    files = disk()
    for attempt in (1, 2, 3):
        run = writer(files)
        history = _of(files)
        journal = Journal(run, Clock(), history.end)
        journal.open(history.last())
        assert journal.attempt == attempt
        journal.append(Kind.DONE, b"1", key="book")
        run.close()
    records = [decode_line(line) for line in read(files).lines]
    assert [record.kind for record in records] == [Kind.OPENED, Kind.DONE] * 3
    assert [record.attempt for record in records] == [1, 1, 2, 2, 3, 3]


def test_an_append_moves_the_position() -> None:
    """The position is the one behind the record that was appended, and the clock dates it."""
    run = writer(disk())
    clock = Clock()
    journal = Journal(run, clock, start_of(RUN))
    clock.at += 5
    position = journal.append(Kind.STATE, b'"1:"', key="a")
    assert position == journal.position == read(run.folder.files).end
    (line,) = read(run.folder.files).lines
    record = decode_line(line)
    assert (record.time, record.key, record.attempt) == (clock.at, "a", 0)
    assert number_of(line) == 1


def test_a_stale_writer_is_fenced() -> None:
    """A writer whose next slot was taken is refused, and the journal keeps what the newer one wrote."""
    files = disk()
    run = writer(files)
    newer, older = (Journal(run, Clock(), start_of(RUN)) for _ in range(2))
    newer.open(None)
    with pytest.raises(Fenced, match="record 1 is taken"):
        older.append(Kind.DONE, b"1")
    assert [decode_line(line).kind for line in read(files).lines] == [Kind.OPENED]
    assert look(store(files)) is not None
