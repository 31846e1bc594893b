"""The document to the bytes of the page, by a template that escapes all that it is given."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from booksynth.page import cards, charts, wording
from booksynth.page.model import Document, checked

if TYPE_CHECKING:
    from jinja2 import Template

# Named one by one: what is named here is part of the fingerprint of the phase, so that a changed page is made anew.
_HERE = Path(__file__).parent
_CHARTS = _HERE / "charts_css" / "charts.min.css"
_STYLE = _HERE / "report.css"
_SCRIPT = _HERE / "report.js"
_TEMPLATES = {"report.html.j2": _HERE / "report.html.j2", "parts.html.j2": _HERE / "parts.html.j2"}

# A bar's length is a class, so that the page needs no style attribute and the policy can refuse all of them.
_LENGTHS = "".join(f".p{n}{{--size:{n / 100:g}}}" for n in range(101))


def render(document: Mapping[str, Any]) -> str:
    """Return ``report.html`` of a consolidated document; equal documents give equal pages.

    Raises:
        NotADocumentError: The document has another form.
    """
    return page_of(checked(document))


def page_of(document: Document) -> str:
    """Return the page of a document that is checked."""
    shown = cards.cards(document)
    style = _CHARTS.read_text(encoding="utf-8") + _LENGTHS + _STYLE.read_text(encoding="utf-8")
    script = _SCRIPT.read_text(encoding="utf-8")
    return _template().render(
        document=document,
        cards=shown,
        charts=charts,
        titles=list(dict.fromkeys(book.title for book in document.books)),
        used={title for one in document.recommendations for title in one.books},
        several=sum(one.book_count > 1 for one in document.recommendations),
        contested=sum(card.is_contested for card in shown),
        unused={one.file for one in document.files_not_used},
        style=style,
        script=script,
        policy=_policy(style, script),
    )


def _policy(style: str, script: str) -> str:
    """Return a policy that lets this style and this script in, by digest, and nothing from anywhere else."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _template() -> Template:
    from jinja2 import DictLoader, Environment, StrictUndefined

    page = Environment(
        autoescape=True,
        finalize=_finalized,
        loader=DictLoader({name: path.read_text(encoding="utf-8") for name, path in _TEMPLATES.items()}),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    page.filters.update(
        counted=wording.counted,
        iterations=wording.iterations,
        number=wording.number,
        priority_class=wording.priority_class,
        priority_word=wording.priority_word,
        share=wording.share,
        votes=wording.votes,
    )
    return page.get_template("report.html.j2")


def _finalized(value: Any) -> Any:
    """Make every text that a template puts out harmless to read, wherever it comes from."""
    return wording.shown(value) if type(value) is str else value
