"""One text for one value: independent of the order of dicts and sets, exact about types, without secrets.

Scalars and containers are written as the codec writes them (``docs/reference/values.md``), dicts sorted by key. Objects
that are only fields (dataclasses, models, namespaces, named tuples) are written as a dict of their fields, registered
or not: nothing is ever loaded from this text, so it need not lead back to the class.
"""

from __future__ import annotations

import argparse
import dataclasses
import enum
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any

import orjson

from milepost import codec
from milepost.codec import MAX_DEPTH, RESERVED_KEY
from milepost.errors import NotEncodable
from milepost.fingerprint.secrecy import is_secret_name, is_secret_text, sealed

_NUMBERS = frozenset({bool, float, int, type(None)})

Refused = Callable[[object, str], str]
"""What to write for a value that has no canonical text; the second argument is its path."""


Kinds = tuple[type[Mapping[Any, Any]], ...]


def fields_of(value: object) -> dict[str, Any] | None:
    """Return the fields of an object that is nothing but its fields, or None for any other value."""
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    if isinstance(value, argparse.Namespace | SimpleNamespace):
        return dict(vars(value))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=False))
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and isinstance(value, getattr(pydantic, "BaseModel", ())):
        model: Any = value
        return {name: content for name, content in model}  # noqa: C416 -- a model yields pairs, and is no mapping
    attributes = getattr(type(value), "__attrs_attrs__", None)
    if attributes is not None:
        return {attribute.name: getattr(value, attribute.name, None) for attribute in attributes}
    return None


def as_dict(value: object, kinds: Kinds = (Mapping,)) -> dict[str, Any] | None:
    """Return *value* as a dict with only texts as keys, if it is a mapping of *kinds* or an object of that form."""
    fields = fields_of(value)
    if fields is None and isinstance(value, kinds):
        fields = dict(value)
    return fields if fields is not None and all(type(key) is str for key in fields) else None


def secret_bytes(value: object) -> bytes | None:
    """Return the content of a pydantic secret, or None for any other value."""
    if type(value).__name__ in {"SecretStr", "SecretBytes", "Secret"} and hasattr(value, "get_secret_value"):
        return repr(value.get_secret_value()).encode()
    return None


def canonical(value: object, path: str, refused: Refused | None = None, *, secret: bool = False) -> str:
    """Return the canonical text of *value*.

    Args:
        value: anything.
        path: what the value is called in an error.
        refused: what to write for a part that cannot be encoded; without it, such a part is an error.
        secret: the name of the value says that it is a secret.

    Returns:
        JSON text.

    Raises:
        NotEncodable: a part has no canonical text; names its path and type, never its content.
    """
    return _Writer(refused).write(value, path, 0, secret=secret)


class _Writer:
    def __init__(self, refused: Refused | None) -> None:
        self._refused = refused
        # Where any value may come, a mapping may be one that goes and fetches what it holds: it counts by its class.
        self._kinds: Kinds = (Mapping,) if refused is None else (dict, MappingProxyType)

    def write(self, value: object, path: str, depth: int, *, secret: bool = False) -> str:
        if depth > MAX_DEPTH:
            raise NotEncodable(path, f"nested deeper than {MAX_DEPTH} levels, or contains itself")
        hidden = secret_bytes(value)
        if hidden is not None:
            return _text(sealed(hidden))
        fields = as_dict(value, self._kinds)
        if fields is not None:
            return self._fields(fields, path, depth, secret=secret)
        if isinstance(value, self._kinds):
            return self._pairs(value, path, depth, secret=secret)
        if type(value) is list and not secret and set(map(type, value)) <= _NUMBERS:
            return self._leaf(value, path)  # the same text, many times faster
        if type(value) in {list, tuple, set, frozenset}:
            return self._items(value, path, depth, secret=secret)
        text = self._leaf(value, path)
        is_text = type(value) is str
        if (secret and not (value is None or type(value) is bool)) or (is_text and is_secret_text(text)):
            return _text(sealed(text.encode()))
        return text

    def _fields(self, fields: dict[str, Any], path: str, depth: int, *, secret: bool) -> str:
        written = (
            f"{_text(key)}:{self.write(fields[key], path + step(key), depth + 1, secret=secret or is_secret_name(key))}"
            for key in sorted(fields)
        )
        body = "{" + ",".join(written) + "}"
        # A dict that holds the codec's own word must not pass for what the codec writes with it.
        return _tag("dict", body) if RESERVED_KEY in fields else body

    def _pairs(self, value: Mapping[Any, Any], path: str, depth: int, *, secret: bool) -> str:
        pairs = []
        for position, (key, item) in enumerate(value.items()):
            hidden = secret or (isinstance(key, str) and is_secret_name(key))
            name = self.write(key, f"{path}.keys()[{position}]", depth + 1)
            pairs.append(f"[{name},{self.write(item, f'{path}.values()[{position}]', depth + 1, secret=hidden)}]")
        return _tag("dict", f"[{','.join(sorted(pairs))}]")

    def _items(self, value: Any, path: str, depth: int, *, secret: bool) -> str:
        written = [
            self.write(item, f"{path}[{position}]", depth + 1, secret=secret) for position, item in enumerate(value)
        ]
        if isinstance(value, set | frozenset):
            written.sort()
        body = f"[{','.join(written)}]"
        return body if type(value) is list else _tag(type(value).__name__, body)

    def _leaf(self, value: object, path: str) -> str:
        if isinstance(value, enum.Flag):
            return _tag("flag", f"[{_text(type(value).__qualname__)},{_text(repr(value._value_))}]")
        if isinstance(value, enum.Enum):
            return _tag("enum", _text(f"{type(value).__qualname__}.{value.name}"))
        try:
            return codec.encode(value, path).decode()
        except NotEncodable:
            if self._refused is None:
                raise
            return _text(self._refused(value, path))


def step(key: str) -> str:
    """Return how *key* continues a dotted name; one that holds dots or spaces is quoted, so that it stays one step."""
    return f".{key}" if key.replace("-", "_").isidentifier() else f"[{_text(key)}]"


def _text(text: str) -> str:
    return orjson.dumps(text.encode("utf-8", "backslashreplace").decode()).decode()


def _tag(kind: str, body: str) -> str:
    return f'{{"{RESERVED_KEY}":"{kind}","items":{body}}}'
