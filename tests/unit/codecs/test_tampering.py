"""Whoever can write the store and has no key changes nothing without being noticed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest

from milepost import Codec
from milepost.errors import DamageError, InvalidArgument, MilepostError, NotEncrypted, Tampered
from milepost.records import Kind, Record
from tests.support.coded import (
    BOTH,
    NEW,
    OLD,
    PLAIN,
    SEALED,
    as_records,
    forged,
    raw_lines,
    read_run,
    ring,
    some_records,
    write_run,
)

COUNT = 6


@pytest.fixture
def lines(tmp_path: Path) -> list[bytes]:
    """Return the stored lines of an encrypted run."""
    write_run(tmp_path / "made", some_records(COUNT))
    return raw_lines(tmp_path / "made")


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    """Return fresh folders."""
    return (tmp_path / f"forged-{number}" for number in count())


def refused(folder: Path, records: list[Record], codec: Codec | None = SEALED) -> bool:
    """Tell whether a forged journal, whose chain holds, is refused as tampered with."""
    forged(folder, records)
    with pytest.raises(Tampered) as error:
        read_run(folder, codec)
    return "Bring the run back" in str(error.value)


@pytest.mark.parametrize("codec", [SEALED, BOTH])
def test_what_was_encrypted_comes_back(tmp_path: Path, codec: Codec) -> None:
    """A run that is read under its key gives the very records that were written."""
    write_run(tmp_path / "run", some_records(COUNT), codec)
    assert read_run(tmp_path / "run", codec) == some_records(COUNT)


def test_a_forger_who_changes_nothing_is_not_noticed(lines: list[bytes], folders: Iterator[Path]) -> None:
    """The forger of these tests makes journals whose chain holds: unchanged records are accepted."""
    folder = next(folders)
    forged(folder, as_records(lines))
    assert read_run(folder) == some_records(COUNT)


def test_every_pair_of_swapped_records_is_refused(lines: list[bytes], folders: Iterator[Path]) -> None:
    """Two records that change places are refused, whichever they are."""
    for one in range(COUNT):
        for two in range(one + 1, COUNT):
            records = as_records(lines)
            records[one], records[two] = records[two], records[one]
            assert refused(next(folders), records)


def test_every_record_in_place_of_another_is_refused(lines: list[bytes], folders: Iterator[Path]) -> None:
    """A record replayed in the place of another one, or behind the end, is refused."""
    for one in range(COUNT):
        for two in range(COUNT + 1):
            if one != two:
                records = [*as_records(lines), *([as_records(lines)[0]] if two == COUNT else [])]
                records[two] = records[one]
                assert refused(next(folders), records)


def test_every_record_left_out_is_refused(lines: list[bytes], folders: Iterator[Path]) -> None:
    """A journal without one of its records is refused unless only its very end is missing."""
    for gone in range(COUNT - 1):
        records = as_records(lines)
        del records[gone]
        assert refused(next(folders), records)


def test_a_slot_that_says_nothing_cannot_stand_for_a_record(lines: list[bytes], folders: Iterator[Path]) -> None:
    """A record replaced by the plain one that a store writes into a stalled writer's slot is missed."""
    for gone in range(COUNT - 1):
        records = as_records(lines)
        records[gone] = Record(Kind.TAKEN, 1.0, 1)
        assert refused(next(folders), records)


def test_a_taken_slot_may_stand_between(tmp_path: Path, folders: Iterator[Path]) -> None:
    """The plain record of a store that fenced a stalled writer disturbs nothing."""
    folder = next(folders)
    write_run(folder, some_records(3))
    forged(folder, [Record(Kind.TAKEN, 2.0, 1)])
    write_run(folder, [Record(Kind.OPENED, 3.0, 2)])
    assert [record.kind for record in read_run(folder)][-2:] == [Kind.TAKEN, Kind.OPENED]


FIELDS: dict[str, Any] = {
    "kind": Kind.FAILED,
    "time": 99.5,
    "attempt": 7,
    "key": "key-9",
    "seconds": 0.25,
    "input": "ef" * 16,
    "group": "loop:b",
    "code": "01" * 16,
    "codec": f"zstd+{SEALED.ring and 'aes256gcm'}:{ring(OLD).first.id}",
}


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_is_bound(lines: list[bytes], folders: Iterator[Path], field: str) -> None:
    """A record with another field than it was encrypted with is refused, with a value and without one."""
    for place in (1, 3):
        records = as_records(lines)
        records[place] = records[place]._replace(**{field: FIELDS[field]})
        assert refused(next(folders), records)


@pytest.mark.parametrize("field", ["key", "seconds", "input", "group", "code"])
def test_no_field_can_be_left_out(lines: list[bytes], folders: Iterator[Path], field: str) -> None:
    """A record that lost a field is refused."""
    records = as_records(lines)
    records[2] = records[2]._replace(**cast("dict[str, Any]", {field: None}))
    assert refused(next(folders), records)


def test_a_value_cannot_be_left_out(lines: list[bytes], folders: Iterator[Path]) -> None:
    """An encrypted record without anything encrypted is refused."""
    records = as_records(lines)
    records[2] = records[2]._replace(value=None)
    assert refused(next(folders), records)


def test_every_flipped_bit_of_a_value_is_refused(lines: list[bytes], folders: Iterator[Path]) -> None:
    """A value with one character changed is refused, whichever it is, though the chain holds."""
    value = as_records(lines)[1].value
    assert value is not None
    for place in range(len(value)):
        records = as_records(lines)
        records[1] = records[1]._replace(value=value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :])
        try:
            forged(folder := next(folders), records)
        except InvalidArgument:
            continue
        with pytest.raises(DamageError):
            read_run(folder)


def test_every_truncated_value_is_refused(lines: list[bytes], folders: Iterator[Path]) -> None:
    """A value that lost its end is refused, wherever it is cut."""
    value = as_records(lines)[1].value
    assert value is not None
    for size in range(0, len(value) - 2, 7):
        records = as_records(lines)
        records[1] = records[1]._replace(value=value[: 1 + size] + b'"')
        assert refused(next(folders), records)


def test_records_of_another_run_are_refused(tmp_path: Path, folders: Iterator[Path]) -> None:
    """The records of one run are not those of another one that has the same key."""
    write_run(tmp_path / "other", some_records(COUNT), run="run-two")
    assert refused(next(folders), as_records(raw_lines(tmp_path / "other")))


def test_a_record_of_another_branch_is_refused(tmp_path: Path, lines: list[bytes], folders: Iterator[Path]) -> None:
    """A record from a copy of the run that went on in another way is refused inside this one."""
    records = some_records(COUNT)
    write_run(tmp_path / "branch", [*records[:2], records[2]._replace(value=b'"other"'), *records[3:]])
    mixed = as_records(lines)
    mixed[2] = as_records(raw_lines(tmp_path / "branch"))[2]
    assert refused(next(folders), mixed)


def test_plain_records_behind_encrypted_ones_are_refused(lines: list[bytes], folders: Iterator[Path]) -> None:
    """Nobody adds a plain record to an encrypted run, whatever the reader's codec."""
    plain = Record(Kind.DONE, 9.0, 1, "key-9", value=b"1")
    assert refused(next(folders), [*as_records(lines), plain])
    assert refused(next(folders), [*as_records(lines), plain], Codec("zstd", encrypt=ring(OLD)))


def test_a_plain_run_is_refused_where_the_codec_encrypts(tmp_path: Path) -> None:
    """A codec that encrypts takes no plain run for one of its own, and tells how to encrypt it."""
    write_run(tmp_path / "run", some_records(COUNT), PLAIN)
    with pytest.raises(NotEncrypted, match="milepost rekey"):
        read_run(tmp_path / "run", SEALED)
    with pytest.raises(NotEncrypted, match="milepost rekey"):
        write_run(tmp_path / "run", some_records(1), SEALED)
    assert read_run(tmp_path / "run", PLAIN) == some_records(COUNT)


def test_every_flipped_bit_of_the_file_is_refused(tmp_path: Path) -> None:
    """One bit flipped anywhere among the records of the file is refused; a torn end is cut, never served."""
    write_run(tmp_path / "run", some_records(3))
    path = tmp_path / "run" / "journal_000001.jsonl"
    data = path.read_bytes()
    for place in range(4096, len(data)):
        for bit in (0, 6):
            path.write_bytes(data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :])
            try:
                found = read_run(tmp_path / "run")
            except MilepostError:
                continue
            assert found == some_records(3)[: len(found)]
            assert data[place : place + 1] in b"\n{", "only what ends the file may pass for a torn tail"


def test_two_keys_in_one_run_are_both_authentic(tmp_path: Path) -> None:
    """A run that goes on under a new key is read with a ring of both, and its records stay bound to one another."""
    write_run(tmp_path / "run", some_records(3))
    both = Codec(encrypt=ring(NEW, OLD))
    write_run(tmp_path / "run", [Record(Kind.OPENED, 9.0, 2)], both)
    assert len(read_run(tmp_path / "run", both)) == 4
    records = as_records(raw_lines(tmp_path / "run"))
    forged(tmp_path / "cut", [*records[:2], records[3]])
    with pytest.raises(Tampered):
        read_run(tmp_path / "cut", both)
