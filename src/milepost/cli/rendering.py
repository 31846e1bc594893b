"""How documents from the store are shown: JSON, coloured where it helps, and the part of it that a query names."""

from __future__ import annotations

import json
from typing import Any

import typer
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.text import Text

from milepost.cli.common import escaped, json_text
from milepost.errors import InvalidArgument

_MOST_COLOURED = 200_000  # characters; beyond that colours take longer than they help


def selected(document: Any, query: str | None) -> list[Any]:
    """Return what a query in jq's language gives of *document*; the document itself where there is none.

    Raises:
        InvalidArgument: The query is not one, or does not fit the document.
    """
    if query is None:
        return [document]
    import jq  # type: ignore[import-not-found]  # it comes without types

    try:
        found: list[Any] = jq.compile(query).input_text(json.dumps(document, ensure_ascii=False)).all()
    except ValueError as error:
        reason = " ".join(str(error).split())[:300]
        raise InvalidArgument(f"query {query!r}: {reason}") from None
    return found


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
