"""For every value: what is loaded equals what was saved, or the save says why not."""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from datetime import UTC, timedelta, timezone
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from milepost.codec import decode, decode_exact, decode_legacy, encode, encode_items, join_items
from milepost.codec.plain import _children_by_hand, _choose_children, _is_plain, mentions_tag
from milepost.errors import NotDecodable, NotEncodable
from tests.unit.codec import samples as s
from tests.unit.codec.sameness import same

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["$milepost", "$", "items", "tuple"]
)
ZONES = st.none() | st.timezones() | st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)), TEXT)
FOLD = st.integers(0, 1)
PLAIN_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
DTYPES = st.sampled_from(
    ["|b1", "|i1", "<u2", ">i4", "<i8", "<f2", ">f4", "<f8", "<c16", "<U3", "|S2", "<M8[ns]", "<m8[D]"]
)


def array(dtype: str, shape: list[int], order: str) -> Any:
    return np.zeros(shape, dtype=dtype, order=order)  # type: ignore[call-overload]


def short(strategy: Any) -> Any:
    """Hide what a strategy is made of: its repr would grow with every level of nesting."""

    @st.composite
    def drawn(draw: Any) -> Any:
        return draw(strategy)

    return drawn()


HASHABLE_LEAVES = st.one_of(
    PLAIN_LEAVES,
    st.integers(),
    st.integers(2**64, 2**400) | st.integers(-(2**400), -(2**63) - 1),
    st.floats(),
    st.complex_numbers(),
    st.binary(max_size=20),
    st.datetimes(timezones=ZONES).flatmap(lambda moment: FOLD.map(lambda fold: moment.replace(fold=fold))),
    st.dates(),
    st.times(timezones=ZONES).flatmap(lambda moment: FOLD.map(lambda fold: moment.replace(fold=fold))),
    st.timedeltas(),
    st.uuids(),
    st.builds(lambda safe: uuid.UUID(int=1, is_safe=safe), st.sampled_from(uuid.SafeUUID)),
    st.decimals(allow_nan=False),
    st.builds(PurePosixPath, TEXT.filter(lambda text: "\0" not in text)),
    st.builds(PureWindowsPath, st.sampled_from(["a", "c:\\a", "\\\\host\\share\\a", "c:a"])),
    st.sampled_from([*s.Colour, *s.Level, *s.Name, s.Right(3), s.Mask(1 << 70), UTC]),
    st.floats(width=32).map(np.float32) | st.floats().map(np.float64) | st.integers(-128, 127).map(np.int8),
    TEXT.map(np.str_),
)
LEAVES = st.one_of(
    HASHABLE_LEAVES,
    st.decimals(allow_nan=True),
    st.binary(max_size=20).map(bytearray),
    st.builds(array, DTYPES, st.lists(st.integers(0, 3), max_size=3), st.sampled_from("CF")),
    st.lists(st.floats(), max_size=4).map(np.array),
)
HASHABLE = st.recursive(
    short(HASHABLE_LEAVES),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple)
        | st.frozensets(inner, max_size=3)
        | st.builds(s.Pair, inner, inner)
        | st.builds(s.Span, inner, inner)
    ),
    max_leaves=5,
)


def containers(inner: Any) -> Any:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(TEXT, inner, max_size=4),
        st.dictionaries(short(HASHABLE), inner, max_size=3),
        st.sets(short(HASHABLE), max_size=4),
        st.frozensets(short(HASHABLE), max_size=4),
        st.builds(s.Point, inner, inner),
        st.builds(s.Box, inner),
        st.builds(s.Pair, inner, inner),
        st.builds(s.Frozen, value=inner),
        st.builds(
            lambda extra: s.Whole(part=s.Part(size=1), **extra), st.dictionaries(TEXT.filter(usable), inner, max_size=3)
        ),
    )


def usable(name: str) -> bool:
    return name not in ("part", "parts", "anything", "_secret", "_unset")


VALUES = st.recursive(short(LEAVES), containers, max_leaves=25)
PLAIN = st.recursive(
    PLAIN_LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5), max_leaves=30
)


@settings(max_examples=400)
@given(VALUES)
def test_every_value_comes_back(value: Any) -> None:
    """What is loaded equals what was saved, type for type at every depth, and its bytes are the same again."""
    data = encode(value)
    loaded = decode(data)
    assert same(loaded, value)
    assert encode(loaded) == data
    assert same(decode_exact(data), value)
    json.loads(data)


@given(PLAIN)
def test_plain_values_are_what_orjson_writes(value: Any) -> None:
    """A value of JSON's own types is written as plain compact JSON, unless it holds the reserved key."""
    data = encode(value)
    assert same(decode(data), value)
    if not mentions_tag(data):
        assert data == orjson.dumps(value)
        assert orjson.loads(data) == value


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_the_parts_of_a_dict_are_the_whole(mapping: dict[str, Any]) -> None:
    """The joined encodings of the values of a dict are the encoding of the dict."""
    items = encode_items(mapping)
    assert (items is None) == ("$milepost" in mapping)
    assert items is None or join_items(items) == encode(mapping)


@given(st.lists(short(HASHABLE), max_size=8, unique_by=encode), st.randoms())
def test_sets_have_one_form(elements: list[Any], random: Any) -> None:
    """Equal sets give equal bytes in whatever order their elements came."""
    shuffled = list(elements)
    random.shuffle(shuffled)
    one, other = frozenset(elements), frozenset(shuffled)
    if {encode(element) for element in one} == {encode(element) for element in other}:
        assert encode(one) == encode(other)


BAD = st.sampled_from([object(), range(3), "\ud800", memoryview(b"x"), type("Text", (str,), {})("x"), np.longdouble(1)])
STEPS = st.lists(
    st.sampled_from(
        [
            (".a", lambda value: {"a": value, "b": 0}),
            ("[1]", lambda value: [0, value]),
            ("[1]", lambda value: ((), value)),
            ("[7]", lambda value: {5: (), 7: value}),
            (".y", lambda value: s.Point(1, value)),
            (".left", s.Pair),
            (".value", lambda value: s.Frozen(value=value)),
            ("['a b']", lambda value: {"a b": value}),
            (".values()[1]", lambda value: {1: 1, (): value}),
        ]
    ),
    max_size=12,
)


@given(BAD, STEPS)
def test_a_refusal_names_the_exact_path(bad: Any, steps: list[Any]) -> None:
    """Wherever a value that cannot be stored is hidden, the refusal names its exact path."""
    value, path = bad, ""
    for step, wrap in steps:
        value, path = wrap(value), step + path
    with pytest.raises(NotEncodable) as caught:
        encode(value, "state")
    assert caught.value.path == "state" + path


@st.composite
def mutated(draw: Any) -> bytes:
    """Bytes of a good value with a few of them changed, removed, doubled or put elsewhere."""
    data = bytearray(encode(draw(VALUES)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        end = draw(st.integers(at, min(len(data), at + 12)))
        data[at:end] = draw(
            st.binary(max_size=4)
            | st.sampled_from(
                [b"1", b"-1", b"null", b"{}", b"[]", b'"', b'"$milepost"', b"99999999999", b"", b"e9", b'"x":']
            )
        )
    return bytes(data)


@settings(max_examples=600)
@given(mutated())
@example(b'{"$milepost":"numpy.array","dtype":"<U9","shape":[0],"order":"C","base64":""}')
def test_changed_bytes_give_a_value_or_a_typed_error(data: bytes) -> None:
    """Changed bytes either load as some value of the format or raise NotDecodable, and nothing else."""
    with suppress(NotDecodable, NotEncodable):
        loaded = decode(data)
        assert same(decode(encode(loaded)), loaded)


TREES: Any = st.recursive(
    st.none()
    | st.integers()
    | st.text(max_size=5)
    | st.just([])
    | st.sampled_from(["dict", "tuple", "set", "int", "nan"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["$milepost", "items", "value", "class", "fields", "base64", "a"]), inner, max_size=4
        )
        | st.builds(
            lambda items: {"$milepost": "dict", "items": items}, st.lists(st.lists(inner, max_size=2), max_size=2)
        )
    ),
    max_leaves=10,
)


@given(TREES.filter(lambda tree: all(abs(n) < 2**63 for n in integers(tree))))
def test_arbitrary_tags_give_a_value_or_a_typed_error(tree: Any) -> None:
    """Any JSON with tags in it either loads or raises NotDecodable; a caller's own dict like it comes back as it is."""
    assert decode(encode(tree)) == tree
    with suppress(NotDecodable, NotEncodable):
        loaded = decode(json.dumps(tree).encode())
        assert same(decode(encode(loaded)), loaded)


def integers(tree: Any) -> list[int]:
    if isinstance(tree, dict):
        return [number for item in tree.values() for number in integers(item)]
    if isinstance(tree, list):
        return [number for item in tree for number in integers(item)]
    return [tree] if isinstance(tree, int) else []


LEGACY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["\ud800", "\udfff"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.just("$milepost"), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(LEGACY, st.sampled_from([None, 2]))
def test_every_legacy_file_loads(value: Any, indent: int | None) -> None:
    """Whatever the standard library wrote is loaded as the standard library would load it."""
    assert same(decode_legacy(json.dumps(value, indent=indent).encode()), value)


@given(st.binary(max_size=40) | st.text('[]{},:"0e9NaN\\ud', max_size=30).map(str.encode))
def test_no_legacy_file_breaks_the_reader(data: bytes) -> None:
    """Any bytes at all load as a legacy value or raise NotDecodable."""
    with suppress(NotDecodable):
        assert decode_legacy(data) is not data


@given(st.lists(PLAIN, min_size=1, max_size=5))
def test_both_walks_see_the_same(values: list[Any]) -> None:
    """The collector's walk over lists and dicts shows what the walk by hand shows."""
    children = _choose_children(lambda *_containers: [])
    assert children is _children_by_hand
    collected = _choose_children(__import__("gc").get_referents)(*values)
    assert {id(item) for item in _children_by_hand(*values)} <= {id(item) for item in collected}


def test_shared_and_circular_values_stay_cheap() -> None:
    """A list that stands a thousand times in each of many levels is looked at once a level."""
    circle: list[Any] = []
    circle += [circle] * 1500
    assert not _is_plain(circle, 0)
    wide: list[Any] = [[index] for index in range(1500)]
    for part in wide:
        part.extend(wide[:3])
    assert not _is_plain(wide, 0)
    assert _is_plain([["x"] for _ in range(3000)], 0)
