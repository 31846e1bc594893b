"""The classes that callers have registered, by class and by name. The only state this package keeps."""

from __future__ import annotations

import re
import threading
from typing import NamedTuple

from milepost.codec.classes import Shape, shape_of
from milepost.errors import InvalidArgument

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")

_lock = threading.Lock()
_by_class: dict[type, Entry] = {}
_by_name: dict[str, Entry] = {}


class Entry(NamedTuple):
    """A registered class, the name it is stored under, and how its instances are stored."""

    cls: type
    name: str
    shape: Shape


def register(cls: type, name: str) -> None:
    """Let instances of *cls* be stored under *name*, and loaded as instances of *cls*, equal to what was saved.

    Register at import time, in the process that saves and in the one that loads. Registering the same pair again
    changes nothing; a class that was defined again (a notebook cell run twice: same module and qualified name)
    takes the place of the older one.

    Args:
        cls: an `enum.Enum` or `enum.Flag`, a dataclass, a pydantic (version 2) model, or a named tuple.
        name: what stored bytes call it: 1 to 100 letters, digits, ``_``, ``.`` and ``-``, starting with a letter
            or ``_``. It never changes, even where the class is renamed or moved.

    Raises:
        InvalidArgument: *cls* is of no such kind, *name* is not of that form, one of the two is registered
            otherwise, or instances hold more than their fields.
    """
    if not isinstance(cls, type):
        raise InvalidArgument("register takes a class")
    if type(name) is not str or not _NAME.fullmatch(name):
        raise InvalidArgument(
            f"the name for {cls.__name__} must be 1 to 100 letters, digits, '_', '.' and '-', starting with a letter"
        )
    shape = shape_of(cls)
    if shape is None:
        raise InvalidArgument(
            f"{cls.__name__} cannot be registered: register takes enums, dataclasses, pydantic models and named tuples"
        )
    with _lock:
        _enter(Entry(cls, name, shape))


def _enter(entry: Entry) -> None:
    known = _by_class.get(entry.cls)
    if known is not None:
        if known.name == entry.name:
            return
        raise InvalidArgument(f"{entry.cls.__name__} is registered already, as {known.name!r}")
    holder = _by_name.get(entry.name)
    if holder is not None:
        if _place(holder.cls) != _place(entry.cls):
            raise InvalidArgument(f"the name {entry.name!r} belongs to another class, {'.'.join(_place(holder.cls))}")
        del _by_class[holder.cls]
    _by_name[entry.name] = entry
    _by_class[entry.cls] = entry


def _place(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def entry_of(cls: type) -> Entry | None:
    """Return the entry of a class, or None if it is not registered."""
    return _by_class.get(cls)


def entry_named(name: object) -> Entry | None:
    """Return the entry under a stored *name*, or None if nothing is registered under it."""
    return _by_name.get(name) if type(name) is str else None


def advice(cls: type) -> str | None:
    """Return what the caller should do so that *cls* can be stored, or None if registering is not the answer."""
    try:
        if shape_of(cls) is None:
            return None
    except InvalidArgument as error:
        return str(error)
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
    name = re.sub(r"[^a-z0-9_.-]+", "_", words).strip("_") or "name"
    older = any(_place(cls) == _place(known) for known in list(_by_class))
    if older:
        return f"instance of an older definition of {cls.__name__}; it was defined again since, build the value anew"
    return f'instance of an unregistered class; call milepost.register({cls.__name__}, "{name}") first'
