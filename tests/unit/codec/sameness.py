"""Equality that also compares types, at every depth, and holds for NaN."""

from __future__ import annotations

import dataclasses
import enum
import math
import struct
from collections.abc import Callable
from datetime import datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import pydantic


def same(left: Any, right: Any) -> bool:
    """Tell whether two values are equal and of the same types throughout."""
    if type(left) is not type(right):
        return False
    for kind, compare in _COMPARISONS:
        if isinstance(left, kind):
            return compare(left, right)
    return _same_dataclasses(left, right) if dataclasses.is_dataclass(left) else bool(left == right)


def _same_floats(left: float, right: float) -> bool:
    return (math.isnan(left) and math.isnan(right)) or struct.pack("d", left) == struct.pack("d", right)


def _same_sets(left: Any, right: Any) -> bool:
    remaining = list(right)
    for element in left:
        found = next((at for at, other in enumerate(remaining) if same(element, other)), None)
        if found is None:
            return False
        del remaining[found]
    return not remaining


def _same_dicts(left: Any, right: Any) -> bool:
    return len(left) == len(right) and all(
        same(*keys) and same(left[keys[0]], right[keys[1]]) for keys in zip(left, right, strict=True)
    )


def _same_sequences(left: Any, right: Any) -> bool:
    return len(left) == len(right) and all(same(*pair) for pair in zip(left, right, strict=True))


def _same_moments(left: Any, right: Any) -> bool:
    naive = left.replace(tzinfo=None) == right.replace(tzinfo=None)
    zones = type(left.tzinfo) is type(right.tzinfo) and repr(left.tzinfo) == repr(right.tzinfo)
    return naive and zones and left.fold == right.fold


def _same_models(left: Any, right: Any) -> bool:
    names = [*type(left).model_fields, "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__"]
    return all(same(getattr(left, name, None), getattr(right, name, None)) for name in names)


def _same_arrays(left: Any, right: Any) -> bool:
    return (
        left.dtype == right.dtype
        and left.dtype.str == right.dtype.str
        and left.shape == right.shape
        and left.flags.fnc == right.flags.fnc
        and left.tobytes() == right.tobytes()
    )


def _same_dataclasses(left: Any, right: Any) -> bool:
    names = [field.name for field in dataclasses.fields(left)]
    return all(same(getattr(left, name), getattr(right, name)) for name in names)


_COMPARISONS: list[tuple[Any, Callable[[Any, Any], bool]]] = [
    (enum.Enum, lambda left, right: left == right),
    (np.str_, lambda left, right: str(left) == str(right)),
    (np.bytes_, lambda left, right: bytes(left) == bytes(right)),
    (np.generic, lambda left, right: left.dtype == right.dtype and left.tobytes() == right.tobytes()),
    (np.ndarray, _same_arrays),
    (float, _same_floats),
    (complex, lambda left, right: _same_floats(left.real, right.real) and _same_floats(left.imag, right.imag)),
    (Decimal, lambda left, right: left.as_tuple() == right.as_tuple()),
    ((set, frozenset), _same_sets),
    (dict, _same_dicts),
    ((list, tuple), _same_sequences),
    ((datetime, time), _same_moments),
    (pydantic.BaseModel, _same_models),
]
