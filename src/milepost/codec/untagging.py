"""The walk that turns parsed JSON with tag objects back into values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from milepost.codec import arrays, registry
from milepost.codec.form import RESERVED_KEY, Leaf, Malformed, check_fields, expect_list, key_step, require
from milepost.codec.scalars import SCALARS
from milepost.codec.times import TIMES

_LEAVES: dict[str, Leaf] = {leaf.name: leaf for leaf in SCALARS + TIMES}
_CLASS_KINDS = frozenset({"enum", "flag", "dataclass", "model", "namedtuple"})
_CONTAINERS = frozenset({dict, list})
_DEEPEST = 254
"""What the writer can nest at most, leaf tags included: nothing of ours is deeper."""


def restore(value: object, depth: int) -> object:
    """Return *value*, parsed JSON under *depth* levels, with every tag in it replaced. Raises Malformed.

    Lists and dicts are changed in place: nobody else has seen them.
    """
    if depth > _DEEPEST:
        raise Malformed(f"is nested deeper than the {_DEEPEST} levels that can be written")
    if type(value) is list:
        _restore_items(value, depth + 1)
        return value
    if type(value) is not dict:
        return value
    if RESERVED_KEY in value:
        return _restore_tag(value, depth)
    if not _CONTAINERS.isdisjoint(map(type, value.values())):
        for key, item in value.items():
            if type(item) in _CONTAINERS:
                value[key] = _restore_at(key_step(key), item, depth + 1)
    return value


def _restore_at(step: str, value: object, depth: int) -> object:
    try:
        return restore(value, depth)
    except Malformed as malformed:
        malformed.steps.append(step)
        raise


def _restore_items(values: list[Any], depth: int) -> None:
    if _CONTAINERS.isdisjoint(map(type, values)):
        return
    for index, item in enumerate(values):
        if type(item) in _CONTAINERS:
            values[index] = _restore_at(f"[{index}]", item, depth)


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
        items = expect_list(tag["items"])
        _restore_items(items, depth + 2)
        return container(items)
    if kind in _CLASS_KINDS:
        return _restore_instance(kind, tag, depth)
    if kind in arrays.KINDS:
        return arrays.restore_numpy(tag)
    raise Malformed(
        "is tagged with a kind that this version of Milepost does not know; a newer one may have written it"
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
    return entry.shape.build(*(_restore_at("", tag[part], depth + 1) for part in entry.shape.parts))


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
