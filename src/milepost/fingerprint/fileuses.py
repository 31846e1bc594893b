"""Where code names a file, and whether it reads or writes it. Only syntax; nothing is opened here."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from os import path as os_path
from typing import Literal, NamedTuple

from milepost.fingerprint.scopes import Chain, chain_of

Use = Literal["read", "write", "unknown"]

_FILE_NAME = re.compile(r"[^\n\r\0*?<>|{}]{0,240}[^\n\r\0*?<>|{}/\\.]\.[A-Za-z][A-Za-z0-9_]{0,9}")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_WRITE_METHODS = frozenset({"mkdir", "rename", "replace", "rmdir", "touch", "unlink", "write_bytes", "write_text"})
_READ_METHODS = frozenset({"read_bytes", "read_text"})
_WRITE_WORDS = frozenset({
    *("append", "cache", "checkpoint", "dest", "destination", "dump", "export", "log", "out", "output", "outputs"),
    *("report", "result", "results", "save", "store", "target", "temp", "temporary", "tmp", "write"),
})  # fmt: skip
_READ_WORDS = frozenset({"load", "prompt", "read", "template"})
_SAME_PATH = frozenset({
    *("Path", "PosixPath", "PurePath", "PurePosixPath", "abspath", "absolute", "as_posix", "expanduser", "fspath"),
    *("join", "joinpath", "realpath", "resolve", "str", "with_name"),
})  # fmt: skip
_READ_SUFFIXES = frozenset({
    *(".cfg", ".ini", ".j2", ".jinja", ".jinja2", ".md", ".mustache", ".prompt", ".rst", ".sql", ".tmpl", ".toml"),
    *(".txt", ".xml", ".xsd", ".yaml", ".yml"),
})  # fmt: skip


class FileUse(NamedTuple):
    """An expression that may name a file, what is done with it, and the variables it is assigned to."""

    node: ast.expr
    use: Use
    targets: tuple[str, ...]


def looks_like_file(text: str) -> bool:
    """Tell whether *text* looks like the path of a file: one line that ends with a suffix, and no address."""
    return _FILE_NAME.fullmatch(text) is not None and "://" not in text


def counts_unread(path: str) -> bool:
    """Tell whether a file that is only named counts: prompts, templates and settings do, data may be a result."""
    return os_path.splitext(path)[1].lower() in _READ_SUFFIXES


def use_by_call(call: ast.Call, around: Use) -> Use:
    """Return what *call* does with the paths in it; *around* is what is done with its result."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in _SAME_PATH:
        return around
    if name == "open":
        return _use_by_mode(call)
    if name in _WRITE_METHODS:
        return "write"
    return "read" if name in _READ_METHODS else use_by_name(name)


def use_by_name(name: str) -> Use:
    """Return what the name of a function or variable says about the file it is for."""
    words = {word.lower() for word in _WORD.findall(name)}
    if not words.isdisjoint(_WRITE_WORDS):
        return "write"
    return "unknown" if words.isdisjoint(_READ_WORDS) else "read"


def _use_by_mode(call: ast.Call) -> Use:
    position = 0 if isinstance(call.func, ast.Attribute) and chain_of(call.func) != ("io", "open") else 1
    modes = [*call.args[position : position + 1], *(word.value for word in call.keywords if word.arg == "mode")]
    written = any(isinstance(mode, ast.Constant) and set(str(mode.value)) & set("wax+") for mode in modes)
    return "write" if written else "read"


def path_of(
    node: ast.expr, look_up: Callable[[Chain], str | None], assigned: dict[str, ast.expr], *, steps: int = 30
) -> str | None:
    """Return the path that an expression names, as far as it can be told without running it.

    Args:
        node: a literal, a name, or paths joined by ``/``, ``join``, ``joinpath``, ``with_name`` and ``parent``.
        look_up: gives the path that a global name or attribute holds.
        assigned: what local variables were assigned.
        steps: how deep to look, at most.

    Returns:
        The path, relative where the expression says so; None if it depends on more.
    """
    if steps == 0:
        return None

    def inner(part: ast.expr) -> str | None:
        return path_of(part, look_up, assigned, steps=steps - 1)

    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name) and node.id in assigned:
        return inner(assigned[node.id])
    if isinstance(node, ast.Attribute) and node.attr == "parent":
        return _parent(inner(node.value))
    if isinstance(node, ast.Name | ast.Attribute):
        chain = chain_of(node)
        return None if chain is None else look_up(chain)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _joined([inner(node.left), inner(node.right)])
    return _path_of_call(node, inner) if isinstance(node, ast.Call) else None


def _path_of_call(call: ast.Call, inner: Callable[[ast.expr], str | None]) -> str | None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    paths = [inner(argument) for argument in call.args]
    if name == "dirname" and len(paths) == 1:
        return _parent(paths[0])
    if isinstance(call.func, ast.Attribute) and (chain_of(call.func) or ("",))[0] not in {"os", "pathlib"}:
        base = inner(call.func.value)
        if name == "with_name":
            return _joined([_parent(base), *paths])
        return _joined([base, *paths]) if name in _SAME_PATH else None
    return _joined(paths) if name in _SAME_PATH and paths else None


def _parent(path: str | None) -> str | None:
    return None if path is None else os_path.dirname(path)


def _joined(paths: list[str | None]) -> str | None:
    known = [path for path in paths if path is not None]
    return os_path.join(*known) if known and len(known) == len(paths) else None
