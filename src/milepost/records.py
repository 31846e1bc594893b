"""The line format of journals and of small sealed documents; no I/O.

A record is one line of JSON. Its last field is the chain: the xxh3-128 of the previous record's chain
and of all bytes of this line before the field. A chain covers content, order and number of records, so
that a lost, swapped or altered one is seen. It is a checksum, not a signature: see docs/design/storage.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from operator import add
from typing import Any, NamedTuple

import orjson
import xxhash

from milepost.errors import NotDecodable

VALUE_FIELD = b',"value":'
CODEC_FIELD = b',"codec":"'
_CODED = re.compile(rb'\{"sequence":[0-9]+,"kind":"[a-z]+"(,"codec":"((?:[^"\\]|\\.)*)")')
_CODED_WITHIN = 96  # bytes: the field stands behind number and kind, before whatever a caller may have chosen
_CHAIN = b',"chain":"'
_CHECK = b',"check":"'
_DIGEST_HEX = 32
CHAIN_BYTES = len(_CHAIN) + _DIGEST_HEX + 2  # the field's name, the digest, and `"}`
_TAIL_START = CHAIN_BYTES - len(_CHAIN)
_BETWEEN = '"}' + _CHAIN.decode()
_KIND_PLACE = (len('{"sequence":1,'), 48)  # between the number and whatever a caller may have chosen


class Kind(StrEnum):
    """What a record says."""

    OPENED = "opened"
    DONE = "done"
    FAILED = "failed"
    INTENT = "intent"
    STATE = "state"
    COMPLETED = "completed"
    CODE = "code"
    SEALED = "sealed"
    TAKEN = "taken"


_KINDS = {kind: f'"kind":"{kind}"'.encode() for kind in Kind}


class Position(NamedTuple):
    """A place in a journal: behind the record *sequence*, whose chain hash is *chain*."""

    sequence: int
    chain: str


class Totals(NamedTuple):
    """What a journal's records come to, so that looking at a run need not read them.

    *done*, *failed* and *expected* count items of all loops (*expected* is None where a loop's length is not known),
    *done_before* those that were done when the newest attempt began, at *opened_at*. *last_time* is when the newest
    record was made; times are in seconds since 1970-01-01 UTC. *spent_usd* is what paid calls may have cost,
    *ambiguous* how many of them were sent and not answered.
    """

    done: int
    failed: int
    expected: int | None
    done_before: int
    attempt: int
    opened_at: float
    last_time: float
    spent_usd: float
    ambiguous: int
    is_complete: bool


class Record(NamedTuple):
    """One entry of a journal.

    *time* is in seconds since 1970-01-01 UTC, *seconds* a duration, *attempt* the fencing token of the
    process that wrote it, *group* what kind of thing the key names where it is not an item of the only loop,
    *input* the digest of an item's input, *code* that of the function that made the value, *value* the encoded
    value (JSON bytes). *codec* names what was done to the value, which is then base64 in a JSON string.
    """

    kind: Kind
    time: float
    attempt: int
    key: str | None = None
    seconds: float | None = None
    input: str | None = None
    value: bytes | None = None
    group: str | None = None
    code: str | None = None
    codec: str | None = None


def digest(*pieces: bytes | memoryview) -> str:
    """Return the xxh3-128 of all *pieces*, one behind the other, as 32 hex digits."""
    running = xxhash.xxh3_128()
    for piece in pieces:
        running.update(piece)
    return running.hexdigest()


def start_of(run: str) -> Position:
    """Return the position before the first record of *run*; another run's records do not follow it."""
    return Position(0, digest(run.encode()))


def stated(record: Record, sequence: int) -> bytes:
    """Return what the line of record number *sequence* says before its value, without a closing brace."""
    kind, time, attempt, key, seconds, given, _, group, code, coded = record
    fields: dict[str, Any] = {"sequence": sequence, "kind": kind}
    if coded is not None:
        fields["codec"] = coded
    fields["time"], fields["attempt"] = time, attempt
    if group is not None:
        fields["group"] = group
    if key is not None:
        fields["key"] = key
    if seconds is not None:
        fields["seconds"] = seconds
    if given is not None:
        fields["input"] = given
    if code is not None:
        fields["code"] = code
    return orjson.dumps(fields)[:-1]


def encode_line(record: Record, after: Position) -> tuple[bytes, Position]:
    """Return the line of *record*, newline included, and the position behind it."""
    sequence = after.sequence + 1
    body = stated(record, sequence)
    if record.value is not None:
        body += VALUE_FIELD + record.value
    chain = _link(after.chain, body)
    return b"".join((body, _CHAIN, chain.encode(), b'"}\n')), Position(sequence, chain)


def follow(line: bytes, after: Position) -> Position | None:
    """Return the position behind *line* if it is an intact record that follows *after*, else None."""
    body = line[:-CHAIN_BYTES]
    stated = line[-_TAIL_START:-2]
    chain = _link(after.chain, body)
    if line[-CHAIN_BYTES:-_TAIL_START] != _CHAIN or line[-2:] != b'"}' or stated != chain.encode():
        return None
    return Position(after.sequence + 1, chain)


def follow_all(lines: list[bytes], after: Position) -> tuple[int, Position]:
    """Return how many of *lines* are intact records that follow one another behind *after*, and where they end.

    The answer is that of `follow`, line by line, in a fraction of the time. Each hash is taken with the chain that
    the line before *states*, and all are compared in one go: where they agree, the first statement is true, and so
    each next one is. Only lines that do not agree are looked at one by one.
    """
    tails = [line[-CHAIN_BYTES:] for line in lines]
    stated = [after.chain.encode(), *[tail[len(_CHAIN) : -2] for tail in tails]]
    links = map(xxhash.xxh3_128_hexdigest, map(add, stated, [line[:-CHAIN_BYTES] for line in lines]))
    if lines and b"".join(tails) == _CHAIN + _BETWEEN.join(links).encode() + b'"}':
        return len(lines), Position(after.sequence + len(lines), stated[-1].decode())
    for count, line in enumerate(lines):
        behind = follow(line, after)
        if behind is None:
            return count, after
        after = behind
    return len(lines), after


def is_kind(line: bytes, kind: Kind) -> bool:
    """Tell whether a checked line is a record of *kind*, without decoding it."""
    return line.find(_KINDS[kind], *_KIND_PLACE) >= 0


def chain_of(line: bytes) -> str:
    """Return the chain that a checked line states."""
    return line[-_TAIL_START:-2].decode()


def decode_line(line: bytes) -> Record:
    """Return the record of a line whose chain was checked with `follow`.

    Raises:
        NotDecodable: The line does not have a record's form: a newer format, or a defect of the writer.
    """
    start = line.find(VALUE_FIELD)
    body = line[:-CHAIN_BYTES]
    value = None if start < 0 else body[start + len(VALUE_FIELD) :]
    try:
        fields = orjson.loads((body if start < 0 else body[:start]) + b"}")
        return Record(
            kind=Kind(fields["kind"]),
            time=fields["time"],
            attempt=fields["attempt"],
            key=fields.get("key"),
            seconds=fields.get("seconds"),
            input=fields.get("input"),
            value=value,
            group=fields.get("group"),
            code=fields.get("code"),
            codec=fields.get("codec"),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise NotDecodable(
            f"A journal line is not a record of this format ({error}); was it written by a newer Milepost?"
        ) from error


def codec_of(line: bytes) -> str | None:
    """Return what a checked line names as the codec of its value; None if the value is plain JSON, or there is none."""
    if line.find(CODEC_FIELD, 0, _CODED_WITHIN) < 0:
        return None
    match = _CODED.match(line)
    return None if match is None else match[2].decode("utf-8", "replace")


def stated_and_value(line: bytes) -> tuple[bytes, bytes | None]:
    """Return a checked line's bytes before its value, as `stated` makes them, and the value's."""
    body = line[:-CHAIN_BYTES]
    start = body.find(VALUE_FIELD)
    return (body, None) if start < 0 else (body[:start], body[start + len(VALUE_FIELD) :])


def with_value(line: bytes, value: bytes | None) -> bytes:
    """Return a coded line as it would stand with its value plain; the chain it states stays that of the coded one."""
    said, _ = stated_and_value(line)
    match = _CODED.match(said)
    if match is not None:
        said = said[: match.start(1)] + said[match.end(1) :]
    return said + (b"" if value is None else VALUE_FIELD + value) + line[-CHAIN_BYTES:]


def encode_lines(records: Iterable[Record], after: Position) -> tuple[list[bytes], Position]:
    """Return the lines of *records*, newlines included, and the position behind the last."""
    lines = []
    for record in records:
        line, after = encode_line(record, after)
        lines.append(line)
    return lines, after


def seal(fields: dict[str, Any]) -> bytes:
    """Return *fields* as one JSON object that ends with a check of all its bytes; no newline."""
    return seal_body(orjson.dumps(fields)[:-1])


def seal_body(body: bytes) -> bytes:
    """Return a JSON object, given without its closing brace, with a check of all its bytes at the end."""
    return body + _CHECK + xxhash.xxh3_128_hexdigest(body).encode() + b'"}'


def unseal(data: bytes) -> dict[str, Any] | None:
    """Return the fields of a sealed document without its check, or None if any byte is not what was written."""
    body = data[:-CHAIN_BYTES]
    if data[len(body) :] != _CHECK + digest(body).encode() + b'"}':
        return None
    try:
        fields: dict[str, Any] = orjson.loads(body + b"}")
    except ValueError:
        return None
    return fields


def _link(chain: str, body: bytes) -> str:
    return xxhash.xxh3_128_hexdigest(chain.encode() + body)
