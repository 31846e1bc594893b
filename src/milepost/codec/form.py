"""What all parts of the tagged form share: the reserved key, the depth cap, and the two internal signals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

RESERVED_KEY = "$milepost"
"""The first key of every tag object. A caller's dict that holds it is written as a tag of kind ``dict``."""

TAG_START = b'{"$milepost":'
"""The bytes that every encoded tag object starts with, and that no plain JSON of ours does."""

MAX_DEPTH = 200
"""Levels of JSON arrays and objects that one encoded value may nest (leaf tags not counted).

orjson writes 254 levels. This leaves room for the innermost leaf tags, for what a record puts around a value, and for
the two frames a level that the walks here take from Python's call stack.
"""

LONE_SURROGATE = "str with a lone surrogate, which UTF-8 cannot write"

_SHOWN_KEY_CHARACTERS = 60


class _Located(Exception):
    """A failure that learns its path while it travels up through the containers."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps: list[str] = []

    def path(self) -> str:
        """Return the steps from the outermost container to the failing place, as text."""
        return "".join(reversed(self.steps))


class Refused(_Located):
    """A value cannot be stored. Never leaves this package: `encode` turns it into `NotEncodable`."""

    def __init__(self, reason: str, *, too_deep: object = None) -> None:
        """Hold the *reason*; *too_deep* is the container that passed the depth cap, where that was it."""
        super().__init__(reason)
        self._too_deep = too_deep

    def inside(self, container: object, step: str) -> None:
        """Note that the failure lies under *step* of *container*.

        A container that is met again on the way up holds itself: the path then ends at its outermost place,
        because two hundred steps around a circle would help nobody.
        """
        if self._too_deep is container:
            self.reason = f"{type(container).__name__} that contains itself"
            self.steps.clear()
        else:
            self.steps.append(step)


class Malformed(_Located):
    """Stored bytes break the documented form. Never leaves this package: `decode` raises `NotDecodable`."""


class Leaf(NamedTuple):
    """One kind of tag that holds no other values: how it is written and how it is read back.

    `fields` are all keys of the tag object besides the reserved one, in the order they are written.
    `restore` may raise any built-in error for a malformed tag; the walker translates it.
    """

    name: str
    types: tuple[type, ...]
    fields: tuple[str, ...]
    pack: Callable[[Any], tuple[object, ...]]
    restore: Callable[..., object]

    def tag(self, value: object) -> dict[str, object]:
        """Return the tag object of *value*. Raises Refused."""
        return {RESERVED_KEY: self.name, **dict(zip(self.fields, self.pack(value), strict=True))}

    def untag(self, tag: dict[str, Any]) -> object:
        """Return the value of a parsed *tag*. Raises Malformed, or a built-in error for wrong content."""
        check_fields(tag, self.name, self.fields)
        return self.restore(*(tag[field] for field in self.fields))


def check_fields(tag: dict[str, Any], kind: str, fields: tuple[str, ...]) -> None:
    """Pass a *tag* object with exactly these *fields* beside the reserved key. Raises Malformed."""
    if len(tag) != len(fields) + 1 or not all(field in tag for field in fields):
        raise Malformed(f"a stored {kind} has other fields than the format names")


def require(condition: bool) -> None:
    """Pass if *condition* holds; raise ValueError, which the walker reports as a malformed tag."""
    if not condition:
        raise ValueError


def expect_str(value: object) -> str:
    """Return *value* if it is a str. Raises ValueError."""
    if type(value) is str:
        return value
    raise ValueError


def expect_int(value: object) -> int:
    """Return *value* if it is an int and no bool. Raises ValueError."""
    if type(value) is int:
        return value
    raise ValueError


def expect_list(value: object) -> list[Any]:
    """Return *value* if it is a list. Raises ValueError."""
    if type(value) is list:
        return value
    raise ValueError


def expect_dict(value: object) -> dict[Any, Any]:
    """Return *value* if it is a dict. Raises ValueError."""
    if type(value) is dict:
        return value
    raise ValueError


def key_step(key: str) -> str:
    """Return the path step of a str *key*: ``.name``, or a quoted, escaped and shortened index."""
    if key.isascii() and key.isidentifier() and len(key) <= _SHOWN_KEY_CHARACTERS:
        return f".{key}"
    shown = key if len(key) <= _SHOWN_KEY_CHARACTERS else key[:_SHOWN_KEY_CHARACTERS] + "..."
    return f"[{shown!a}]"
