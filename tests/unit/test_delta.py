"""What changed between two states, in bytes: applied to the old one it gives the new one, and costs the change."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost import codec
from milepost.delta import EncodedState, apply, difference, encode_state
from milepost.errors import NotDecodable, NotEncodable

leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(-2, 2), st.text("ab$", max_size=2), st.binary(max_size=1)
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
        st.dictionaries(st.one_of(st.integers(0, 2), st.just("$milepost")), inner, max_size=2),
    ),
    max_leaves=8,
)
states = st.one_of(st.dictionaries(st.sampled_from(["a", "b", "c", "$milepost"]), values, max_size=4), values)


def carried(change: dict[str, Any]) -> dict[str, Any]:
    """Take a change through the journal's bytes, as it goes."""
    decoded = codec.decode(orjson.dumps(change))
    assert isinstance(decoded, dict)
    return decoded


@given(states, states)
def test_a_difference_applied_is_the_new_state(old: Any, new: Any) -> None:
    """For any two states, the difference applied to the old one is the new one, types and order of keys included."""
    change = difference(encode_state(old), encode_state(new))
    if change is None:
        assert codec.encode(old) == codec.encode(new)
    else:
        result = apply(copy.deepcopy(old), carried(change))
        assert repr(result) == repr(new)
        assert codec.encode(result) == codec.encode(new)


@given(states)
def test_an_equal_state_has_no_difference(state: Any) -> None:
    """A state does not differ from a deep copy of itself."""
    assert difference(encode_state(state), encode_state(copy.deepcopy(state))) is None


@given(states)
def test_the_parts_join_to_the_whole(state: Any) -> None:
    """A state encoded by keys joins to the encoding of the whole."""
    assert b"".join(encode_state(state).pieces()) == codec.encode(state)


@given(st.lists(values, max_size=4), st.lists(values, min_size=1, max_size=3))
def test_appended_items_are_an_extension(head: list[Any], tail: list[Any]) -> None:
    """Items appended to a list are journalled as those items alone."""
    change = difference(encode_state({"list": head}), encode_state({"list": head + tail}))
    assert change is not None
    assert set(change) == {"extend"}
    assert orjson.dumps(change["extend"]["list"]) == codec.encode(tail)


@given(
    st.dictionaries(st.text("ab", max_size=2), values, max_size=3),
    st.dictionaries(st.text("cd", max_size=2), values, min_size=1, max_size=3),
)
def test_added_keys_are_an_extension(held: dict[str, Any], more: dict[str, Any]) -> None:
    """Keys added at the end of a nested dict are journalled as those keys alone."""
    more = {key: value for key, value in more.items() if key not in held} or {"new": 1}
    change = difference(encode_state({"dict": held}), encode_state({"dict": held | more}))
    assert change is not None
    assert set(change) == {"extend"}
    assert orjson.dumps(change["extend"]["dict"]) == codec.encode(more)


@pytest.mark.parametrize("empty", [{}, []])
@pytest.mark.parametrize("new", [(1,), {1: 2}, {"$milepost": 1}, {1}, b"x", 2**70, float("nan")])
def test_a_tagged_value_never_extends_an_empty_one(empty: Any, new: Any) -> None:
    """A tagged value in the place of an empty dict or list replaces it, however alike the bytes begin."""
    change = difference(encode_state({"a": empty}), encode_state({"a": new}))
    assert change is not None
    assert set(change) == {"set"}
    assert repr(apply({"a": empty}, carried(change))) == repr({"a": new})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([1], [12]), ([1], [1.5]), (["a"], ["ab"]), ([[1]], [[1, 2]]), ({"a": 1}, {"a": 12}), ("a", "ab"), (1, 12),
        ([1, 2], [1]), ([], [[]]), ((1,), (1, 2)), ({1: 2}, {1: 2, 3: 4}), ([True], [1]), ({"a": []}, {"a": [1]}),
    ],
)  # fmt: skip
def test_what_only_looks_like_growth_is_none(old: Any, new: Any) -> None:
    """Longer bytes that begin alike are growth only where a whole element was appended."""
    change = difference(encode_state({"k": old}), encode_state({"k": new}))
    assert change is not None
    assert set(change) == ({"extend"} if old == [] else {"set"})
    assert repr(apply({"k": old}, carried(change))) == repr({"k": new})


def test_keys_that_go_and_move_are_named() -> None:
    """Dropped keys and a new order are named without any value."""
    change = difference(encode_state({"a": 1, "b": 2, "c": 3}), encode_state({"c": 3, "a": 1}))
    assert change == {"drop": ["b"], "order": ["c", "a"]}


@pytest.mark.parametrize(
    ("old", "new"), [(1, True), (1, 1.0), (0.0, -0.0), ((1,), [1]), ({"a": 1, "b": 2}, {"b": 2, "a": 1})]
)
def test_bytes_are_compared_never_values(old: Any, new: Any) -> None:
    """What Python calls equal differs where it would come back differently."""
    assert difference(encode_state({"k": old}), encode_state({"k": new})) is not None


def test_a_whole_replaces_the_state() -> None:
    """Between a plain dict and anything else, the whole is journalled."""
    change = difference(encode_state({"a": 1}), EncodedState(None, b"[1]"))
    assert change is not None
    assert apply({"a": 1}, carried(change)) == [1]


@pytest.mark.parametrize(
    "change",
    [{"drop": ["x"]}, {"extend": {"x": [1]}}, {"extend": {"n": [1]}}, {"extend": {"l": {"a": 1}}}, {"order": ["x"]}],
)
def test_a_change_of_another_state_is_refused(change: dict[str, Any]) -> None:
    """A change that does not fit the state is refused as damage, never half applied in silence."""
    with pytest.raises(NotDecodable, match="does not fit"):
        apply({"n": 1, "l": []}, change)
    with pytest.raises(NotDecodable, match="does not fit"):
        apply([1], change)


def test_what_cannot_be_encoded_is_named() -> None:
    """A value that cannot be kept is named by its path in the state."""
    with pytest.raises(NotEncodable, match=r"state\.a\[0\]"):
        encode_state({"a": [object()]})
