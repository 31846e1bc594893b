"""The walk that turns parsed JSON with tag objects back into values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from milepost.codec import arrays, registry
from milepost.codec.form import MAX_DEPTH, RESERVED_KEY, Leaf, Malformed, check_fields, expect_list, key_step, require
from milepost.codec.scalars import SCALARS
from milepost.codec.times import TIMES

_LEAVES: dict[str, Leaf] = {leaf.name: leaf for leaf in SCALARS + TIMES}
_CLASS_KINDS = frozenset({"enum", "flag", "dataclass", "model", "namedtuple"})
_CONTAINERS = frozenset({dict, list})


def restore(value: Any, depth: int) -> Any:
    """Return *value*, a list or dict of parsed JSON under *depth* levels, with every tag in it replaced.

    Lists and dicts are changed in place: nobody else has seen them. Each level takes two frames of Python's stack
    at most, so that what was saved far up a call stack can be loaded further down. Raises Malformed.
    """
    if depth > MAX_DEPTH:
        raise Malformed(f"is nested deeper than the {MAX_DEPTH} levels that are written")
    if type(value) is dict:
        if RESERVED_KEY in value:
            return _restore_tag(value, depth)
        places: Any = value.items()
        found = value.values()
    else:
        places = enumerate(value)
        found = value
    if _CONTAINERS.isdisjoint(map(type, found)):
        return value
    place: Any = None
    try:
        for place, item in places:
            if type(item) in _CONTAINERS:
                value[place] = restore(item, depth + 1)
    except Malformed as malformed:
        malformed.steps.append(key_step(place) if type(place) is str else f"[{place}]")
        raise
    return value


def _restore_tag(tag: dict[str, Any], depth: int) -> object:
    kind = tag[RESERVED_KEY]
    try:
        return _restore_kind(kind, tag, depth)
    except (Malformed, RecursionError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  # a caller's own __hash__ or metaclass may raise anything
        # The message of a built-in error may repeat what was stored, so only its class is told. The class of a
        # caller's own error (from a __hash__, say) is what they need to find it.
        raise Malformed(f"is a malformed {kind} ({type(error).__name__})") from None


def _restore_kind(kind: object, tag: dict[str, Any], depth: int) -> object:
    if type(kind) is not str:
        raise Malformed("is tagged with something that names no kind")
    leaf = _LEAVES.get(kind)
    if leaf is not None:
        return leaf.untag(tag)
    container = _BUILDERS.get(kind)
    if container is not None:
        check_fields(tag, kind, ("items",))
        return container(restore(expect_list(tag["items"]), depth + 1))
    if kind in _CLASS_KINDS:
        return _restore_instance(kind, tag, depth)
    if kind in arrays.KINDS:
        return arrays.restore_numpy(tag)
    raise Malformed(
        "is tagged with a kind that is unknown here; load it with the Milepost that wrote it, or a newer one"
    )


def _restore_instance(kind: str, tag: dict[str, Any], depth: int) -> object:
    name = tag.get("class")
    entry = registry.entry_named(name)
    if entry is None:
        shown = ascii(name)[:102] if type(name) is str else "?"
        raise Malformed(f"needs the class stored as {shown}; call milepost.register(TheClass, {shown}) before loading")
    if entry.shape.kind != kind:
        raise Malformed(f"was stored as a {kind}, and {entry.cls.__name__} is a {entry.shape.kind} now")
    check_fields(tag, kind, ("class", *entry.shape.parts))
    # A list, not a generator: that would cost another frame on every level.
    parts = [tag[part] for part in entry.shape.parts]
    for position, part in enumerate(parts):
        if type(part) in _CONTAINERS:
            parts[position] = restore(part, depth + 1)
    return entry.shape.build(*parts)


def _set_of(items: list[Any]) -> set[Any]:
    elements = set(items)
    require(len(elements) == len(items))
    return elements


def _dict_of(items: list[Any]) -> dict[Any, Any]:
    require(all(type(pair) is list and len(pair) == 2 for pair in items))
    mapping = dict(items)
    require(len(mapping) == len(items))
    return mapping


_BUILDERS: dict[str, Callable[[list[Any]], object]] = {
    "tuple": tuple,
    "set": _set_of,
    "frozenset": lambda items: frozenset(_set_of(items)),
    "dict": _dict_of,
}
