"""Decides cheaply whether a value is plain JSON throughout, so that orjson's bytes can be used as they are.

orjson is not faithful about tuples, UUIDs, enum members, dates, dataclasses, subclasses, NaN and the infinities: it
writes them as something else. So the types are looked at first, many at a time. What is left is refused by
orjson itself: integers beyond 64 bit, lone surrogates, keys that are no exact str.

The order matters. From 3.12 on, orjson counts no levels in tuples: a deep one, or one that contains itself, makes it
write past the end of its buffer. It must never be handed a value before this module or the tagging walk has seen it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import chain
from math import isfinite
from typing import Any

import orjson

from milepost.codec.form import MAX_DEPTH, RESERVED_KEY

_LEAVES = frozenset({str, int, bool, type(None)})
_NUMBERS = frozenset({int, float, bool})
_CONTAINERS = frozenset({dict, list})
_PLAIN = _LEAVES | _CONTAINERS | {float}
_SLICE = 2000
# Few values go so deep, and those that do not are not asked whether they go in circles.
_DEEP = 8

_DOLLAR = b"$"
_TAG_REST = RESERVED_KEY.encode() + b'"'
_MOST_HOPS = 1000


def plain_bytes(value: object, depth: int) -> bytes | None:
    """Return orjson's own bytes of *value* if they give it back equal and of the same types throughout.

    Args:
        value: any value.
        depth: JSON levels that will stand around the value, counted against `MAX_DEPTH`.

    Returns:
        None for anything that needs a tag or is to be refused; the tagging walk then says which.
    """
    leaf = type(value) in _LEAVES
    if not leaf and not _is_plain(value, depth):
        return None
    try:
        data = orjson.dumps(value)
    except TypeError:
        return None
    return data if leaf or not mentions_tag(data) else None


def _is_plain(value: object, depth: int) -> bool:
    """Tell whether *value* holds plain types only and fits into the cap on depth, as no circle does.

    It goes down before it goes on, a slice of a level at a time: slices stay in the processor's cache, and a circle
    runs into the cap at once, however often it comes back to itself on the way.
    """
    waiting = [([value], depth)]
    while waiting:
        level, depth = waiting.pop()
        types = set(map(type, level))
        if not types <= _PLAIN:
            return False
        if float in types and not _all_finite(level, types):
            return False
        if types.isdisjoint(_CONTAINERS):
            continue
        if depth >= MAX_DEPTH:
            return False
        if depth >= _DEEP:
            # What stands there many times is looked into once: a circle of many turns would cost all of them a level.
            level = list(dict(zip(map(id, level), level, strict=True)).values())
        children = _children(*level)
        waiting += [(children[at : at + _SLICE], depth + 1) for at in range(0, len(children), _SLICE)]
    return True


def mentions_tag(data: bytes) -> bool:
    """Tell whether JSON *data* holds the reserved key as a whole string, be it a key or a value.

    The dollar sign alone is searched first: for a single byte that is many times faster than for a word.
    """
    at = data.find(_DOLLAR)
    for _ in range(_MOST_HOPS):
        if at < 0 or data.startswith(_TAG_REST, at):
            return at >= 0
        at = data.find(_DOLLAR, at + 1)
    return data.find(_TAG_REST, at) >= 0


def _all_finite(level: list[Any], types: set[type]) -> bool:
    floats = level if types <= _NUMBERS else [value for value in level if type(value) is float]
    try:
        return all(map(isfinite, floats))
    except OverflowError:  # an integer too long for a float: it needs a tag as well
        return False


def _children_by_hand(*values: object) -> list[object]:
    """Return what the lists hold and the dicts map to, over all of *values*."""
    mappings = chain.from_iterable(value.values() for value in values if type(value) is dict)
    return list(chain(mappings, chain.from_iterable(value for value in values if type(value) is list)))


def _choose_children(walk: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """Return the collector's own *walk* if it shows every element in this interpreter, else the one by hand.

    It is several times faster, but a collector may leave out what cannot be part of a circle: hence the probe.
    """
    probe: list[object] = [{"key": 1.5, "other": (2.5,)}, ["text", (3.5,), None, 4.5], {"a": {}}, [[]]]
    shown = {id(item) for item in walk(*probe)}
    return walk if shown >= {id(item) for item in _children_by_hand(*probe)} else _children_by_hand


_children = _choose_children(gc.get_referents)
