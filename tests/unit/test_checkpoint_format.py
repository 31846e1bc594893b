"""The bytes of a checkpoint file: each vouched for, the head readable alone, old files told from ours."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost import codec
from milepost.checkpoint import HEAD_READ_BYTES, Head, decode, decode_head, encode, file_name, is_checkpoint_name
from milepost.errors import CorruptCheckpoint, NotDecodable
from milepost.records import Position, seal, unseal

HEAD = Head("phase_3", 5, "2025-10-18T10:30:45.5+02:00", 1_760_776_245.5, 3, "run", Position(42, "c" * 32))
NAME = "checkpoint_20251018_103045_iter5.json"


def written(state: Any, metadata: Any = None, head: Head = HEAD) -> bytes:
    """Return the file's bytes."""
    return b"".join(encode(head, codec.encode(metadata or {}), codec.encode(state)))


@given(st.recursive(st.one_of(st.none(), st.integers(), st.text(), st.binary()), lambda one: st.lists(one).map(tuple)))
def test_what_is_written_is_read(state: Any) -> None:
    """The head, the state and the metadata come back as they were written."""
    data = written(state, {"m": state})
    checkpoint = decode(NAME, data)
    assert checkpoint.head == HEAD
    assert (checkpoint.state, checkpoint.metadata) == (state, {"m": state})
    assert decode_head(NAME, data[:HEAD_READ_BYTES]) == HEAD


def test_it_is_json_with_the_inherited_keys() -> None:
    """The file is one JSON object that holds at least the inherited keys."""
    content = json.loads(written({"a": 1}, {"m": 2}))
    assert content["state"] == {"a": 1}
    assert content["metadata"] == {"m": 2}
    assert {"phase", "iteration", "timestamp"} < set(content)
    assert written({"a": 1}).endswith(b"}\n")


def test_every_flipped_bit_is_refused() -> None:
    """Not one bit of a file can be turned around without the file being refused."""
    data = written({"a": (1, "é")}, {"m": 2})
    for offset in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[offset] ^= 1 << bit
            with pytest.raises(CorruptCheckpoint, match=NAME):
                decode(NAME, bytes(damaged))


def test_every_cut_and_every_addition_is_refused() -> None:
    """A file cut anywhere, or with anything behind it, is refused."""
    data = written({"a": 1})
    for length in range(len(data)):
        with pytest.raises(CorruptCheckpoint, match=NAME):
            decode(NAME, data[:length])
    for more in (b"\n", b" ", b"\0", data):
        with pytest.raises(CorruptCheckpoint, match=NAME):
            decode(NAME, data + more)


def test_parts_of_two_files_make_none() -> None:
    """The head of one file on the body of another is refused."""
    one, other = written({"a": 1}), written({"a": 2}, head=Head("phase_3", 6, "t", 1.0, 4, "run", Position(43, "d")))
    head, body = one.split(b',\n"metadata"')[0], other.split(b',\n"metadata"')[1]
    with pytest.raises(CorruptCheckpoint, match="digest"):
        decode(NAME, head + b',\n"metadata"' + body)


def test_a_newer_format_is_no_damage() -> None:
    """A head of a newer format is refused as such, by its number."""
    head, rest = written({}).split(b',\n"metadata"', 1)
    fields = unseal(head + b"}")
    assert fields is not None
    with pytest.raises(NotDecodable, match="newer"):
        decode_head(NAME, seal(fields | {"format": 2})[:-1] + b',\n"metadata"' + rest)


def test_the_longest_head_is_read_at_once() -> None:
    """The head fits into what is read for it, however long phase and numbers are."""
    head = Head("\u0001" * 200, 2**63 - 1, "x" * 40, 1e10, 2**63 - 1, "r" * 40, Position(2**63 - 1, "c" * 32))
    assert decode_head(NAME, written({"a": "x" * 100_000}, head=head)[:HEAD_READ_BYTES]) == head


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"[]", b'"text"', b"{", b"{}", b"null", b'{"format":', b"\xff"])
def test_what_is_neither_ours_nor_old_is_refused(data: bytes) -> None:
    """Bytes that are no checkpoint of either manager are refused by name."""
    with pytest.raises(CorruptCheckpoint, match=NAME):
        decode(NAME, data)


OLD: dict[str, Any] = {
    "phase": "phase_3",
    "iteration": 5,
    "timestamp": "2025-10-18T10:30:45",
    "state": {"a": 1},
    "metadata": {"m": 1},
}


@pytest.mark.parametrize("indent", [None, 2, 4])
def test_an_old_file_is_read_as_it_is(indent: int | None) -> None:
    """A file of the old manager is read with number 0, no run, and the moment of its naive local timestamp."""
    checkpoint = decode(NAME, json.dumps(OLD, indent=indent).encode())
    assert checkpoint.head == Head("phase_3", 5, OLD["timestamp"], datetime(2025, 10, 18, 10, 30, 45).timestamp())
    assert (checkpoint.state, checkpoint.metadata) == ({"a": 1}, {"m": 1})


@pytest.mark.parametrize("metadata", [{}, None])
def test_an_old_file_may_lack_metadata(metadata: Any) -> None:
    """An old file without metadata has empty metadata."""
    assert decode(NAME, json.dumps(OLD | {"metadata": metadata}).encode()).metadata == {}
    lacking = {key: value for key, value in OLD.items() if key != "metadata"}
    assert decode(NAME, json.dumps(lacking).encode()).metadata == {}


@pytest.mark.parametrize("key", ["phase", "iteration", "timestamp", "state"])
def test_an_old_file_lacks_nothing_else(key: str) -> None:
    """An old file without one of the other keys is refused, and the key is named."""
    lacking = {name: value for name, value in OLD.items() if name != key}
    with pytest.raises(CorruptCheckpoint, match=key):
        decode(NAME, json.dumps(lacking).encode())


@pytest.mark.parametrize("key", ["check", "chain", "digest"])
def test_ours_is_never_read_as_old(key: str) -> None:
    """A file with a checksum of ours is never read without checking it."""
    with pytest.raises(CorruptCheckpoint, match="head"):
        decode(NAME, json.dumps(OLD | {key: "x"}).encode())


@given(st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1)), st.integers(0, 2**63 - 1), st.integers(0, 1000))
def test_names_are_recognised_and_distinct(moment: datetime, iteration: int, again: int) -> None:
    """Every name that is made is recognised, and differs where second, iteration or count differ."""
    name = file_name(moment, iteration, again)
    assert is_checkpoint_name(name)
    others = {
        file_name(moment, iteration, again + 1),
        file_name(moment, iteration + 1, again),
        file_name(moment + timedelta(seconds=1), iteration, again),
    }
    assert len(others | {name}) == 4


@pytest.mark.parametrize(
    "name",
    [
        "checkpoint_.json", "checkpoint_20251018_103045_iter.json", "checkpoint_20251018_103045.json", NAME + ".tmp",
        "." + NAME, NAME.upper(), "checkpoint_2025_1_iter5.json", "checkpoint_20251018_103045_iter5\n.json",
        "checkpoint_20251018_103045_iter\x1b[1m.json", "x" + NAME, NAME + "\n",
    ],
)  # fmt: skip
def test_other_names_are_not_checkpoints(name: str) -> None:
    """A name of another form is not a checkpoint's."""
    assert not is_checkpoint_name(name)


def test_the_name_says_when_and_where() -> None:
    """The name holds the moment to the second, the iteration, and a count from the second such file on."""
    moment = datetime(2025, 10, 18, 10, 30, 45, 999_999, tzinfo=UTC)
    assert file_name(moment, 5) == NAME
    assert file_name(moment, 5, 2) == "checkpoint_20251018_103045_iter5-2.json"
