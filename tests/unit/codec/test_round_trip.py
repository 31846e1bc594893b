"""What is loaded equals what was saved, one example per kind."""

from __future__ import annotations

import decimal
import math
import sys
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from milepost.codec import decode, encode
from tests.unit.codec.sameness import same

BERLIN = ZoneInfo("Europe/Berlin")
SHARED = [1]
TWO_NANS = {float("nan"), float("nan")}

VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -0.0,
    0.1,
    5e-324,
    1.7976931348623157e308,
    "",
    "text",
    "\x00\u2028\U0001f600",
    "$milepost",
    [],
    {},
    [[]],
    {"a": {}},
    {"": None},
    {"b": 1, "a": 2},
    2**63,
    2**64 - 1,
    2**64,
    -(2**63),
    -(2**63) - 1,
    10**5000,
    -(10**30),
    math.nan,
    math.inf,
    -math.inf,
    [1.5, math.nan],
    [1.5, 10**400],
    {"a": [None, math.inf]},
    1j,
    complex(-0.0, math.nan),
    complex(math.inf, -0.0),
    (),
    (1, (2, [3])),
    set(),
    {1, 2.5, "a", None, (1, 2)},
    frozenset({frozenset({1}), frozenset()}),
    {math.nan, math.nan},
    {float("nan"), float("nan")},
    b"",
    b"\x00\xff",
    bytearray(b"abc"),
    {1: "a", "1": "b", None: 0, True and 2: 3},
    {(1, 2): {3: 4}},
    {math.nan: 1},
    {10**20: 1},
    {b"k": 1},
    {"$milepost": "tuple", "items": [1]},
    {"a": {"$milepost": None}},
    {"$milepost": {"$milepost": 1}},
    datetime(2025, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
    datetime(1, 1, 1),
    datetime.max,
    datetime(2025, 1, 2, fold=1),
    datetime(2025, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    datetime(2025, 1, 2, tzinfo=timezone(timedelta(0), "UTC")),
    datetime(2025, 1, 2, tzinfo=timezone(timedelta(hours=-3, microseconds=5))),
    date.min,
    date(2025, 10, 18),
    time(1, 2, 3, 4),
    time(1, tzinfo=BERLIN),
    time(23, 59, fold=1),
    timedelta(0),
    timedelta.min,
    timedelta.max,
    timedelta(microseconds=-1),
    UTC,
    BERLIN,
    timezone(timedelta(hours=5, minutes=30), "Indien \u00fc"),
    uuid.UUID(int=0),
    uuid.uuid1(),
    uuid.uuid4(),
    uuid.UUID(int=5, is_safe=uuid.SafeUUID.unsafe),
    Decimal(0),
    Decimal("-0.00"),
    Decimal("1E+999999"),
    Decimal("1.10"),
    Decimal("NaN123"),
    Decimal("-sNaN"),
    Decimal("-Infinity"),
    Decimal("0E-9"),
    Decimal(10) ** 27,
    Path("a/b"),
    Path(),
    Path("/"),
    Path("//a"),
    Path("\u00fc"),
    PurePosixPath("a"),
    PureWindowsPath("c:\\a\\b"),
    {"a": SHARED, "b": SHARED, "c": (SHARED, SHARED)},
    [{"deep": ({"er": [frozenset({(1, b"x")})]},)}, "plain", 3],
    {"numbers": [1, 2**70], "text": ["a", "b"], "mixed": [1, "a", None, 2.5, [1]]},
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}")
def test_every_kind_comes_back(value: Any) -> None:
    """What is loaded equals what was saved, type for type, and is written again as the same bytes."""
    data = encode(value)
    loaded = decode(data)
    assert same(loaded, value)
    assert encode(loaded) == data
    assert same(decode(memoryview(data)), value)


def test_plain_values_are_plain_json() -> None:
    """JSON's own types are written as compact JSON and nothing else."""
    value: Any = {"name": "b\u00fcch", "pages": [1, 2.5, None, True, {"x": []}]}
    assert encode(value) == orjson.dumps(value)


def test_an_equal_set_has_equal_bytes() -> None:
    """Equal sets give equal bytes, whatever order they were filled in."""
    numbers = [*range(0, 4000, 7), "a", "b", (1, 2)]
    backwards = numbers[::-1]
    assert encode(set(numbers)) == encode(set(backwards))


def test_a_decimal_does_not_depend_on_its_context() -> None:
    """The bytes of a decimal are the same whatever the context of the thread is."""
    with decimal.localcontext() as context:
        context.capitals = 0
        context.prec = 3
        context.traps[decimal.InvalidOperation] = False
        changed = encode(Decimal("1.23456E+99")), decode(encode(Decimal("1.23456E+99")))
    assert changed == (encode(Decimal("1.23456E+99")), Decimal("1.23456E+99"))


def test_a_shared_list_is_written_twice() -> None:
    """Two places that hold one list come back equal, as two lists."""
    loaded: Any = decode(encode({"a": SHARED, "b": SHARED}))
    assert loaded == {"a": [1], "b": [1]}
    assert loaded["a"] is not loaded["b"]


def test_integers_ignore_the_limit_on_digits() -> None:
    """An integer of any length is saved and loaded even where Python limits its decimal digits."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        assert decode(encode(7**5000)) == 7**5000
    finally:
        sys.set_int_max_str_digits(limit)


def test_tagged_text_among_dollars() -> None:
    """A tag is found behind any number of dollar signs."""
    value = ["$" * 5000, "$m", (1,), "$milepost"]
    assert same(decode(encode(value)), value)
    assert same(decode(encode(["$" * 5000])), ["$" * 5000])
