"""The parts of a dict, encoded one by one, are the whole."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest

from milepost.codec import decode, encode, encode_items, join_items
from milepost.errors import NotEncodable


@pytest.mark.parametrize(
    "mapping",
    [{}, {"a": 1}, {"b": [1, (2,)], "a": {"c": 2**70}, '\u00fc"\\\n': None, "": {1: 2}, "$milepos": "$milepost"}],
    ids=["empty", "one", "many"],
)
def test_the_join_of_the_parts_is_the_whole(mapping: dict[str, Any]) -> None:
    """The encodings of the values, joined, are the encoding of the dict."""
    items = encode_items(mapping)
    assert items is not None
    assert list(items) == list(mapping)
    assert join_items(items) == encode(mapping)
    assert {key: decode(data) for key, data in items.items()} == mapping


@pytest.mark.parametrize("mapping", [{1: 2}, {"$milepost": 1}, OrderedDict(a=1), [("a", 1)], {"a": 1, None: 2}])
def test_a_dict_that_needs_a_tag_has_no_parts(mapping: Any) -> None:
    """A dict that is written as a tag has no parts of its own."""
    assert encode_items(mapping) is None


@pytest.mark.parametrize(
    ("mapping", "path"),
    [
        ({"a": {"b": object()}}, "state.a.b"),
        ({"a": 1, "\ud800": 1}, "state.keys()[1]"),
        ({"a b": "\ud800"}, "state['a b']"),
    ],
)
def test_parts_are_refused_as_the_whole_is(mapping: dict[str, Any], path: str) -> None:
    """A value that cannot be stored is refused at the same path in the parts as in the whole."""
    for attempt in (encode_items, encode):
        with pytest.raises(NotEncodable) as caught:
            attempt(mapping, "state")
        assert caught.value.path == path
