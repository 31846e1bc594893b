"""What import statements bind. Only syntax; nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple


class Imported(NamedTuple):
    """One name that an import statement binds: *name* is None where it is the *module* itself."""

    bound: str
    module: str
    level: int
    name: str | None


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[Imported]:
    """Yield what an import statement binds."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            yield Imported(alias.asname or alias.name, node.module or "", node.level, alias.name)
        elif alias.asname:
            yield Imported(alias.asname, alias.name, 0, None)
        else:
            yield Imported(alias.name.partition(".")[0], alias.name, 0, None)
