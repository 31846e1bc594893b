"""What global constants and other bound values count as."""

from __future__ import annotations

import ast
import enum
import re
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from os import path as os_path
from pathlib import PurePath
from typing import Any
from uuid import UUID

from milepost.errors import NotEncodable
from milepost.fingerprint.canonical import canonical
from milepost.fingerprint.objects import described
from milepost.fingerprint.parts import kept
from milepost.fingerprint.promptfiles import near
from milepost.fingerprint.scopes import Chain, chain_of
from milepost.fingerprint.secrecy import is_secret_name
from milepost.fingerprint.world import World

_FIXED = (str, bytes, int, float, complex, bool, type(None), enum.Enum, PurePath, re.Pattern, Decimal, UUID)
_FIXED_TIMES = (date, time, timedelta)
_EMPTY_MAKERS = frozenset({"Counter", "OrderedDict", "defaultdict", "deque", "dict", "list", "set"})
_DISPLAYS = (ast.Dict, ast.DictComp, ast.List, ast.ListComp, ast.Set, ast.SetComp)
_CHANCE = frozenset({"random", "secrets", "time", "uuid"})
_MOMENTS = frozenset({"getpid", "now", "perf_counter", "time", "time_ns", "today", "urandom", "utcnow", "uuid4"})


def is_fixed(value: object) -> bool:
    """Tell whether a value cannot change in place, so that what it is now is what it was made as."""
    if isinstance(value, tuple | frozenset):
        return all(map(is_fixed, value))
    return isinstance(value, (*_FIXED, *_FIXED_TIMES))


def counts_by_source(name: str, value: object, world: World) -> bool:
    """Tell whether a global value counts by how it is written rather than by what it is now.

    A container written out in the code may be filled while the program runs (a cache, a registry), and what comes from
    a clock or from chance is another in each process: by value, each of them would make every run stale.
    """
    source = world.source
    if source is None or name not in source.assigned:
        return False
    fixed = is_fixed(value)
    written = [node.value for node in source.assigned[name] if node.value is not None]
    if name in source.rebound or any(_is_moment(node) or (not fixed and _is_display(node)) for node in written):
        return True
    return not (fixed or _has_value(value))


def readable(name: str, value: object, world: World) -> str:
    """Return what stands for a value in the parts: its encoding, or the class of what has none.

    Paths that lead into the checkout are told from the module's folder on, so that it may be moved.
    """
    try:
        text = canonical(_moved(value, world), name, described, secret=is_secret_name(name))
    except NotEncodable:  # a container that contains itself, or one too deep to look at
        text = described(value)
    return kept(text)


def _has_value(value: object) -> bool:
    """Tell whether a value is data throughout: then what it holds says it all."""
    try:
        canonical(value, "value", _refuse)
    except NotEncodable:
        return False
    return True


def _refuse(_value: object, path: str) -> str:
    raise NotEncodable(path, "no data")


def _is_display(node: ast.expr) -> bool:
    chain = chain_of(node.func) if isinstance(node, ast.Call) else None
    return isinstance(node, _DISPLAYS) or (chain is not None and chain[-1] in _EMPTY_MAKERS)


def _is_moment(node: ast.expr) -> bool:
    called: list[Chain] = [
        chain for call in ast.walk(node) if isinstance(call, ast.Call) and (chain := chain_of(call.func))
    ]
    return any(chain[0] in _CHANCE or chain[-1] in _MOMENTS for chain in called)


def _moved(value: Any, world: World, level: int = 0) -> object:
    """Return *value* with the paths in it as seen from the module's folder."""
    if isinstance(value, PurePath) or (type(value) is str and os_path.isabs(value) and "\n" not in value):
        text = near(os_path.normpath(value), world)
        return text if type(value) is str else PurePath(text)
    if level < 20:
        if type(value) in {list, tuple}:
            return type(value)(_moved(item, world, level + 1) for item in value)
        if isinstance(value, Mapping) and type(value) is dict:
            return {key: _moved(item, world, level + 1) for key, item in value.items()}
    return value
