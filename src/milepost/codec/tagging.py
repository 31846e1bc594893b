"""The walk that builds the tagged copy of a value that is not plain JSON throughout."""

from __future__ import annotations

from collections.abc import Collection
from math import isfinite
from typing import Any

import orjson

from milepost.codec import registry
from milepost.codec.arrays import pack_numpy
from milepost.codec.form import LONE_SURROGATE, MAX_DEPTH, RESERVED_KEY, Leaf, Refused, key_step
from milepost.codec.plain import plain_bytes
from milepost.codec.scalars import FLOAT, INT, LARGEST_PLAIN_INT, SCALARS, SMALLEST_PLAIN_INT
from milepost.codec.times import TIMES

_LEAVES: dict[type, Leaf] = {kind: leaf for leaf in SCALARS + TIMES for kind in leaf.types}
_SAFE = frozenset({str, bool, type(None)})
_PROBED_LEVELS = 6
_ADVICE = {
    "OrderedDict": "a dict keeps its order as well",
    "defaultdict": "convert it with dict(...)",
    "Counter": "convert it with dict(...)",
    "deque": "convert it with list(...)",
    "range": "convert it with list(...)",
    "generator": "convert it with list(...)",
}


class Packer:
    """Turns one value into what orjson writes faithfully.

    Containers without anything to tag are used as they are. The path of a refused value is put together while the
    failure travels up, so that a success pays nothing for it.
    """

    def __init__(self, *, careful: bool) -> None:
        """Prepare a walk. A *careful* one looks at every str, to name the one that orjson could not write."""
        self._careful = careful
        self._containers: dict[type, Any] = {
            dict: self._dict,
            list: self._list,
            tuple: self._tuple,
            set: self._set,
            frozenset: self._set,
        }

    def pack(self, value: object, depth: int) -> object:
        """Return the tagged form of *value*, which stands under *depth* JSON levels. Raises Refused."""
        kind = type(value)
        if kind in _SAFE:
            if self._careful and kind is str:
                _check_text(value)
            return value
        if kind is int:
            return value if SMALLEST_PLAIN_INT <= value <= LARGEST_PLAIN_INT else INT.tag(value)  # type: ignore[operator]
        if kind is float:
            return value if isfinite(value) else FLOAT.tag(value)  # type: ignore[arg-type]
        container = self._containers.get(kind)
        if container is not None:
            return self._plain_part(value, depth) or container(value, depth)
        leaf = _LEAVES.get(kind)
        return leaf.tag(value) if leaf is not None else self._other(value, depth)

    def _plain_part(self, value: object, depth: int) -> object:
        """Return the finished bytes of a dict or list without any tag in it, or None.

        One tuple in a large state should not slow down all of it. Tried near the top only: the parts are large
        there, and a value with tags at its very bottom is looked at no more than that many times.
        """
        if self._careful or not 0 < depth <= _PROBED_LEVELS or type(value) not in (dict, list):
            return None
        data = plain_bytes(value, depth)
        return None if data is None else orjson.Fragment(data)

    def _other(self, value: object, depth: int) -> object:
        entry = registry.entry_of(type(value))
        if entry is not None:
            return self._instance(value, entry, depth)
        array = pack_numpy(value)
        if array is not None:
            return array
        name = type(value).__name__
        advice = registry.advice(type(value)) or _ADVICE.get(name)
        hint = f"; {advice}" if advice else ""
        raise Refused(f"{name}, which cannot be stored such that it comes back equal{hint}")

    def _fit(self, value: object, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise Refused(f"nested deeper than {MAX_DEPTH} levels", too_deep=value)

    def _usable(self, values: Collection[object]) -> bool:
        """Tell whether orjson writes all *values* faithfully, by their types alone."""
        if self._careful:
            return False
        types = set(map(type, values))
        if types == {int}:
            numbers: Any = values
            return bool(min(numbers) >= SMALLEST_PLAIN_INT and max(numbers) <= LARGEST_PLAIN_INT)
        return types <= _SAFE

    def _list(self, value: list[object], depth: int) -> object:
        self._fit(value, depth + 1)
        return value if self._usable(value) else self._items(value, depth + 1)

    def _tuple(self, value: tuple[object, ...], depth: int) -> object:
        self._fit(value, depth + 2)
        return {RESERVED_KEY: "tuple", "items": self._items(value, depth + 2)}

    def _items(self, values: list[object] | tuple[object, ...], depth: int) -> list[object]:
        packed: list[object] = []
        try:
            for value in values:
                packed.append(self.pack(value, depth))  # noqa: PERF401  # the count so far is the failing index
        except Refused as refused:
            refused.inside(values, f"[{len(packed)}]")
            raise
        return packed

    def _set(self, value: set[object] | frozenset[object], depth: int) -> object:
        self._fit(value, depth + 2)
        name = type(value).__name__
        packed: list[object] = []
        for element in value:
            try:
                packed.append(self.pack(element, depth + 2))
            except Refused as refused:
                # Elements have no place of their own, so the path ends here and the rest is told in words.
                within = f" (at {refused.path()} of it)" if refused.steps else ""
                raise Refused(f"{name} of {type(element).__name__}{within}: {refused.reason}") from None
        # Sets have no order of their own either; this one makes equal sets equal bytes.
        return {RESERVED_KEY: name, "items": sorted(packed, key=orjson.dumps)}

    def _dict(self, value: dict[object, object], depth: int) -> object:
        if not set(map(type, value)) <= {str} or RESERVED_KEY in value:
            return self._pairs(value, depth)
        self._fit(value, depth + 1)
        if self._usable(value.values()):
            return value
        packed: dict[object, object] = {}
        key: Any = None
        try:
            for key, item in value.items():
                packed[key] = self.pack(item, depth + 1)
        except Refused as refused:
            refused.inside(value, key_step(key))
            raise
        if self._careful:
            self._check_keys(value)
        return packed

    def _check_keys(self, value: dict[Any, object]) -> None:
        for position, key in enumerate(value):
            try:
                _check_text(key)
            except Refused as refused:
                refused.inside(value, f".keys()[{position}]")
                raise

    def _pairs(self, value: dict[object, object], depth: int) -> object:
        self._fit(value, depth + 3)
        pairs: list[object] = []
        step = ""
        try:
            for position, (key, item) in enumerate(value.items()):
                step = f".keys()[{position}]"
                packed_key = self.pack(key, depth + 3)
                step = _pair_step(key, position)
                pairs.append([packed_key, self.pack(item, depth + 3)])
        except Refused as refused:
            refused.inside(value, step)
            raise
        return {RESERVED_KEY: "dict", "items": pairs}

    def _instance(self, value: object, entry: registry.Entry, depth: int) -> object:
        self._fit(value, depth + 1)
        packed: dict[str, object] = {RESERVED_KEY: entry.shape.kind, "class": entry.name}
        try:
            for part, content in zip(entry.shape.parts, entry.shape.take(value), strict=True):
                packed[part] = self.pack(content, depth + 1)
        except Refused as refused:
            refused.inside(value, "")
            raise
        return packed


def _pair_step(key: object, position: int) -> str:
    if type(key) is str:
        return key_step(key)
    if type(key) is int and SMALLEST_PLAIN_INT <= key <= LARGEST_PLAIN_INT:
        return f"[{key}]"
    return f".values()[{position}]"


def _check_text(text: Any) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(LONE_SURROGATE) from None
