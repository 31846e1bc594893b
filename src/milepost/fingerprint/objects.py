"""Looks into live objects: the functions and classes behind a callable, loggers, and what cannot be encoded."""

from __future__ import annotations

import functools
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any, NamedTuple

from milepost.fingerprint.canonical import fields_of
from milepost.fingerprint.parts import text_digest

_WORKFLOW = "milepost.workflow.workflow"  # named, because nothing here may import it
_LOGGING_PACKAGES = frozenset({"loguru", "structlog"})
_WRAPPED = ("__wrapped__", "py_func", "func")
_MOST_LOOKED_AT = 10_000


class Opened(NamedTuple):
    """What stands behind a callable: its *code*, and the *values* that were bound to it."""

    code: list[FunctionType | type]
    values: list[object]


def opened(value: object) -> Opened:
    """Return the functions and classes that calling *value* may run, and the values it was given beforehand.

    Wrappers (`functools.wraps`, caches, compilers such as numba's) and what they wrap are both found, and so are the
    parts of partial functions, methods, properties and the registered cases of a single-dispatch function.
    """
    found = Opened([], [])
    waiting = [value]
    seen: list[object] = []
    while waiting:
        one = waiting.pop()
        if any(one is other for other in seen):
            continue
        seen.append(one)
        if isinstance(one, FunctionType | type):
            found.code.append(one)
        if isinstance(one, functools.partial | functools.partialmethod):
            found.values.extend([list(one.args), dict(one.keywords)])
            waiting += [one.func, *one.args, *one.keywords.values()]
        elif isinstance(one, MethodType):
            found.values.append(fields_of(one.__self__))
            waiting += [one.__func__, one.__self__ if isinstance(one.__self__, type) else type(one.__self__)]
        else:
            waiting += _behind(one)
    return found


def _behind(value: object) -> Iterator[object]:
    if isinstance(value, property):
        yield from (one for one in (value.fget, value.fset, value.fdel) if one is not None)
    elif isinstance(value, staticmethod | classmethod):
        yield value.__func__
    elif not isinstance(value, type | ModuleType):
        # From the object's own dict: some objects (mocks, lazy proxies) answer to every name.
        own = _own_dict(value)
        wrapped = [own[name] for name in _WRAPPED if callable(own.get(name))]
        yield from wrapped
        if isinstance(own.get("registry"), Mapping) and callable(own.get("dispatch")):
            yield from own["registry"].values()
        if not wrapped and callable(value) and type(value) not in {FunctionType, BuiltinFunctionType}:
            yield type(value)


def _own_dict(value: object) -> Mapping[str, Any]:
    try:
        own = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return own if isinstance(own, Mapping) else {}


def is_code(value: object) -> bool:
    """Tell whether a value is a function, a class, or a thin wrapping of one, rather than data."""
    wrappings = (FunctionType, BuiltinFunctionType, MethodType, type, functools.partial, staticmethod, classmethod)
    return isinstance(value, wrappings) or callable(_own_dict(value).get("__wrapped__"))


def callables_in(value: object) -> Iterator[object]:
    """Yield the functions, classes and instances of classes that a container holds, at any depth."""
    waiting, seen = [value], set[int]()
    while waiting and len(seen) < _MOST_LOOKED_AT:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, dict | MappingProxyType):  # other mappings may go and fetch what they hold
            waiting += one.values()
        elif isinstance(one, list | tuple | set | frozenset):
            waiting += one
        elif is_code(one):
            yield one
        elif type(one).__module__ != "builtins" and not isinstance(one, ModuleType):
            yield type(one)


def cells_of(function: FunctionType) -> dict[str, object]:
    """Return the closure values of a function by name; variables that hold nothing yet are left out."""
    found: dict[str, object] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue
    return found


def is_logger(value: object) -> bool:
    """Tell whether a value says nothing about a result: a logger of the standard library, structlog or loguru.

    So does a workflow, which only declares: its settings are no code of its phases.
    """
    if isinstance(value, ModuleType):
        return value is logging
    if type(value).__module__ == _WORKFLOW:
        return True
    known = isinstance(value, logging.Logger | logging.LoggerAdapter)
    return known or type(value).__module__.partition(".")[0] in _LOGGING_PACKAGES


def described(value: object, _path: str = "") -> str:
    """Return what stands for a value that has no encoding: the same in every process, so never its address."""
    if isinstance(value, re.Pattern):
        return f"regular expression {value.pattern!a} with flags {value.flags}"
    if isinstance(value, FunctionType | type | BuiltinFunctionType):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, ModuleType):
        return f"module {value.__name__}"
    return f"object of class {type(value).__qualname__}"


def bytecode_digest(code: CodeType, docstring: str | None = None) -> str:
    """Return what stands for a function whose source is not to be had; it holds for one minor version of Python."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"bytecode of Python {version} {text_digest(*_bytecode(code, docstring))}"


def _bytecode(code: CodeType, docstring: str | None) -> Iterator[str]:
    yield code.co_code.hex()
    yield from (*code.co_names, "/", *code.co_varnames, "/", *code.co_freevars, "/")
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _bytecode(constant, None)
        elif docstring is None or constant != docstring:
            yield _constant(constant)


def _constant(value: object) -> str:
    if isinstance(value, frozenset):  # in no order of its own
        return f"frozenset {sorted(map(_constant, value))}"
    if isinstance(value, tuple):
        return f"tuple {list(map(_constant, value))}"
    return f"{type(value).__name__} {value!a}"
