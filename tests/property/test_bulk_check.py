"""The check of many lines at once says exactly what the check of one line after the other says."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from milepost.records import Kind, Position, Record, decode_line, encode_lines, follow, follow_all, is_kind, start_of
from milepost.stores.segment import HEAD_BYTES, Head, head_page, scan, trailer
from tests.support.journals import scanned

START = start_of("run-one")
NAME = "journal_000001.jsonl"
PAGE = head_page(Head("run-one", 1, START))
VALUES = st.sampled_from(
    [None, b"1", b'{"chain":"x"}', b'"' + b"v" * 300 + b'"', b'",\\"chain\\":\\""', b"[" + b"0," * 90 + b"0]"]
)
KEYS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.just('","kind":"state"')
RECORDS = st.lists(
    st.builds(
        Record,
        kind=st.sampled_from(Kind),
        time=st.sampled_from([0.0, 1.5e9]),
        attempt=st.just(1),
        key=KEYS,
        value=VALUES,
    ),
    max_size=9,
)


def slow(lines: list[bytes], after: Position) -> tuple[int, Position]:
    """Follow line by line: what the quick check is measured against."""
    count = 0
    for line in lines:
        behind = follow(line, after)
        if behind is None:
            break
        count, after = count + 1, behind
    return count, after


def slow_scan(data: bytes, until: Position | None) -> tuple[list[bytes], Position, int, bytes, bool]:
    """Walk over a segment's records as it is described: lines, end, its byte, tail, and whether a trailer seals it."""
    position, offset, lines, sealed = START, HEAD_BYTES, [], False
    for line in data[HEAD_BYTES:].rstrip(b"\n\0").split(b"\n"):
        if line.startswith(b'{"kind":"sealed"'):
            sealed = line + b"\n" == trailer(position, 2)
            offset += (len(line) + 1) * sealed
            break
        if until is not None and position.sequence >= until.sequence:
            break
        after = follow(line, position)
        behind = offset + len(line)
        if after is None or data[behind : behind + 1] != b"\n":
            break
        position, offset = after, behind + 1
        lines.append(line)
    return lines, position, offset, data[offset:].rstrip(b"\n\0"), sealed


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, int, int]:
    """Draw what is done to one byte: which change, where (as a share of the whole), and with which byte."""
    return (
        draw(st.sampled_from(["none", "flip", "insert", "delete", "cut"])),
        draw(st.integers(0, 2**32 - 1)),
        draw(st.integers(1, 255) | st.sampled_from([ord("\n"), ord('"'), ord("}")])),
    )


def changed(data: bytes, change: tuple[str, int, int]) -> bytes:
    """Return *data* with one byte changed, inserted or taken away, or cut there."""
    kind, place, byte = change
    at = place * len(data) >> 32
    if kind == "none" or not data:
        return data
    if kind == "cut":
        return data[:at]
    middle = {"flip": bytes([data[at] ^ byte]), "insert": bytes([byte, data[at]]), "delete": b""}[kind]
    return data[:at] + middle + data[at + 1 :]


@settings(max_examples=500, deadline=None)
@given(RECORDS, changes(), st.integers(0, 2))
@example([Record(Kind.DONE, 0.0, 1)], ("flip", 2**32 - 1, 255), 0)
@example([Record(Kind.DONE, 0.0, 1)] * 3, ("delete", 2**31, 1), 0)
def test_many_lines_are_judged_like_one_after_the_other(
    records: list[Record], change: tuple[str, int, int], first: int
) -> None:
    """Whatever byte is changed, the quick check of many lines finds the same number of good ones and the same end."""
    data = changed(b"".join(encode_lines(records, START)[0])[:-1], change)
    lines = data.split(b"\n")[first:]
    assert follow_all(lines, START) == slow(lines, START)


@settings(max_examples=500, deadline=None)
@given(RECORDS, changes(), st.booleans(), st.none() | st.integers(-1, 9), st.sampled_from([b"", b"\n" * 40, bytes(40)]))
def test_a_segment_is_read_as_it_is_described(
    records: list[Record], change: tuple[str, int, int], sealed: bool, until: int | None, padding: bytes
) -> None:
    """Whatever byte is changed, a segment's scan gives the lines, end, tail and seal of a plain walk over it."""
    lines, end = encode_lines(records, START)
    data = PAGE + changed(b"".join(lines) + (trailer(end, 2) if sealed else b"") + padding, change)
    limit = None if until is None else Position(until, "0" * 32)
    reading = scan(NAME, data, limit)
    shown = scanned(NAME, data, limit)
    assert (shown.lines, reading.end, reading.end_offset, reading.tail, reading.sealed) == slow_scan(data, limit)
    starts = [HEAD_BYTES]
    for line in shown.lines:
        starts.append(starts[-1] + len(line) + 1)
    assert list(reading.offsets) == starts


@given(RECORDS)
def test_kinds_are_told_without_decoding(records: list[Record]) -> None:
    """The kind that is read off a line's bytes is that of the record, whatever its key and value contain."""
    lines, _ = encode_lines(records, START)
    for line in lines:
        kind = decode_line(line[:-1]).kind
        assert [one for one in Kind if is_kind(line, one)] == [kind]
