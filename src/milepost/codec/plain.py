"""Decides cheaply whether a value is plain JSON already, so that the encoder's own bytes can be used as they are.

orjson refuses most of what it could not give back: subclasses, keys that are no str, integers beyond 64 bit, lone
surrogates, cycles. It is not faithful about four things: it writes tuples as lists, UUIDs as strings, enum members
as their values, and NaN and the infinities as null. So after it has succeeded, one look at the *types* is left to do.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import chain
from math import isfinite
from typing import Any

import orjson

from milepost.codec.form import MAX_DEPTH, RESERVED_KEY

# Without these, orjson would write dates, dataclasses and subclasses as plain JSON instead of refusing them.
_OPTIONS = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS

_LEAVES = frozenset({str, int, bool, type(None)})
_NUMBERS = frozenset({int, float, bool})
_PLAIN = _LEAVES | {float, dict, list}

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
    try:
        data = orjson.dumps(value, option=_OPTIONS)
    except TypeError:
        return None
    if type(value) in _LEAVES or (_is_plain(value, depth) and not mentions_tag(data)):
        return data
    return None


def _is_plain(value: object, depth: int) -> bool:
    """Tell whether a *value* that orjson has written holds plain types only; its success rules out cycles."""
    level = [value]
    while level:
        types = set(map(type, level))
        if not types <= _PLAIN:
            return False
        if float in types and not _all_finite(level, types):
            return False
        if dict not in types and list not in types:
            return True
        if depth >= MAX_DEPTH:
            return False
        depth += 1
        level = _children(*level)
    return True


def mentions_tag(data: bytes) -> bool:
    """Tell whether JSON *data* holds the reserved key as a whole string, be it a key or a value.

    The dollar sign alone is searched first: for a single byte that is many times faster than for a word.
    """
    at = data.find(_DOLLAR)
    for _ in range(_MOST_HOPS):
        if at < 0:
            return False
        if data.startswith(_TAG_REST, at):
            return True
        at = data.find(_DOLLAR, at + 1)
    return data.find(_TAG_REST, at) >= 0 if at >= 0 else False


def _all_finite(level: list[Any], types: set[type]) -> bool:
    floats = level if types <= _NUMBERS else [value for value in level if type(value) is float]
    return all(map(isfinite, floats))


def _children_by_hand(*values: object) -> list[object]:
    """Return what the lists hold and the dicts map to, over all of *values*."""
    mappings = chain.from_iterable(value.values() for value in values if type(value) is dict)
    return list(chain(mappings, chain.from_iterable(value for value in values if type(value) is list)))


def _choose_children() -> Callable[..., list[Any]]:
    """Return the collector's own walk if this interpreter's shows every element, else the one by hand.

    It is several times faster, and a collector may leave out what cannot be part of a cycle: hence the probe.
    """
    probe: list[object] = [{"key": 1.5, "other": ()}, ["text", (), None, 2.5]]
    shown = gc.get_referents(*probe)
    expected = _children_by_hand(*probe)
    return gc.get_referents if {id(v) for v in shown} >= {id(v) for v in expected} else _children_by_hand


_children = _choose_children()
