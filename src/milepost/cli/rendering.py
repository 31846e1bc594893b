"""How documents from the store are shown: JSON, coloured where it helps, and the part of it that a query names."""

from __future__ import annotations

import json
import os
import secrets
import sys
from typing import Any

import typer
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.table import Table
from rich.text import Text

from milepost.cli.common import escaped, json_text
from milepost.errors import InvalidArgument

_LARGEST_EXACT = 2**53
_UNCUT = 2_000  # columns; more than a table of ours has
_MOST_COLOURED = 200_000  # characters; beyond that colours take longer than they help


def selected(document: Any, query: str | None) -> list[Any]:
    """Return what a query in jq's language gives of *document*; the document itself where there is none.

    Raises:
        InvalidArgument: The query is not one, or does not fit the document.
    """
    if query is None:
        return [document]
    import jq  # type: ignore[import-not-found]  # it comes without types

    mark = secrets.token_hex(8)
    text = json.dumps(_exact(document, mark), ensure_ascii=False)
    try:
        found: list[Any] = jq.compile(query).input_text(text).all()
    except ValueError as error:
        reason = " ".join(str(error).split())[:300]
        raise InvalidArgument(f"query {query!r}: {reason}") from None
    return [_restored(one, mark) for one in found]


def _exact(value: Any, mark: str) -> Any:
    """Return *value* with each integer that jq, which counts in doubles, would round in a form that it hands on."""
    if type(value) is int and abs(value) > _LARGEST_EXACT:
        return f"{mark}{value}"
    if isinstance(value, dict):
        return {key: _exact(one, mark) for key, one in value.items()}
    return [_exact(one, mark) for one in value] if isinstance(value, list) else value


def _restored(value: Any, mark: str) -> Any:
    if isinstance(value, str) and value.startswith(mark):
        return int(value.removeprefix(mark))
    if isinstance(value, dict):
        return {key: _restored(one, mark) for key, one in value.items()}
    return [_restored(one, mark) for one in value] if isinstance(value, list) else value


def show_json(documents: list[Any], *, plain: bool) -> None:
    """Print documents: coloured for a person at a terminal that has colours, else plain JSON."""
    console = Console()
    for document in documents:
        text = json_text(document)
        if plain or not console.is_terminal or console.no_color or len(text) > _MOST_COLOURED:
            typer.echo(text)
        else:
            shown = Text(text)
            JSONHighlighter().highlight(shown)
            console.print(shown, soft_wrap=True)


def short(value: Any, most: int = 60) -> str:
    """Return a value on one line, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return escaped(text if len(text) <= most else text[: most - 1] + "…").replace("\n", "\\n")


def table_console() -> Console:
    """Return a console for tables: as wide as the terminal, and where there is none, so wide that nothing is cut."""
    is_bounded = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if is_bounded else _UNCUT)


def table_of(*columns: str) -> Table:
    """Return an empty table of two columns of words and others of numbers.

    Where room is short the first, which has names of any length, is folded; else it would crowd the others out.
    """
    table = Table(box=None, header_style="bold", pad_edge=False)
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if place < 2 else "right", no_wrap=place > 0, overflow="fold")
    return table
