"""Tells statements that change nothing about a result: logging, and what only the type checker reads."""

from __future__ import annotations

import ast
from collections.abc import Callable

from milepost.fingerprint.scopes import Chain, chain_of

LoggerTest = Callable[[Chain], bool | None]
"""Tells whether a chain of names is a logger; None if nothing is known of it."""

_METHODS = frozenset({
    *("critical", "debug", "error", "exception", "fatal", "info", "log", "warn", "warning"),
    *("success", "trace"),  # of structlog and loguru
})  # fmt: skip
_NAMES = frozenset({"log", "logger"})
_MAKERS = frozenset({"getLogger", "get_logger"})
_PLAIN_BASES = frozenset({"ABC", "Exception", "Generic", "Protocol", "object"})
_QUIET = (
    *(ast.Attribute, ast.BoolOp, ast.Compare, ast.Constant, ast.Name, ast.UnaryOp),
    *(ast.boolop, ast.cmpop, ast.expr_context, ast.unaryop),
)
_SPEAKING = (ast.Await, ast.NamedExpr, ast.Yield, ast.YieldFrom)


def is_logging(node: ast.expr, is_logger: LoggerTest) -> bool:
    """Tell whether an expression, standing alone as a statement, does nothing but log.

    What is known of the name decides; where nothing is known (a local variable, an attribute of ``self``) the name
    itself does: ``log`` and ``logger``. A call that also assigns, awaits or yields does more.
    """
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    base = node.func.value
    chain = _peeled(base)
    if chain is None or any(isinstance(inner, _SPEAKING) for inner in ast.walk(node)):
        return False
    if chain[0] == "logging" and is_logger(chain[:1]) is not False:
        return node.func.attr in _METHODS or chain == ("logging",)
    if node.func.attr not in _METHODS:
        return False
    known = is_logger(chain)
    return chain[-1].strip("_").lower() in _NAMES if known is None else known


def declares_phase(decorator: ast.expr, is_logger: LoggerTest) -> bool:
    """Tell whether a decorator is a workflow's declaration, which says when and how a body runs, not what it does.

    Where nothing is known of the workflow's name (it is local to a function around), ``….phase`` itself decides.
    """
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    if not isinstance(called, ast.Attribute) or called.attr != "phase":
        return False
    chain = chain_of(called.value)
    return chain is not None and is_logger(chain) is not False


def makes_logger(node: ast.expr) -> bool:
    """Tell whether an assigned value is a new logger."""
    chain = chain_of(node.func) if isinstance(node, ast.Call) else None
    return chain is not None and chain[-1] in _MAKERS


def only_reads(test: ast.expr, is_logger: LoggerTest) -> bool:
    """Tell whether a condition calls nothing but a logger's own question whether it is enabled."""
    if isinstance(test, ast.Call) and isinstance(test.func, ast.Attribute) and test.func.attr == "isEnabledFor":
        chain = _peeled(test.func.value)
        return chain is not None and is_logger(chain) is not False
    return all(isinstance(node, _QUIET) for node in ast.walk(test))


def is_type_checking(test: ast.expr) -> bool:
    """Tell whether a condition holds for type checkers only."""
    return (chain_of(test) or ("",))[-1] == "TYPE_CHECKING"


def reads_hints(owner: ast.ClassDef) -> bool:
    """Tell whether somebody may read the annotations of a class as fields: its decorators, its bases or a keyword."""
    bases = [base.value if isinstance(base, ast.Subscript) else base for base in owner.bases]
    names = {(chain_of(base) or ("?",))[-1] for base in bases}
    return bool(owner.decorator_list or owner.keywords) or not names <= _PLAIN_BASES


def _peeled(node: ast.expr) -> Chain | None:
    """Return the chain that a logger is made from: ``log`` of ``log.bind(book=1)``."""
    while True:
        chain = chain_of(node)
        if chain is not None:
            return chain
        if isinstance(node, ast.Call):
            node = node.func
            made_of = chain_of(node)
            if made_of is not None and len(made_of) > 1:
                return made_of[:-1]
        elif isinstance(node, ast.Attribute):
            node = node.value
        else:
            return None
