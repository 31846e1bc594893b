"""The key of an item: the text by which it is known, never its position."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from milepost.errors import InvalidArgument
from milepost.phase.work import Key


def key_of(item: Any, key: Key | None) -> str:
    """Return the key of *item*: what the function *key* says, else the item itself if it is a text or a path.

    Raises:
        InvalidArgument: It has none that can be used.
    """
    if key is not None:
        found = key(item)
    elif type(item) is str:
        found = item
    elif isinstance(item, PurePath):
        found = str(item)
    else:
        raise InvalidArgument(
            f"An item of type {type(item).__name__} has no key of its own: pass key=, a function to text."
        )
    if type(found) is not str or not found:
        raise InvalidArgument(f"key= gave {found!r}: a key is a text that is not empty.")
    if not found.isascii():
        try:
            found.encode()
        except UnicodeEncodeError as error:
            raise InvalidArgument(f"key {found!r} holds a lone surrogate and cannot be stored.") from error
    return found
