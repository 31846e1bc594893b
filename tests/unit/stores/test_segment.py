"""The bytes of one segment: whatever is changed in them is found and named, and never served."""

from __future__ import annotations

import itertools
import json

import pytest

from milepost.errors import CorruptJournal, LostRecords, NotDecodable
from milepost.records import Position, encode_line, seal, start_of
from milepost.stores.segment import (
    HEAD_BYTES,
    SLOT_BYTES,
    SLOT_OFFSETS,
    Head,
    Mark,
    head_page,
    slot_bytes,
    trailer,
)
from tests.support.journals import FIRST, RUN, Seen, read, record, scanned, written

NAME = "journal_000001.jsonl"
HEAD = Head(RUN, 1, start_of(RUN))


def _journal(count: int, *, clean: bool = True) -> bytes:
    return written(count, clean=clean).files()[FIRST]


def _lines(data: bytes) -> list[bytes]:
    return scanned(NAME, data).lines


def _borders(data: bytes) -> list[int]:
    """Return where each record of a journal begins, and where the last one ends."""
    borders = [HEAD_BYTES]
    for line in data[HEAD_BYTES:].rstrip(b"\n").split(b"\n"):
        borders.append(borders[-1] + len(line) + 1)
    return borders


def test_the_first_page_is_one_page_of_lines() -> None:
    """The first page is 4096 bytes of whole lines: header, two equal watermarks in sectors of their own, newlines."""
    page = head_page(HEAD, 7)
    assert len(page) == HEAD_BYTES
    header, *slots = [json.loads(line) for line in page.splitlines() if line]
    assert header.items() >= {"kind": "segment", "format": 1, "run": RUN, "segment": 1, "sequence": 0}.items()
    assert slots[0] == slots[1]
    assert slots[0].items() >= {"kind": "watermark", "sequence": 0, "checkpoint": 7}.items()
    for offset in SLOT_OFFSETS:
        assert offset % 512 == 0
        assert page[offset : offset + SLOT_BYTES] == slot_bytes(Mark(HEAD.start, 7))
    assert SLOT_OFFSETS[1] - SLOT_OFFSETS[0] >= 512


def test_a_new_segment_holds_nothing() -> None:
    """A first page alone is a whole segment without records."""
    reading = scanned(NAME, head_page(HEAD, 3))
    assert (reading.head, reading.end, reading.checkpoint, reading.error) == (HEAD, HEAD.start, 3, None)
    assert (reading.lines, reading.tail, reading.warnings) == ([], b"", [])


@pytest.mark.parametrize("clean", [True, False])
def test_every_flipped_bit_is_found(clean: bool) -> None:
    """One changed bit anywhere gives the records before it and names what is wrong, never other records."""
    data = _journal(4, clean=clean)[: HEAD_BYTES + 1200]
    whole = _lines(data)
    borders = _borders(data)
    assert len(whole) == 4
    for index in range(len(data)):
        changed = bytearray(data)
        changed[index] ^= 1 << index % 8
        reading = scanned(NAME, bytes(changed))
        told = bool(reading.error or reading.warnings or reading.tail)
        assert told, f"byte {index} was changed, and nothing is told"
        assert reading.lines == whole[: len(reading.lines)], f"byte {index} gave wrong data"
        if HEAD_BYTES <= index < borders[-1]:
            before = sum(border <= index for border in borders) - 1
            assert len(reading.lines) == before
            if clean or before < 3:  # the last record of a killed writer is vouched for by nothing
                assert isinstance(reading.error, CorruptJournal)
                named = f"{NAME}: record {before + 1}, at byte {borders[before]}, is not what was written"
                assert str(reading.error).startswith(named)
        elif index >= HEAD_BYTES:
            assert reading.tail
            assert reading.error is None


@pytest.mark.parametrize("clean", [True, False])
def test_a_journal_cut_back_on_a_border_is_noticed(clean: bool) -> None:
    """A journal cut back on any record border is told as lost records, except for a killed writer's last append."""
    data = _journal(6, clean=clean)
    borders = _borders(data)
    for kept, border in enumerate(borders):
        reading = scanned(NAME, data[:border])
        assert len(reading.lines) == kept
        if kept < (6 if clean else 5):
            assert isinstance(reading.error, LostRecords)
            acknowledged = 6 if clean else 5
            assert f"{NAME}: records up to {acknowledged} were acknowledged" in str(reading.error)
            assert f"only those up to {kept} are intact" in str(reading.error)
        else:
            assert reading.error is None


def test_a_journal_cut_anywhere_gives_no_wrong_data() -> None:
    """A journal cut at any byte gives whole records from its beginning, and tells the loss of what was vouched for."""
    data = _journal(3)
    whole = _lines(data)
    for size in range(len(data)):
        reading = scanned(NAME, data[:size])
        assert reading.lines == whole[: len(reading.lines)]
        assert reading.error is not None


def test_zeroed_records_are_noticed() -> None:
    """Records that became zeros are told as lost, wherever the zeros begin."""
    data = _journal(4)
    for border in _borders(data)[:-1]:
        zeroed = data[:border] + bytes(len(data) - border)
        assert isinstance(scanned(NAME, zeroed).error, LostRecords)


def test_nothing_behind_a_bad_record_is_served() -> None:
    """Reading stops at the first bad record, however good the ones behind it look."""
    data = bytearray(_journal(5))
    borders = _borders(bytes(data))
    data[borders[2] + 20] ^= 1
    reading = scanned(NAME, bytes(data))
    assert len(reading.lines) == 2
    assert reading.tail == bytes(data[borders[2] :]).rstrip(b"\n")


def test_a_duplicated_or_swapped_record_is_noticed() -> None:
    """Records that are repeated, left out or exchanged within the file are not what was written."""
    data = _journal(4)
    borders = _borders(data)
    parts = [data[a:b] for a, b in itertools.pairwise(borders)]
    for order in ([0, 0, 1, 2, 3], [0, 2, 1, 3], [1, 2, 3], [0, 1, 3]):
        reading = scanned(NAME, data[:HEAD_BYTES] + b"".join(parts[i] for i in order))
        assert isinstance(reading.error, CorruptJournal)
        assert reading.lines == _lines(data)[: len(reading.lines)]


def test_one_damaged_watermark_is_told_and_the_other_stands() -> None:
    """With one watermark damaged, the records are served, and the damage is named with its byte."""
    for offset in SLOT_OFFSETS:
        data = bytearray(_journal(3))
        data[offset + 20] ^= 1
        reading = scanned(NAME, bytes(data))
        assert reading.error is None
        assert len(reading.lines) == 3
        assert reading.warnings == [f"{NAME}: the watermark at byte {offset} is damaged; the other one stands."]


def _without_watermarks(data: bytes) -> bytes:
    damaged = bytearray(data)
    for offset in SLOT_OFFSETS:
        damaged[offset + 20] ^= 1
    return bytes(damaged)


def test_both_watermarks_damaged_is_damage() -> None:
    """With both watermarks damaged nothing tells how much was acknowledged, so it is damage."""
    reading = scanned(NAME, _without_watermarks(_journal(3)))
    assert isinstance(reading.error, CorruptJournal)
    assert "both watermarks" in str(reading.error)


def test_a_next_segment_vouches_where_watermarks_cannot() -> None:
    """Both watermarks damaged is no damage where the next segment says up to where the records count."""
    data = _journal(3)
    whole = scanned(NAME, data)
    reading = scanned(NAME, _without_watermarks(data), until=whole.end)
    assert reading.error is None
    assert reading.lines == whole.lines
    assert len(reading.warnings) == 2
    cut = scanned(NAME, _without_watermarks(data)[: _borders(data)[2]], until=whole.end)
    assert isinstance(cut.error, LostRecords)


def test_records_behind_the_next_segments_start_do_not_count() -> None:
    """Where the next segment goes on before a file's last record, that record was never acknowledged."""
    data = _journal(4)
    second = Position(2, _lines(data)[1][-34:-2].decode())
    reading = scanned(NAME, data, until=second)
    assert (len(reading.lines), reading.end, reading.error) == (2, second, None)
    assert reading.tail


def test_a_segment_that_ends_before_the_next_one_is_damage() -> None:
    """A segment that does not reach the position where the next one starts has lost records."""
    data = _journal(3)
    beyond = Position(4, "0" * 32)
    assert isinstance(scanned(NAME, data, until=beyond).error, LostRecords)
    elsewhere = Position(3, "0" * 32)
    assert isinstance(scanned(NAME, data, until=elsewhere).error, LostRecords)


def _sealed(count: int) -> tuple[bytes, Seen]:
    data = _journal(count)
    end = scanned(NAME, data).end
    return data + trailer(end, 2), scanned(NAME, data + trailer(end, 2))


@pytest.mark.parametrize("known", [True, False])
def test_a_trailer_seals_a_segment(known: bool) -> None:
    """A segment that ends with its trailer is sealed and has no tail, whether or not the next one is known."""
    data, reading = _sealed(3)
    assert reading.sealed
    again = scanned(NAME, data, until=reading.end if known else None)
    assert (again.sealed, again.tail, again.error, len(again.lines)) == (True, b"", None, 3)


@pytest.mark.parametrize("known", [True, False])
def test_every_flipped_bit_of_a_trailer_is_found(known: bool) -> None:
    """A trailer with a changed byte seals nothing and is told as a tail."""
    data, whole = _sealed(2)
    start = whole.end_offset - len(trailer(whole.end, 2))
    for index in range(start, len(data)):
        changed = bytearray(data)
        changed[index] ^= 1
        reading = scanned(NAME, bytes(changed), until=whole.end if known else None)
        assert not reading.sealed
        assert reading.tail
        assert len(reading.lines) == 2


def test_a_trailer_of_elsewhere_seals_nothing() -> None:
    """A trailer that names another position or another next segment does not seal."""
    data = _journal(2)
    end = scanned(NAME, data).end
    for other in (trailer(Position(1, end.chain), 2), trailer(end, 3), trailer(Position(2, "0" * 32), 2)):
        reading = scanned(NAME, data + other)
        assert not reading.sealed
        assert reading.tail == other.rstrip(b"\n")


def test_a_file_without_a_good_first_page_proves_nothing() -> None:
    """A file that is empty, short, or begins with something else is damage and gives no record."""
    data = _journal(2)
    for bad in (b"", data[:10], data[:1024], data[: HEAD_BYTES - 1], bytes(HEAD_BYTES) + data[HEAD_BYTES:]):
        reading = scanned(NAME, bad)
        assert isinstance(reading.error, CorruptJournal)
        assert str(reading.error) == f"{NAME}: its first page is not what was written."
        assert reading.lines == []


def test_a_newer_format_is_not_damage() -> None:
    """A whole first page of a newer format is refused as such, so that nobody sets a good journal aside."""
    newer = seal({"kind": "segment", "format": 2, "run": RUN, "segment": 1, "more": True})
    with pytest.raises(NotDecodable, match=f"{NAME}: format 2 is not known here"):
        scanned(NAME, newer.ljust(1023) + b"\n" + bytes(HEAD_BYTES))


def test_a_record_without_its_newline_is_not_whole() -> None:
    """A last record whose newline did not arrive was never acknowledged and is a tail."""
    line, _ = encode_line(record(1), HEAD.start)
    reading = scanned(NAME, head_page(HEAD) + line[:-1])
    assert (reading.lines, reading.tail, reading.error) == ([], line[:-1], None)
    assert scanned(NAME, head_page(HEAD) + line).lines == [line[:-1]]


def test_padding_is_no_tail() -> None:
    """Newlines, and zeros that a power cut left in their place, are space and no tail."""
    page = head_page(HEAD)
    assert scanned(NAME, page + b"\n" * 500).tail == b""
    assert scanned(NAME, page + b"\n" * 500 + bytes(500)).tail == b""


def test_line_readers_read_a_live_journal() -> None:
    """Every line of a journal that is being written, padding aside, is JSON by itself."""
    data = _journal(3, clean=False)
    kinds = [json.loads(line)["kind"] for line in data.split(b"\n") if line.strip()]
    assert kinds == ["segment", "watermark", "watermark", "state", "state", "state"]
    assert read(written(3, clean=False)).damage == []
