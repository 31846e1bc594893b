"""Which names a piece of Python binds itself, so that the others are known to come from outside. Only syntax."""

from __future__ import annotations

import ast
from collections.abc import Iterator

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

Chain = tuple[str, ...]
"""``a.b.c`` as its names."""


def chain_of(node: ast.AST) -> Chain | None:
    """Return the names of a chain of attributes that begins with a name, or None for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else None


def bound_by_function(node: FunctionNode) -> frozenset[str]:
    """Return the local names of a function: its arguments and whatever its own body binds."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    names = frozenset(argument.arg for argument in every)
    return names | bound_by_body(node.body if isinstance(node.body, list) else [node.body])


def bound_by_body(body: list[ast.stmt] | list[ast.expr]) -> frozenset[str]:
    """Return the names that statements bind in their own scope, those declared ``global`` or ``nonlocal`` left out."""
    names: set[str] = set()
    elsewhere: set[str] = set()
    for node in own_nodes(body):
        if isinstance(node, ast.Global | ast.Nonlocal):
            elsewhere.update(node.names)
        else:
            names.update(_bound(node))
    return frozenset(names - elsewhere)


def targets_of(generators: list[ast.comprehension]) -> frozenset[str]:
    """Return the names that the ``for`` clauses of a comprehension bind."""
    return frozenset(
        node.id for generator in generators for node in ast.walk(generator.target) if isinstance(node, ast.Name)
    )


def own_nodes(body: list[ast.stmt] | list[ast.expr]) -> Iterator[ast.AST]:
    """Yield the nodes of *body* that belong to its own scope; of a nested one only the node itself."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, _Definition):
            waiting += node.decorator_list
        elif isinstance(node, _Comprehension):
            # Its targets are its own; only what it assigns with `:=` is the function's.
            waiting += [inner for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr)]
        elif not isinstance(node, ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Load):
            yield node.id
    elif isinstance(node, _Definition):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0]
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        if node.name is not None:
            yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest is not None:
        yield node.rest
