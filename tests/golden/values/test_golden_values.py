"""The tagged form never changes: what an older Milepost wrote loads, and is written the same way today.

``encodings.jsonl`` holds one line for each value below. A line is never edited: a new form is a new line.
"""

from __future__ import annotations

import math
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pytest

from milepost.codec import decode_exact, encode
from tests.unit.codec import samples as s
from tests.unit.codec.sameness import same

BERLIN = ZoneInfo("Europe/Berlin")
LINES = Path(__file__).with_name("encodings.jsonl").read_bytes().splitlines()

VALUES: dict[str, Any] = {
    "plain": {
        "text": 'b\u00fcch\n"\\\x01',
        "numbers": [0, -1, 2**64 - 1, 1.5, -0.0],
        "rest": [None, True, False, {}],
    },
    "tuple": (1, (), [("a",)]),
    "set": {3, 1, 2, "b", "a", (1,)},
    "frozenset": frozenset({frozenset(), frozenset({1})}),
    "dict with other keys": {1: "a", None: {(1, 2): 3}, "b": 4},
    "dict with the reserved key": {"$milepost": "tuple", "items": [1]},
    "bytes": b"\x00\xff\x10",
    "bytearray": bytearray(b"abcd"),
    "long integers": [2**64, -(2**63) - 1],
    "floats that are not finite": [math.nan, math.inf, -math.inf],
    "complex": [1.5 - 2j, complex(-0.0, math.inf)],
    "datetimes": [
        datetime(2025, 10, 26, 2, 30, fold=1, tzinfo=BERLIN),
        datetime(2025, 10, 18, 10, 30, 45, 123, tzinfo=UTC),
        datetime(2025, 10, 18),
    ],
    "dates and times": [
        date(2025, 10, 18),
        time(1, 2, 3, 4),
        time(23, fold=1, tzinfo=timezone(timedelta(hours=-3), "BRT")),
    ],
    "timedelta": [timedelta(days=-1, microseconds=1), timedelta(0)],
    "zones": [UTC, timezone(timedelta(hours=5, minutes=30)), BERLIN],
    "uuids": [uuid.UUID(int=5), uuid.UUID(int=6, is_safe=uuid.SafeUUID.safe)],
    "decimals": [Decimal("1.10"), Decimal("-0E+5"), Decimal("sNaN12"), Decimal("-Infinity")],
    "paths": [PurePosixPath("a/b"), PureWindowsPath("c:\\a")],
    "numpy scalars": [
        np.float64(1.5),
        np.int8(-1),
        np.bool_(True),
        np.str_("\u00fc"),
        np.bytes_(b"a"),
        np.datetime64("2025", "Y"),
    ],
    "numpy arrays": [
        np.arange(6, dtype="<i4").reshape(2, 3),
        np.asfortranarray(np.arange(4, dtype=">f4").reshape(2, 2)),
        np.array(5, dtype="<u8"),
        np.zeros((0, 3), dtype="|b1"),
        np.array(["a", "bc"], dtype="<U2"),
    ],
    "enums": [s.Colour.GREEN, s.Level.HIGH, s.Name.FIRST],
    "flags": [s.Right.READ | s.Right.WRITE, s.Mask(1 << 70)],
    "dataclasses": [s.Point(1, (2,)), s.Span(s.Point(None), "x"), s.Odd(5)],
    "named tuple": s.Pair({1}, s.Pair(2)),
    "models": [
        s.Whole.model_validate({"part": {"size": 1}, "more": 2, "$milepost": 3}),
        s.Roots([1]),
        s.Frozen(value=b"x"),
    ],
}


@pytest.mark.parametrize("position", range(len(VALUES)), ids=list(VALUES))
def test_the_form_is_pinned(position: int) -> None:
    """Each golden line loads as its value, and the value is written as exactly that line."""
    name, value = list(VALUES.items())[position]
    data = encode(value)
    assert LINES[position] == b'{"name":' + orjson.dumps(name) + b',"encoded":' + data + b"}"
    assert same(decode_exact(data), value)


def test_no_line_is_forgotten() -> None:
    """Every golden line has its value."""
    assert len(LINES) == len(VALUES)
