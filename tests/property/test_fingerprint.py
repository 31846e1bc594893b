"""For every value: parameters are canonical, and tell apart what differs."""

from __future__ import annotations

import math
import random
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from milepost.fingerprint import differences, digest_of, parameter_parts
from tests.unit.codec.sameness import same

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT, st.binary(max_size=5))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(TEXT, inner, max_size=4),
        st.dictionaries(st.integers(0, 5), inner, max_size=4),
        st.frozensets(st.integers(0, 9) | TEXT, max_size=4),
    ),
    max_leaves=12,
)
PARAMS = st.dictionaries(TEXT, VALUES, max_size=5)


def shuffled(value: Any, chance: random.Random) -> Any:
    """Return an equal value, its dicts in another order at every level."""
    if isinstance(value, dict):
        pairs = [(key, shuffled(item, chance)) for key, item in value.items()]
        chance.shuffle(pairs)
        return dict(pairs)
    if isinstance(value, list | tuple):
        return type(value)(shuffled(item, chance) for item in value)
    return value


@given(PARAMS, st.randoms(use_true_random=False))
def test_order_never_counts(params: dict[str, Any], chance: random.Random) -> None:
    """Whatever the order of dicts at any level, the parts are the same."""
    other = shuffled(params, chance)
    assert parameter_parts(params) == parameter_parts(other)
    assert digest_of(parameter_parts(params)) == digest_of(parameter_parts(other))


@given(PARAMS, PARAMS)
def test_digests_are_equal_only_for_equal_parameters(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two sets of parameters have one digest exactly when they are equal, type for type."""
    equal = same(sorted_throughout(one), sorted_throughout(other))
    assert (digest_of(parameter_parts(one)) == digest_of(parameter_parts(other))) == equal


@given(PARAMS, st.data())
def test_one_changed_leaf_is_noticed(params: dict[str, Any], data: st.DataObject) -> None:
    """A parameter that gets another value, or comes new, is the only thing that is named."""
    name, value = data.draw(st.sampled_from([*params, "new"])), data.draw(SCALARS)
    changed = {**params, name: value}
    found = differences("parameter", parameter_parts(params), parameter_parts(changed))
    assert bool(found) != (name in params and same(params[name], value))
    step = name if name.replace("-", "_").isidentifier() else f"[{orjson.dumps(name).decode()}]"
    assert all(change.name == step or change.name.startswith((step + ".", step + "[")) for change in found)


@given(PARAMS)
def test_parts_are_plain_and_small(params: dict[str, Any]) -> None:
    """Parts are texts that any journal can hold, and a change of them is short."""
    parts = parameter_parts(params)
    assert orjson.loads(orjson.dumps(parts)) == parts
    assert all(len(change.new) <= 100 for change in differences("parameter", {}, parts))


def sorted_throughout(value: Any) -> Any:
    """Return the value with its dicts sorted, so that order does not tell two apart; `-0.0` stays apart from `0.0`."""
    if isinstance(value, dict):
        return {key: sorted_throughout(value[key]) for key in sorted(value, key=lambda key: (type(key).__name__, key))}
    if isinstance(value, list | tuple):
        return type(value)(map(sorted_throughout, value))
    assert not (isinstance(value, float) and math.isnan(value))
    return value
