"""Calling what a user declared: with upstream outputs in their order, and the config where it is asked for."""

from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from milepost.errors import InvalidArgument, MilepostError, PhaseFailed
from milepost.phase.telling import described
from milepost.phase.work import DeclaredItems
from milepost.workflow.graph import Node


def call_with(function: Callable[..., Any], positional: Sequence[Any], config: Any) -> Any:
    """Call *function* with as many of *positional* as it takes, and with ``config=`` if it takes that."""
    parameters = inspect.signature(function).parameters
    takes_all = any(one.kind is one.VAR_POSITIONAL for one in parameters.values())
    places = [
        one
        for name, one in parameters.items()
        if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) and name != "config"
    ]
    given = positional if takes_all else positional[: len(places)]
    return function(*given, **({"config": config} if takes_config(function) else {}))


def takes_config(function: Callable[..., Any]) -> bool:
    """Tell whether *function* takes ``config=``."""
    parameters = inspect.signature(function).parameters
    return "config" in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values())


def needs_outputs(function: Any) -> bool:
    """Tell whether *function* takes anything but the config: the outputs of phases before it."""
    if not callable(function):
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters
    variable = inspect.Parameter.VAR_POSITIONAL
    return any((one.kind in kinds and name != "config") or one.kind is variable for name, one in parameters.items())


def items_of(node: Node, outputs: Sequence[Any], config: Any) -> DeclaredItems | None:
    """Return the items that *node* declares, None where it declares none.

    Raises:
        InvalidArgument: What was declared gives nothing that can be gone through.
    """
    if node.items is None:
        return None
    with declared(node.name, "items="):
        found = call_with(node.items, outputs, config) if callable(node.items) else node.items
    if not isinstance(found, Iterable) or isinstance(found, str | bytes):
        raise InvalidArgument(f"phase {node.name!r}: items= gave a {type(found).__name__}; a list of items is needed.")
    with declared(node.name, "items="):
        items = DeclaredItems(found)
    items.key, items.version = node.key, node.version
    return items


def params_of(node: Node, config: Any) -> Any:
    """Return the parameters that *node* depends on: those declared, else the whole config if its body takes it."""
    if callable(node.params) and not isinstance(node.params, type):
        with declared(node.name, "params="):
            return call_given_config(node.params, config)
    if node.params is not None:
        return node.params
    return config if takes_config(node.function) else None


def inputs_of(node: Node, config: Any) -> Sequence[str | Path]:
    """Return the files that *node* depends on as a whole."""
    with declared(node.name, "inputs="):
        found = call_given_config(node.inputs, config) if callable(node.inputs) else node.inputs
    return cast("Sequence[str | Path]", found)


@contextmanager
def declared(phase: str, option: str) -> Iterator[None]:
    """Name phase and option where a function that was declared raises.

    Raises:
        PhaseFailed: It did; the cause is its error.
    """
    try:
        yield
    except MilepostError:
        raise
    except Exception as error:
        raise PhaseFailed(f"{phase}: what was declared as {option} raised {described(error)}.") from error


def call_given_config(function: Callable[..., Any], config: Any) -> Any:
    """Call *function* with the config, by position."""
    return function(config)


def config_of(declared: Any, overrides: Mapping[str, str]) -> Any:
    """Return the config of a run: what a function of *overrides* gives, or a mapping with them laid over it.

    Args:
        declared: A function of a mapping from dotted key to text, a mapping, or any other value.
        overrides: Dotted keys to values as they were typed; JSON where it is JSON, else text.

    Raises:
        InvalidArgument: The config can take no overrides, or none of that name.
    """
    if callable(declared) and not isinstance(declared, type):
        return declared(dict(overrides))
    if not overrides:
        return declared
    if declared is not None and not isinstance(declared, Mapping):
        raise InvalidArgument(
            f"a config of type {type(declared).__name__} takes no --param; give Workflow(config=) a mapping, or a "
            "function of the overrides."
        )
    config = copy.deepcopy(dict(declared or {}))
    for name, text in overrides.items():
        *path, last = name.split(".")
        inner = config
        for part in path:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise InvalidArgument(f"--param {name}: {part!r} is a value, not a group of settings.")
        inner[last] = _parsed(text)
    return config


def _parsed(text: str) -> Any:
    """Return JSON as its value, and all else as text; a number of any length stays the number it is."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return text


def _refuse_constant(word: str) -> Any:
    raise ValueError(word)
