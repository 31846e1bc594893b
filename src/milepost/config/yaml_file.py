"""Reading one YAML file of settings: safe, bounded, and with the place of every key.

ruamel.yaml composes the tree of nodes, which knows lines and columns and constructs nothing. Values
are then built here from plain scalars only, so no tag of a file can name a class, and an alias can
neither recur nor multiply without bound.
"""

from __future__ import annotations

import os
import stat
import warnings
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from milepost.config.loaded import Loaded
from milepost.config.problems import KeyPath, Problem, dotted
from milepost.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1_048_576
MAX_NODES = 10_000
MAX_DEPTH = 32

_TAG = "tag:yaml.org,2002:"
_SCALARS = {f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null", "timestamp")}
# A date is text to us: no setting is one, and a folder may well be called 2025-10-18.
_TEXT = {f"{_TAG}str", f"{_TAG}timestamp"}


def load(path: Path) -> Loaded:
    """Return what the file says, with every problem of its form.

    Raises:
        ConfigError: The file cannot be read as one YAML document at all; the message says why.
    """
    source = os.fspath(path)
    text = _text(path, source)
    yaml = YAML(typ="safe", pure=True)
    try:
        with warnings.catch_warnings():
            # A reused anchor is legal YAML; ruamel would print a piece of the file.
            warnings.simplefilter("ignore")
            root = yaml.compose(text)
    except RecursionError:
        raise ConfigError(f"{source}: nested deeper than {MAX_DEPTH} levels") from None
    except ReaderError as error:
        # The library's own message prints a piece of the file, which may hold a secret.
        line, column = _place(text, error.position)
        message = f"{source}:{line}:{column}: a character that YAML does not allow"
        raise ConfigError(message) from None
    except MarkedYAMLError as error:
        raise ConfigError(_syntax(source, error)) from None
    except YAMLError:
        raise ConfigError(f"{source}: not valid YAML") from None
    if root is None:
        message = f"{source}: the file is empty; leave it away to run with the defaults"
        raise ConfigError(message)
    return _Builder(yaml, Loaded(source)).build(root)


def _text(path: Path, source: str) -> str:
    try:
        # Opening a FIFO would wait for somebody to write, perhaps for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError(f"{source}: not a regular file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(f"{source}: cannot be read: {reason}") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{source}: larger than {MAX_BYTES} bytes, which no settings file is")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise ConfigError(f"{source}:{line}:{column}: not UTF-8") from None


def _place(text: str, position: int) -> tuple[int, int]:
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


def _syntax(source: str, error: MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
    problem = str(error.problem or "not valid YAML").removeprefix("but ")
    context = f" ({error.context})" if error.context else ""
    return f"{place}: not valid YAML: {problem}{context}"


class _TooDeepError(Exception):
    """The file nests its values deeper than any settings file does."""


class _TooManyNodesError(Exception):
    """The file multiplies itself through aliases."""


class _Builder:
    """Walks the nodes once, with a budget, and collects values, places and problems."""

    def __init__(self, yaml: YAML, loaded: Loaded) -> None:
        self._yaml = yaml
        self._loaded = loaded
        self._nodes_left = MAX_NODES
        self._open: list[int] = []

    def build(self, root: Node) -> Loaded:
        self._loaded.places[()] = self._at(root)
        try:
            values = self._value(root, ())
        except _TooManyNodesError:
            message = f"{self._loaded.source}: more than {MAX_NODES} values, aliases included"
            raise ConfigError(message) from None
        except _TooDeepError:
            message = f"{self._loaded.source}: nested deeper than {MAX_DEPTH} levels"
            raise ConfigError(message) from None
        if isinstance(values, dict):
            self._loaded.values = values
        else:
            self._unbuilt((), root, "the file must hold a mapping of sections")
        return self._loaded

    def _value(self, node: Node, path: KeyPath) -> Any:
        self._nodes_left -= 1
        if self._nodes_left < 0:
            raise _TooManyNodesError
        if id(node) in self._open:
            return self._unbuilt(path, node, "an alias that contains itself")
        if len(self._open) >= MAX_DEPTH:
            raise _TooDeepError
        self._open.append(id(node))
        try:
            if isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
                return self._mapping(node, path)
            if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
                return [self._value(item, (*path, n)) for n, item in enumerate(node.value)]
            if isinstance(node, ScalarNode) and node.tag in _SCALARS:
                return self._scalar(node, path)
            return self._unbuilt(path, node, "tags are not allowed in a settings file")
        finally:
            self._open.pop()

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode) or key.tag not in _TEXT:
                self._wrong(path, key, "a key must be text; quote it")
                continue
            name = str(key.value)
            here = (*path, name)
            if name in values:
                first = self._loaded.places[here][0]
                self._wrong(here, key, f"given twice; the first is on line {first}")
                continue
            self._loaded.places[here] = self._at(key)
            values[name] = self._value(value, here)
        return values

    def _scalar(self, node: ScalarNode, path: KeyPath) -> Any:
        if node.tag in _TEXT:
            return str(node.value)
        try:
            return self._yaml.constructor.construct_object(node)
        except (YAMLError, ValueError, OverflowError):
            return self._unbuilt(path, node, "not a value that YAML defines")

    def _unbuilt(self, path: KeyPath, node: Node, reason: str) -> None:
        self._loaded.unbuilt.add(path)
        self._wrong(path, node, reason)

    def _wrong(self, path: KeyPath, node: Node, reason: str) -> None:
        line, column = self._at(node)
        self._loaded.problems.append(Problem(self._loaded.source, line, column, dotted(path), reason))

    @staticmethod
    def _at(node: Node) -> tuple[int, int]:
        return node.start_mark.line + 1, node.start_mark.column + 1
