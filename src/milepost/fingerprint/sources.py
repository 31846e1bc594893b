"""The source of running code: parsed once, and used only if it still is what was compiled."""

from __future__ import annotations

import ast
import linecache
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import takewhile
from types import CodeType
from typing import Any

from milepost.fingerprint.imports import Imported, imported
from milepost.fingerprint.scopes import own_nodes

Assignment = ast.Assign | ast.AnnAssign | ast.AugAssign
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_MOST_SOURCES = 512
_FUTURE_FLAGS = 0x1FE0000  # the compiler flags of `from __future__` imports, as code objects carry them

_parsed: dict[str, Source] = {}


class Source:
    """One file of Python: its tree, and what its own level binds."""

    def __init__(self, filename: str, lines: list[str]) -> None:
        """Parse *lines*. Raises SyntaxError or ValueError."""
        self.filename = filename
        self.lines = lines
        self.text = "".join(lines)
        self.tree = ast.parse(self.text)
        self._ends = [statement.end_lineno or 0 for statement in self.tree.body]
        self._compiled: dict[tuple[int, int], list[CodeType]] = {}

    @cached_property
    def imports(self) -> dict[str, Imported]:
        """What import statements at the level of the module bind."""
        return {one.bound: one for statement in self._import_statements for one in imported(statement)}

    @cached_property
    def assigned(self) -> dict[str, list[Assignment]]:
        """The statements at the level of the module that assign a name."""
        found: dict[str, list[Assignment]] = {}
        for node in self._level:
            if not isinstance(node, Assignment) or node.value is None:
                continue
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for name in ast.walk(target):
                    if isinstance(name, ast.Name) and not isinstance(name.ctx, ast.Load):
                        found.setdefault(name.id, []).append(node)
        return {name: sorted(nodes, key=lambda node: node.lineno) for name, nodes in found.items()}

    @cached_property
    def rebound(self) -> frozenset[str]:
        """The names that some function declares ``global``, and may therefore change while the program runs."""
        if "global " not in self.text:
            return frozenset()
        return frozenset(name for node in ast.walk(self.tree) if isinstance(node, ast.Global) for name in node.names)

    @cached_property
    def _import_statements(self) -> list[ast.Import | ast.ImportFrom]:
        """The import statements at the level of the module, as they stand one behind the other."""
        found = [node for node in self._level if isinstance(node, ast.Import | ast.ImportFrom)]
        ordered = sorted(found, key=lambda node: node.lineno)
        return [node for node in ordered if not isinstance(node, ast.ImportFrom) or node.module != "__future__"]

    @cached_property
    def _level(self) -> list[ast.AST]:
        return list(own_nodes(self.tree.body))

    def functions(self, code: CodeType) -> list[ast.stmt | ast.expr]:
        """Return where *code* was compiled from; nothing if the file no longer says what is running.

        Several lambdas on one line are all returned: which of them it is cannot be told.
        """
        for statement in self.statements(code):
            if not any(_same(code, one) for one in self._codes(statement, code)):
                continue
            around = _around(statement, code.co_firstlineno)
            if code.co_name == "<lambda>":
                return [node for node in around if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno]
            return [
                node
                for node in around
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                and node.name == code.co_name
                and _start(node) == code.co_firstlineno
            ]
        return []

    def statements(self, code: CodeType) -> list[ast.stmt]:
        """Return the statements at the level of the module that *code* may stand in: more than one with semicolons."""
        first = bisect_left(self._ends, code.co_firstlineno)
        return list(takewhile(lambda one: _start(one) <= code.co_firstlineno, self.tree.body[first:]))

    def classes(self, qualname: str, lines: list[int]) -> list[ast.stmt]:
        """Return the definitions of a class; *lines*, where methods of it begin, choose among several."""
        found: list[ast.stmt] = list(_classes(self.tree.body, qualname.replace(".<locals>", "").split(".")))
        holding = [node for node in found if any(node.lineno <= line <= (node.end_lineno or 0) for line in lines)]
        return holding or found

    def _codes(self, statement: ast.stmt, code: CodeType) -> list[CodeType]:
        flags = code.co_flags & _FUTURE_FLAGS
        key = statement.lineno, flags
        if key not in self._compiled:
            # Which names are modules decides how the compiler writes a call of their attributes.
            module = ast.Module([*self._import_statements, statement], [])
            whole = compile(module, self.filename, "exec", flags=flags, dont_inherit=True)
            self._compiled[key] = list(_nested(whole))
        return self._compiled[key]


def source_of(filename: str, module: Mapping[str, Any]) -> Source | None:
    """Return the source in *filename*, or None if there is none to be had or it is no Python of this version.

    Args:
        filename: as a code object names it; also of a notebook's cell, or within a zip archive.
        module: the global names of the module, whose loader may know the source.

    Returns:
        The parsed source; the same object while the file does not change.
    """
    linecache.checkcache(filename)
    lines = linecache.getlines(filename, module if isinstance(module, dict) else dict(module))
    known = _parsed.get(filename)
    if known is not None and known.lines is lines:  # as long as the file is the same, so is the list
        return known
    if not lines:
        return None
    try:
        source = Source(filename, lines)
    except (SyntaxError, ValueError):  # it is being edited: what runs is something else
        return None
    if len(_parsed) >= _MOST_SOURCES:
        _parsed.clear()
    _parsed[filename] = source
    return source


def _start(node: ast.stmt) -> int:
    """Return the line that code objects call their first: that of the first decorator."""
    decorators = node.decorator_list if isinstance(node, _Definition) else []
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _around(node: ast.AST, line: int) -> Iterator[ast.AST]:
    """Yield the nodes under *node* that could begin at *line*: those around it are gone through, others are not."""
    yield node
    for inner in ast.iter_child_nodes(node):
        first = _start(inner) if isinstance(inner, ast.stmt) else getattr(inner, "lineno", line)
        last = getattr(inner, "end_lineno", None)
        if first <= line and (last is None or line <= last):
            yield from _around(inner, line)


def _classes(body: list[ast.stmt], path: list[str]) -> Iterator[ast.ClassDef]:
    for node in own_nodes(body):
        if not isinstance(node, _Definition) or node.name != path[0]:
            continue
        if len(path) > 1:
            yield from _classes(node.body, path[1:])
        elif isinstance(node, ast.ClassDef):
            yield node


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _same(one: CodeType, other: CodeType) -> bool:
    return (
        one.co_qualname == other.co_qualname
        and one.co_firstlineno == other.co_firstlineno
        and one.co_code == other.co_code
        and one.co_names == other.co_names
        and one.co_varnames == other.co_varnames
        and len(one.co_consts) == len(other.co_consts)
        and all(map(_same_constant, one.co_consts, other.co_consts))
    )


def _same_constant(one: object, other: object) -> bool:
    if isinstance(one, CodeType) and isinstance(other, CodeType):
        return _same(one, other)
    return type(one) is type(other) and (one == other or repr(one) == repr(other))
