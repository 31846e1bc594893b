"""A record is one line; its chain vouches for its content, its place and its past."""

from __future__ import annotations

import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.errors import NotDecodable
from milepost.records import (
    Kind,
    Position,
    Record,
    decode_line,
    digest,
    encode_line,
    encode_lines,
    follow,
    seal,
    start_of,
    unseal,
)

START = start_of("run-one")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
SECONDS = st.floats(0, 1e12, allow_nan=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
).map(orjson.dumps)
RECORDS = st.builds(
    Record,
    kind=st.sampled_from(Kind),
    time=SECONDS,
    attempt=st.integers(0, 2**53),
    key=st.none()
    | TEXT
    | st.sampled_from([',"value":', '","value":1', ',"chain":"', "\n", "\x00", '{"kind":"sealed"']),
    seconds=st.none() | SECONDS,
    input=st.none() | TEXT,
    value=st.none() | VALUES | st.sampled_from([b'{"value":{"chain":"x"}}', b'"{\\"kind\\":\\"sealed\\""', b"[]"]),
)


@given(st.lists(RECORDS, max_size=4))
def test_records_come_back_as_they_were(records: list[Record]) -> None:
    """What was encoded is decoded equal, whatever its texts contain, and each line follows the one before it."""
    lines, end = encode_lines(records, START)
    position = START
    for record, line in zip(records, lines, strict=True):
        assert line.endswith(b"\n")
        after = follow(line[:-1], position)
        assert after is not None
        assert after.sequence == position.sequence + 1
        assert decode_line(line[:-1]) == record
        position = after
    assert position == end


@given(RECORDS)
def test_a_record_is_one_line_of_json(record: Record) -> None:
    """A record is one line that any reader of JSON takes, with the fields under their names."""
    line, position = encode_line(record, START)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    fields = json.loads(line)
    assert fields["sequence"] == position.sequence == 1
    assert fields["kind"] == record.kind
    assert fields["chain"] == position.chain
    assert ("value" in fields) == (record.value is not None)


def test_the_golden_line() -> None:
    """The bytes of a line are the ones that the design page shows."""
    record = Record(Kind.STATE, 1795000000.0, 2, key="chapter 1", seconds=0.5, input="ab", value=b'{"advice":3}')
    line, position = encode_line(record, Position(41, "0" * 32))
    assert line == (
        b'{"sequence":42,"kind":"state","time":1795000000.0,"attempt":2,"key":"chapter 1","seconds":0.5,"input":"ab",'
        b'"value":{"advice":3},"chain":"' + position.chain.encode() + b'"}\n'
    )
    assert position == Position(42, digest(b"0" * 32 + line[: -len(',"chain":""}\n') - 32]))


def test_every_flipped_bit_breaks_the_chain() -> None:
    """A line in which one bit is not what was written follows nothing."""
    line = encode_line(Record(Kind.DONE, 1.0, 1, key="a", value=b"[1,2]"), START)[0][:-1]
    for index in range(len(line)):
        for bit in range(8):
            damaged = bytearray(line)
            damaged[index] ^= 1 << bit
            assert follow(bytes(damaged), START) is None


@pytest.mark.parametrize("cut", [0, 1, 10, 50, -1, -2])
def test_a_cut_line_follows_nothing(cut: int) -> None:
    """A line that lost its end, or all of it, follows nothing."""
    line = encode_line(Record(Kind.DONE, 1.0, 1, value=b'"' + b"x" * 60 + b'"'), START)[0][:-1]
    assert follow(line[:cut], START) is None


def test_a_line_follows_its_own_past_only() -> None:
    """A line moved to another place, another run, or behind another history follows nothing there."""
    record = Record(Kind.DONE, 1.0, 1)
    first, one = encode_line(record, START)
    second, two = encode_line(record, one)
    assert follow(first[:-1], START) == one
    assert follow(second[:-1], one) == two
    assert follow(first[:-1], one) is None
    assert follow(second[:-1], START) is None
    assert follow(first[:-1], start_of("run-two")) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"sequence":1,"kind":"unheard-of","time":1.0,"attempt":1',
        b'{"sequence":1,"time":1.0,"attempt":1',
        b'{"sequence":1,"kind":"done","attempt":1',
        b'{"sequence":1,"kind":"done","time":1.0',
        b'{"sequence":1,"kind":["done"],"time":1.0,"attempt":1',
        b"not json",
        b"[1",
    ],
)
def test_a_line_of_another_form_is_refused(body: bytes) -> None:
    """A line with a good chain that is no record of this format is refused as not decodable."""
    line = body + b',"chain":"' + b"0" * 32 + b'"}'
    with pytest.raises(NotDecodable, match="newer Milepost"):
        decode_line(line)


SEALED = st.dictionaries(TEXT, TEXT | st.integers(-(2**53), 2**53) | st.booleans() | st.none(), min_size=1, max_size=4)


@given(SEALED)
def test_a_sealed_document_gives_its_fields_back(fields: dict[str, object]) -> None:
    """What was sealed is unsealed equal, without its check."""
    assert unseal(seal(fields)) == fields


def test_every_flipped_bit_of_a_seal_is_seen() -> None:
    """A sealed document with one bit changed, or any end cut off, is no document."""
    sealed = seal({"kind": "lock", "host": "a", "pid": 12, "since": 1.5})
    for index in range(len(sealed)):
        assert unseal(sealed[:index]) is None
        for bit in range(8):
            damaged = bytearray(sealed)
            damaged[index] ^= 1 << bit
            assert unseal(bytes(damaged)) is None


def test_a_good_check_over_no_json_is_no_document() -> None:
    """Bytes that are no JSON are no document, even with the right check behind them."""
    body = b"{no json"
    assert unseal(body + b',"check":"' + digest(body).encode() + b'"}') is None


def test_a_digest_has_32_hex_digits() -> None:
    """A digest is the 128 bits of xxh3 in lower-case hex."""
    assert digest(b"") == "99aa06d3014798d86001c324468d497f"
    assert digest(memoryview(b"abc")) == digest(b"abc")


def test_a_record_without_a_number_as_its_time_is_still_one_line() -> None:
    """A time that JSON cannot hold becomes null rather than a line that nobody can read."""
    line, _ = encode_line(Record(Kind.DONE, math.inf, 1), START)
    assert json.loads(line)["time"] is None
