"""Appending: one buffer, one write, one sync, then the acknowledgement; and no second chance after a failure."""

from __future__ import annotations

import errno
import itertools
import logging

import pytest

from milepost.errors import DiskFull, DurabilityUnknown
from milepost.fs import FileSystem
from milepost.records import Position, encode_lines, start_of
from milepost.stores import Durability
from milepost.stores.appender import RESERVE_BYTES, Appender
from milepost.stores.segment import HEAD_BYTES, SLOT_OFFSETS, Head, head_page, scan
from milepost.testing import ErrorAt, Interrupted, Recorded, ShortWrites, SimulatedDisk
from tests.support.journals import FIRST, PLACE, RUN, append, disk, numbers, read, record, store, writer

START = start_of(RUN)
NAME = "journal_000001.jsonl"
PAGE = 4096


def _open(files: FileSystem, inner: SimulatedDisk) -> Appender:
    """Open the end of a new journal on *inner* by way of *files*."""
    with store(inner).folder as folder:
        folder.put(NAME, head_page(Head(RUN, 1, START)), replace=True)
    directory = files.open_path("/run")
    handle = files.open_file(directory, NAME, "update")
    return Appender(files, handle, PLACE / NAME, START, HEAD_BYTES, 0)


def _lines(position: Position, *numbers_: int, size: int = 40) -> tuple[bytes, Position]:
    lines, end = encode_lines([record(number, size) for number in numbers_], position)
    return b"".join(lines), end


def _put(appender: Appender, *numbers_: int, size: int = 40, durability: Durability = Durability.POWER) -> None:
    lines, end = _lines(appender.position, *numbers_, size=size)
    appender.append(lines, end, durability)


def test_a_batch_is_one_write_and_one_sync() -> None:
    """A batch is its watermark, one write of all its lines, one data sync, and nothing after."""
    inner = disk()
    files = Recorded(inner)
    appender = _open(files, inner)
    _put(appender, 1)
    files.operations.clear()
    _put(appender, 2, 3, 4)
    assert files.story() == [f"write {NAME}", f"write {NAME}", f"sync_data {NAME}"]
    assert numbers(read(inner.crash())) == [1, 2, 3, 4]


def test_the_first_append_writes_space_ahead() -> None:
    """Space is written ahead before the records, and shares their one sync."""
    inner = disk()
    files = Recorded(inner)
    appender = _open(files, inner)
    _put(appender, 1)
    assert files.story() == [f"write {NAME}"] * 3 + [f"sync_data {NAME}"]


def test_space_ahead_is_newlines_and_grows() -> None:
    """The padding is newlines, 64 KB at first and up to 1 MB at a time."""
    inner = disk()
    appender = _open(inner, inner)
    sizes = [HEAD_BYTES]
    number = 0
    while appender.offset < 3_500_000:
        number += 1
        _put(appender, number, size=90_000)
        size = len(inner.files()[FIRST])
        if size != sizes[-1]:
            sizes.append(size)
        assert set(inner.files()[FIRST][appender.offset :]) == {ord("\n")}
        assert size - appender.offset >= RESERVE_BYTES
    steps = [later - earlier for earlier, later in itertools.pairwise(sizes)]
    assert 64 * 1024 <= steps[0] < 200 * 1024
    assert 1024 * 1024 <= max(steps) < 1024 * 1024 + 200_000
    assert len(steps) < 12


def test_a_clean_close_cuts_the_padding_and_states_the_end() -> None:
    """After a clean close the file ends with its last record, durably, and even that one's loss is noticed."""
    inner = disk()
    appender = _open(inner, inner)
    _put(appender, 1)
    _put(appender, 2)
    end = appender.offset
    appender.close()
    left = inner.crash().files()[FIRST]
    assert len(left) == end
    assert scan(NAME, left).error is None
    assert scan(NAME, left[: len(left) - 10]).error is not None
    assert scan(NAME, left[: HEAD_BYTES + left[HEAD_BYTES:].index(b"\n") + 1]).error is not None
    appender.close()


def test_a_close_that_is_not_clean_touches_no_byte() -> None:
    """Closing without the clean end changes nothing and syncs nothing."""
    inner = disk()
    files = Recorded(inner)
    appender = _open(files, inner)
    _put(appender, 1)
    files.operations.clear()
    appender.close(clean=False)
    assert files.story() == []


def test_watermarks_lag_by_one_and_take_turns() -> None:
    """Each append vouches for the one before it, in the two slots in turn."""
    inner = disk()
    appender = _open(inner, inner)
    seen = []
    for number in range(1, 6):
        _put(appender, number)
        page = inner.crash().files()[FIRST]
        seen.append([scan_mark(page, offset) for offset in SLOT_OFFSETS])
    assert seen == [[0, 0], [0, 1], [2, 1], [2, 3], [4, 3]]


def scan_mark(page: bytes, offset: int) -> int:
    """Return the sequence number of the watermark at *offset*."""
    return int(page[offset : offset + 512].partition(b'"sequence":')[2].partition(b",")[0])


def test_a_strict_append_vouches_for_itself() -> None:
    """A strict append syncs twice, and its own loss is noticed."""
    inner = disk()
    files = Recorded(inner)
    appender = _open(files, inner)
    _put(appender, 1, durability=Durability.STRICT)
    assert files.story().count(f"sync_data {NAME}") == 2
    left = inner.crash().files()[FIRST]
    assert scan(NAME, left[:HEAD_BYTES]).error is not None


def test_short_writes_are_written_to_the_end() -> None:
    """However few bytes the system takes at a time, all of a batch is written before the sync."""
    inner = disk()
    files = Recorded(ShortWrites(inner))
    appender = _open(files, inner)
    _put(appender, 1, 2)
    assert files.story()[-1] == f"sync_data {NAME}"
    assert numbers(read(inner.crash())) == [1, 2]


# --- not synced: survives SIGKILL only


def test_an_append_without_sync_is_vouched_for_only_once_synced() -> None:
    """What is not synced yet has no watermark, so that its loss in a power cut looks like no damage."""
    inner = disk()
    appender = _open(inner, inner)
    _put(appender, 1)
    for number in (2, 3, 4):
        _put(appender, number, durability=Durability.PROCESS)
    appender.note_checkpoint(1)
    assert numbers(read(inner.killed())) == [1, 2, 3, 4]
    page = inner.files()[FIRST]
    assert max(scan_mark(page, offset) for offset in SLOT_OFFSETS) == 1
    _put(appender, 5)
    assert numbers(read(inner.crash())) == [1, 2, 3, 4, 5]


def test_a_clean_close_syncs_what_was_not() -> None:
    """A clean close makes records durable before a watermark vouches for them."""
    inner = disk()
    files = Recorded(inner)
    appender = _open(files, inner)
    _put(appender, 1, durability=Durability.PROCESS)
    files.operations.clear()
    appender.close()
    assert files.story() == [f"sync_data {NAME}", f"write {NAME}", f"truncate {NAME}", f"sync {NAME}"]


def test_what_is_kept_for_a_failed_sync_is_bounded() -> None:
    """At most a megabyte of lines without a sync is kept in memory, and the next sync begins anew."""
    inner = disk()
    files = Recorded(inner)
    appender = _open(files, inner)
    for number in range(1, 40):
        _put(appender, number, size=60_000, durability=Durability.PROCESS)
        assert (appender.loose is None) == (number > 17)
        assert len(appender.loose or b"") <= 1024 * 1024
    assert f"sync_data {NAME}" not in files.story()
    _put(appender, 40)
    assert appender.loose is not None
    assert len(appender.loose) == 0
    assert numbers(read(inner.crash())) == list(range(1, 41))


# --- failures


@pytest.mark.parametrize("verb", ["write", "sync_data"])
@pytest.mark.parametrize("code", [errno.EIO, errno.EROFS])
def test_a_failed_append_poisons(verb: str, code: int) -> None:
    """After a failed write or sync the append is of unknown durability, and nothing is written by that handle again."""
    inner = disk()
    for n in range(1, 4 if verb == "write" else 2):
        files = Recorded(ErrorAt(inner, n, code, among={verb}))
        appender = _open(files, inner)
        lines, end = _lines(START, 1)
        with pytest.raises(DurabilityUnknown, match="Nobody knows"):
            appender.append(lines, end)
        assert appender.poisoned
        assert appender.position == START
        files.operations.clear()
        with pytest.raises(DurabilityUnknown, match="takes no more"):
            appender.append(lines, end)
        with pytest.raises(DurabilityUnknown, match="takes no more"):
            appender.note_checkpoint(1)
        appender.close()
        assert files.story() == []


def test_no_sync_is_tried_twice() -> None:
    """Between a failed sync and the error there is no second sync, and none on closing."""
    inner = disk()
    files = Recorded(inner)
    appender = _open(files, inner)
    _put(appender, 1)
    inner.fail_next_sync()
    files.operations.clear()
    with pytest.raises(DurabilityUnknown):
        _put(appender, 2)
    appender.close()
    assert files.story({"sync", "sync_data"}) == [f"sync_data {NAME}"]
    assert numbers(read(inner.crash())) == [1]


@pytest.mark.parametrize("n", range(1, 5))
def test_a_failed_clean_close_is_told_and_loses_nothing(n: int) -> None:
    """A clean close that fails at any step says so, and every acknowledged record is where it was."""
    inner = disk()
    appender = _open(inner, inner)
    _put(appender, 1, 2)
    appender.files = ErrorAt(inner, n, errno.EIO, among={"write", "truncate", "sync", "close"})
    with pytest.raises(DurabilityUnknown, match="close the journal"):
        appender.close()
    assert appender.poisoned
    for left in (inner.killed(), inner.crash()):
        reading = read(left)
        assert numbers(reading) == [1, 2]
        assert reading.damage == []


def test_a_failed_note_poisons() -> None:
    """A note that could not be written says that the checkpoint is safe, and the file takes no more."""
    inner = disk()
    appender = _open(inner, inner)
    appender.files = ErrorAt(inner, 1, errno.EIO, among={"write"})
    with pytest.raises(DurabilityUnknown, match="note the checkpoint"):
        appender.note_checkpoint(4)
    assert appender.poisoned


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupted_append_poisons(when: str) -> None:
    """An append that a signal's handler broke off may have arrived in part, so the file takes no more."""
    for n in range(1, 5):
        inner = disk()
        appender = _open(inner, inner)
        appender.files = Interrupted(inner, n, when, among={"write", "sync_data"})  # type: ignore[arg-type]
        with pytest.raises(KeyboardInterrupt):
            _put(appender, 1)
        appender.files = inner
        with pytest.raises(DurabilityUnknown, match="takes no more"):
            _put(appender, 1)


# --- a full disk


def test_without_room_for_padding_the_append_is_exact(caplog: pytest.LogCaptureFixture) -> None:
    """Where the disk has no room for space ahead, records are appended all the same, and the log says so once."""
    inner = disk()
    appender = _open(inner, inner)
    inner.capacity = 8 * PAGE
    with caplog.at_level(logging.WARNING):
        for number in range(1, 20):
            _put(appender, number, size=400)
    assert numbers(read(inner.crash())) == list(range(1, 20))
    assert [entry.getMessage() for entry in caplog.records if "the disk is full" in entry.getMessage()] == [
        f"{PLACE / NAME}: the disk is full; the journal lives on its reserve of {7 * PAGE} bytes."
    ]


def test_the_reserve_lets_last_records_land() -> None:
    """On a disk that others have filled, small records still land in the reserve, and then the error is typed."""
    inner = disk()
    journal = writer(inner)
    append(journal, 1, size=40_000)  # leaves less than the first padding, and at least the reserve
    inner.capacity = 0
    with pytest.raises(DiskFull) as full:
        append(journal, *range(2, 100), size=1000)
    number = len(numbers(read(inner))) + 1
    assert (number - 2) * 1000 >= RESERVE_BYTES - 4096
    assert full.value.needed_bytes
    assert full.value.needed_bytes > 1000
    assert full.value.free_bytes == 0
    assert f"{full.value.needed_bytes:,} bytes are needed, 0 are free" in str(full.value)
    left = read(inner.crash())
    assert numbers(left) == list(range(1, number))
    assert left.damage == []


def test_padding_comes_back_with_the_space() -> None:
    """Once there is room again, space is written ahead again."""
    inner = disk()
    appender = _open(inner, inner)
    inner.capacity = 4 * PAGE
    _put(appender, 1)
    inner.capacity = None
    _put(appender, 2)
    assert len(inner.files()[FIRST]) > appender.offset + RESERVE_BYTES


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_an_append_without_room_is_a_full_disk(code: int) -> None:
    """A write or sync that finds no room, or no quota, is told as a full disk with the bytes it needed."""
    for verb, n in (("write", 3), ("sync_data", 1)):
        inner = disk()
        files = ErrorAt(inner, n, code, among={verb})
        appender = _open(files, inner)
        lines, end = _lines(START, 1)
        with pytest.raises(DiskFull) as full:
            appender.append(lines, end)
        assert full.value.needed_bytes == len(lines)
        assert full.value.free_bytes is not None
        assert appender.poisoned


def test_a_full_disk_that_cannot_be_measured_is_still_one() -> None:
    """Where the free space cannot be asked for, the error is a full disk all the same."""
    inner = disk()
    files = ErrorAt(
        ErrorAt(inner, 2, errno.ENOSPC, among={"write"}, persistent=True), 1, errno.EIO, among={"free_bytes"}
    )
    appender = _open(files, inner)
    with pytest.raises(DiskFull) as full:
        _put(appender, 1)
    assert full.value.free_bytes is None
