"""Reads a piece of Python: what it says, without what does not count, and what it names outside itself.

What it says is written as a text of our own. `ast.dump` and `ast.unparse` have both changed their output between
versions of Python; this text leaves out empty fields and whatever versions have added to nodes for other purposes.
Only syntax: what a name stands for is for the caller to look up.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from milepost.fingerprint import quiet
from milepost.fingerprint.fileuses import FileUse, Use, looks_like_file, use_by_call, use_by_name
from milepost.fingerprint.imports import Imported, imported
from milepost.fingerprint.scopes import Chain, bound_by_body, bound_by_function, chain_of, targets_of

_LEFT_OUT = frozenset(
    {"annotation", "ctx", "kind", "lineno", "returns", "simple", "type_comment", "type_ignores", "type_params"}
)
_CHANGERS = frozenset({
    *("add", "append", "appendleft", "clear", "discard", "extend", "insert", "move_to_end", "pop", "popitem"),
    *("popleft", "remove", "setdefault", "update"),
})  # fmt: skip


class Reading(NamedTuple):
    """What a piece of code says (*text*), and what it names: see the fields of `_Reader`."""

    text: str
    chains: frozenset[Chain]
    imports: tuple[Imported, ...]
    files: tuple[FileUse, ...]
    assigned: dict[str, ast.expr]
    written: frozenset[Chain]
    loaded: frozenset[Chain]
    changed: frozenset[str]
    changed_within: frozenset[str]


def read(nodes: Sequence[ast.stmt | ast.expr], is_logger: quiet.LoggerTest) -> Reading:
    """Read statements or expressions.

    Args:
        nodes: what to read, as one text.
        is_logger: tells what is known of a global name: a logger, none, or nothing known (None).

    Returns:
        What was read.
    """
    reader = _Reader(is_logger)
    reader.read(nodes)
    return Reading(
        "".join(reader.out),
        frozenset(reader.chains),
        tuple(reader.imports),
        tuple(reader.files),
        reader.assigned,
        frozenset(reader.written),
        frozenset(reader.loaded),
        frozenset(reader.changed),
        frozenset(reader.changed_within),
    )


class _Reader:
    def __init__(self, is_logger: quiet.LoggerTest) -> None:
        self.out: list[str] = []
        self.chains: set[Chain] = set()  # names from outside, with the attributes asked of them
        self.imports: list[Imported] = []  # made within the code itself
        self.files: list[FileUse] = []
        self.assigned: dict[str, ast.expr] = {}  # what variables were assigned, the last value of each
        self.written: set[Chain] = set()  # names that stand where a file is written
        self.loaded: set[Chain] = set()  # names that stand where a file is read
        self.changed: set[str] = set()  # names whose value the code itself changes
        self.changed_within: set[str] = set()  # those changed in a function within a function
        self._functions = 0
        self._is_logger = is_logger
        self._loggers: set[str] = set()  # variables and attributes that the code itself made loggers
        self._scopes: list[tuple[bool, frozenset[str]]] = []  # whether it is a class's, and the names bound
        self._use: Use = "unknown"
        self._targets: tuple[str, ...] = ()
        self._special: dict[type, Callable[..., None]] = {
            ast.AnnAssign: self._annotated,
            ast.Assign: self._assign,
            ast.AsyncFunctionDef: self._function,
            ast.Attribute: self._attribute,
            ast.AugAssign: self._augmented,
            ast.BinOp: self._operation,
            ast.Call: self._call,
            ast.ClassDef: self._class,
            ast.Constant: self._constant,
            ast.DictComp: self._comprehension,
            ast.FunctionDef: self._function,
            ast.GeneratorExp: self._comprehension,
            ast.Global: self._elsewhere,
            ast.JoinedStr: self._joined,
            ast.Lambda: self._function,
            ast.ListComp: self._comprehension,
            ast.Name: self._name,
            ast.Nonlocal: self._elsewhere,
            ast.SetComp: self._comprehension,
            ast.Subscript: self._subscript,
        }

    def read(self, nodes: Sequence[ast.stmt | ast.expr]) -> None:
        for node in nodes:
            if isinstance(node, ast.stmt):
                self._body([node])
            else:
                self._node(node)

    def _node(self, node: ast.AST) -> None:
        special = self._special.get(type(node))
        if special is None:
            self._fields(node)
        else:
            special(node)

    def _fields(self, node: ast.AST, *without: str) -> None:
        self.out.append(type(node).__name__)
        self.out.append("(")
        for field in node._fields:
            content = getattr(node, field, None)
            if content is None or content == [] or field in _LEFT_OUT or field in without:
                continue
            self.out.append(f"{field}=")
            self._content(content)
            self.out.append(" ")
        self.out.append(")")

    def _content(self, content: object) -> None:
        if isinstance(content, ast.AST):
            self._node(content)
        elif not isinstance(content, list):
            self.out.append(ascii(content))
        elif isinstance(content[0], ast.stmt):
            self._body(content)
        else:
            self.out.append("[")
            for item in content:
                self._content(item)
                self.out.append(",")
            self.out.append("]")

    # --- statements ---

    def _body(self, body: list[ast.stmt], *, in_class: ast.ClassDef | None = None) -> None:
        """Write those statements that count; a body of which nothing is left is as good as ``pass``."""
        self.out.append("{")
        self._statements(body, in_class)
        self.out.append("}")

    def _statements(self, body: list[ast.stmt], in_class: ast.ClassDef | None) -> None:
        for node in body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.imports.extend(imported(node))
            elif isinstance(node, ast.If) and quiet.is_type_checking(node.test):
                self._statements(node.orelse, in_class)
            elif isinstance(node, ast.AnnAssign) and in_class is not None and quiet.reads_hints(in_class):
                self._field(node)
            elif not self._does_nothing(node):
                self._node(node)
                self.out.append(";")

    def _does_nothing(self, node: ast.stmt) -> bool:
        """Tell whether a statement has no say in a result: also a condition that only decides whether to log."""
        if isinstance(node, ast.If):
            within = [*node.body, *node.orelse]
            return all(map(self._does_nothing, within)) and quiet.only_reads(node.test, self._knows_logger)
        if isinstance(node, ast.Pass) or (isinstance(node, ast.AnnAssign) and node.value is None):
            return True
        if isinstance(node, ast.Assign) and quiet.makes_logger(node.value):
            self._loggers.update(chain[-1] for chain in map(chain_of, node.targets) if chain)
            return True
        if not isinstance(node, ast.Expr):
            return False
        return isinstance(node.value, ast.Constant) or quiet.is_logging(node.value, self._knows_logger)

    def _knows_logger(self, chain: Chain) -> bool | None:
        if not self._is_bound(chain[0]):
            return self._is_logger(chain)
        return True if chain[-1] in self._loggers else None

    def _field(self, node: ast.AnnAssign) -> None:
        self.out.append("Field(")
        for part in (node.target, node.annotation, node.value):
            if part is not None:
                self._node(part)
                self.out.append(",")
        self.out.append(");")

    def _assign(self, node: ast.Assign) -> None:
        self._assignment(node.targets, node.value)

    def _annotated(self, node: ast.AnnAssign) -> None:
        assert node.value is not None
        self._assignment([node.target], node.value)

    def _assignment(self, targets: list[ast.expr], value: ast.expr) -> None:
        self.out.append("Assign([")
        for target in targets:
            self._change(target)
            self._node(target)
            self.out.append(",")
        self.out.append("]=")
        names = tuple(target.id for target in targets if isinstance(target, ast.Name))
        self.assigned.update(dict.fromkeys(names, value))
        uses = {use_by_name(name) for name in names}
        with self._using("write" if "write" in uses else "read" if "read" in uses else "unknown", names):
            self._node(value)
        self.out.append(")")

    def _augmented(self, node: ast.AugAssign) -> None:
        self._change(node.target)
        if isinstance(node.target, ast.Name):
            self._outside((node.target.id,))
        self._fields(node)

    def _elsewhere(self, node: ast.Global | ast.Nonlocal) -> None:
        for name in node.names:
            self._changes(name)
        self.out.append(f"{type(node).__name__}({sorted(node.names)})")

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        self.out.append(f"{type(node).__name__}({getattr(node, 'name', '')} ")
        for decorator in getattr(node, "decorator_list", []):
            if quiet.declares_phase(decorator, self._is_logger):
                continue
            self.out.append("@")
            self._node(decorator)
        self._fields(node.args)
        self._functions += 1
        with self._scope(bound_by_function(node)):
            if isinstance(node.body, list):
                self._body(node.body)
            else:
                self._node(node.body)
        self._functions -= 1
        self.out.append(")")

    def _class(self, node: ast.ClassDef) -> None:
        self._fields(node, "body")
        with self._scope(bound_by_body(node.body), is_class=True):
            self._body(node.body, in_class=node)

    # --- expressions ---

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        with self._scope(targets_of(node.generators)):
            self._fields(node)

    def _constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, int) and not isinstance(value, bool):
            self.out.append(f"int:{value:x}")  # Python limits the digits of decimal text
            return
        self.out.append(f"{type(value).__name__}:{value!a}")
        if isinstance(value, str) and looks_like_file(value):
            self._file(node)

    def _joined(self, node: ast.JoinedStr) -> None:
        """Write an f-string; how its literal text is cut into pieces differs between versions of Python."""
        self.out.append("JoinedStr(")
        text = ""
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += str(part.value)
            else:
                self.out.append(f"{text!a}+")
                text = ""
                self._node(part)
        self.out.append(f"{text!a})")

    def _name(self, node: ast.Name) -> None:
        self.out.append(f"Name:{node.id}")
        if isinstance(node.ctx, ast.Load):
            self._outside((node.id,))

    def _attribute(self, node: ast.Attribute) -> None:
        chain = chain_of(node)
        if chain is None:
            self._fields(node)
            return
        self.out.append(f"Name:{'.'.join(chain)}")
        self._outside(chain)

    def _outside(self, chain: Chain) -> None:
        if not self._is_bound(chain[0]):
            self.chains.add(chain)
        if self._use != "unknown":
            (self.written if self._use == "write" else self.loaded).add(chain)

    def _subscript(self, node: ast.Subscript) -> None:
        self._change(node)
        self._fields(node)

    def _change(self, target: ast.expr) -> None:
        """Note the name whose value an assignment to *target* changes."""
        if not isinstance(getattr(target, "ctx", None), ast.Load):
            while isinstance(target, ast.Subscript | ast.Attribute):
                target = target.value
                if isinstance(target, ast.Name):
                    self._changes(target.id)

    def _changes(self, name: str) -> None:
        self.changed.add(name)
        if self._functions > 1:
            self.changed_within.add(name)

    def _operation(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Div):
            self._file(node)
        self._fields(node)

    def _call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute):
            if node.func.attr in _CHANGERS and (chain := chain_of(node.func.value)):
                self._changes(chain[0])
            if node.func.attr in {"join", "joinpath", "with_name"}:
                self._file(node)
        with self._using(use_by_call(node, self._use), self._targets):
            self._fields(node)

    def _file(self, node: ast.expr) -> None:
        self.files.append(FileUse(node, self._use, self._targets))

    # --- where we are ---

    def _is_bound(self, name: str) -> bool:
        last = len(self._scopes) - 1
        return any(
            name in names and (not is_class or position == last)  # methods do not see the names of their class
            for position, (is_class, names) in enumerate(self._scopes)
        )

    @contextmanager
    def _scope(self, names: frozenset[str], *, is_class: bool = False) -> Iterator[None]:
        self._scopes.append((is_class, names))
        yield
        self._scopes.pop()

    @contextmanager
    def _using(self, use: Use, targets: tuple[str, ...]) -> Iterator[None]:
        before = self._use, self._targets
        self._use, self._targets = use, targets
        yield
        self._use, self._targets = before
