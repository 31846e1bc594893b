"""What cannot come back equal is refused, with its exact place and without its content."""

from __future__ import annotations

import array
import sys
from collections import Counter, OrderedDict, UserDict, defaultdict, deque
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from io import BytesIO
from pathlib import Path, PureWindowsPath
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from milepost.codec import MAX_DEPTH, decode, encode, encode_items
from milepost.errors import NotEncodable
from tests.unit.codec.samples import Box, Pair, Part, Point, Whole


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Real(float):
    pass


class Zone(tzinfo):
    def utcoffset(self, _moment: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, _moment: datetime | None) -> str:
        return "zone"

    def dst(self, _moment: datetime | None) -> timedelta:
        return timedelta(0)


def place(value: Any, path: str = "value") -> tuple[str, str]:
    """Return the path and the reason of the refusal of *value*."""
    with pytest.raises(NotEncodable) as caught:
        encode(value, path)
    return caught.value.path, caught.value.reason


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        ({"results": [0, 1, 2, {"embedding": {object()}}]}, "state.results[3].embedding", "set of object"),
        ({"a b": [object()]}, "state['a b'][0]", "object"),
        ({"\u00fc\x1b": object()}, "state['\\xfc\\x1b']", "object"),
        ({"k" * 100: object()}, f"state['{'k' * 60}...']", "object"),
        ({"a": (1, [object()])}, "state.a[1][0]", "object"),
        ({1: {"x": object()}}, "state[1].x", "object"),
        ({"x": object(), 1: 2}, "state.x", "object"),
        ({(1,): object()}, "state.values()[0]", "object"),
        ({2**70: 1, (1, object()): 2}, "state.keys()[1][1]", "object"),
        ({2**70: object()}, "state.values()[0]", "object"),
        ({"$milepost": object()}, "state['$milepost']", "object"),
        ({"a": frozenset({(1, (object(),))})}, "state.a", "frozenset of tuple (at [1][0] of it): object"),
        ({"a": "\ud800"}, "state.a", "lone surrogate"),
        ({"a": {"k": 1}, "b": "\ud800"}, "state.b", "lone surrogate"),
        ({"a": ["ok", "\u00fc", "\udfff"]}, "state.a[2]", "lone surrogate"),
        ({"a": {"\ud800": 1}}, "state.a.keys()[0]", "lone surrogate"),
        ({"a": {1: "\ud800"}}, "state.a[1]", "lone surrogate"),
        ({"a": {"x", "\ud800"}}, "state.a", "set of str: str with a lone surrogate"),
        ({"a": [Point(1, {"b": object()})]}, "state.a[0].y.b", "object"),
        ({"a": Pair(object())}, "state.a.left", "object"),
        ({"a": Whole.model_validate({"part": {"size": 1}, "more": object()})}, "state.a.more", "object"),
        ({"a": Whole(part=Part(size=1), anything=object())}, "state.a.anything", "object"),
        ([1, [Text("x")]], "state[1][0]", "Text"),
        (object(), "state", "object"),
    ],
)
def test_a_refusal_names_the_exact_place(value: Any, path: str, reason: str) -> None:
    """A refusal names the path of the very value that cannot be stored, and its type."""
    found, why = place(value, "state")
    assert (found, why[: len(reason)]) == (path, reason) or (found == path and reason in why)


@pytest.mark.parametrize(
    "value",
    [
        OrderedDict(a=1),
        defaultdict(list),
        Counter("a"),
        UserDict(),
        deque([1]),
        range(3),
        array.array("d", [1.0]),
        Text("a"),
        Number(1),
        Real(1.0),
        {Text("k"): 1},
        [Number(1)],
        type("L", (list,), {})(),
        type("T", (tuple,), {})(),
        object(),
        object,
        len,
        lambda: 0,
        ...,
        NotImplemented,
        memoryview(b"x"),
        slice(1),
        sys,
        ValueError("x"),
        BytesIO(),
        (number for number in [1]),
        datetime(2025, 1, 1, tzinfo=Zone()),
        time(1, tzinfo=Zone()),
        Zone(),
        type("D", (datetime,), {})(2025, 1, 1),
        type("P", (type(Path()),), {})("a"),
        Path("\udcff"),
        PureWindowsPath("./c:a") if str(PureWindowsPath("./c:a")) == "c:a" else object(),
        timezone(timedelta(hours=1), "\ud800"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_types_are_refused(value: Any) -> None:
    """A value of any type outside the reference is refused at the top and inside, never flattened."""
    assert place(value)[0].startswith("value")
    assert place({"a": [value]})[0].startswith("value.a[0]")
    assert place(("tuple", value))[0].startswith("value[1]")


def test_a_zone_without_a_key_is_refused() -> None:
    """A ZoneInfo read from a file has no key to load it by."""
    with open(sys.modules["zoneinfo"]._tzpath.find_tzfile("Europe/Berlin") or "", "rb") as file:
        zone = ZoneInfo.from_file(file)
    assert "without a key" in place({"at": datetime(2025, 1, 1, tzinfo=zone)})[1]


def test_content_is_never_told() -> None:
    """A refusal repeats neither the refused value nor its neighbours."""
    for value in (Text("hush-hush"), {"a": ["hush-hush", {object(), "hush-hush"}]}, ("hush-hush", "\ud800hush-hush")):
        assert "hush" not in "".join(place(value))


def test_a_hint_says_what_to_do() -> None:
    """A refusal of a common type says what to use in its place."""
    assert "list(...)" in place(deque())[1]
    assert "dict(...)" in place(defaultdict(int))[1]


def circle_of_lists() -> Any:
    circle: list[Any] = [0]
    circle.append(circle)
    return circle


def circle_of_two() -> Any:
    first: list[Any] = []
    first += [first, first]
    return first


def circle_of_instances() -> Any:
    point = Point(1)
    point.y = {"back": point}
    return point


def circle_of_pairs() -> Any:
    pairs: dict[Any, Any] = {}
    pairs[1] = ("x", pairs)
    return pairs


@pytest.mark.parametrize("build", [circle_of_lists, circle_of_two, circle_of_instances, circle_of_pairs])
def test_a_circle_is_refused(build: Callable[[], Any]) -> None:
    """A value that contains itself is refused at the place where it first stands."""
    path, reason = place({"a": [build()]})
    assert path.startswith("value.a[0]")
    assert path.count("[") <= 3
    assert "contains itself" in reason


def nested(levels: int, wrap: Callable[[Any], Any], core: Any = 1) -> Any:
    value = core
    for _ in range(levels):
        value = wrap(value)
    return value


WRAPS: list[tuple[int, Callable[[Any], Any]]] = [
    (1, lambda value: [value]),
    (1, lambda value: {"a": value}),
    (2, lambda value: (value,)),
    (3, lambda value: {1: value}),
    (2, Box),
    (2, lambda value: frozenset({value})),
]


@pytest.mark.parametrize(("levels", "wrap"), WRAPS, ids=["list", "dict", "tuple", "pairs", "dataclass", "frozenset"])
@pytest.mark.parametrize("core", [1, 2**70, datetime(2025, 1, 1, tzinfo=UTC)], ids=["plain", "int", "datetime"])
def test_depth_has_one_limit(levels: int, wrap: Callable[[Any], Any], core: Any) -> None:
    """What fits into the documented levels is stored and loaded; one level more is refused, at its path."""
    most = MAX_DEPTH // levels
    data = encode(nested(most, wrap, core))
    assert encode(decode(data)) == data
    path, reason = place(nested(most + 1, wrap, core))
    assert "nested deeper" in reason or "nested deeper" in path


def test_far_too_deep_is_refused_too() -> None:
    """Nesting beyond any stack is a typed refusal, at the top level of the program and far down a call stack."""
    assert "nested deeper" in place(nested(100_000, lambda value: [value]))[1]
    assert "nested deeper" in place(nested(100_000, lambda value: (value,)))[1]

    def descend(frames: int) -> tuple[str, str]:
        return descend(frames - 1) if frames else place(nested(120, lambda value: (value,)))

    limit = sys.getrecursionlimit()
    depth = len(__import__("inspect").stack())
    sys.setrecursionlimit(depth + 300)
    try:
        assert "call stack" in descend(100)[1]
    finally:
        sys.setrecursionlimit(limit)


def test_items_count_the_level_around_them() -> None:
    """The parts of a dict have the same limit on depth as the whole."""
    fits = {"a": nested(MAX_DEPTH - 1, lambda value: [value])}
    assert encode_items(fits) is not None
    assert encode(fits)
    with pytest.raises(NotEncodable, match="nested deeper"):
        encode_items({"a": nested(MAX_DEPTH, lambda value: [value])})
