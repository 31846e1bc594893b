"""A drill's report: as text, Markdown, JSON, or a page of HTML that stands by itself."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from milepost.drill.outcomes import Difference, Report, Verdict
from milepost.errors import InvalidArgument, MissingExtra
from milepost.stores import write_durably

FORMATS = (".html", ".md", ".json")
_MOST_SAID_LINES = 12
_LONGEST_LINE = 400
_MOST_NAMES = 12
_MOST_AMBIGUOUS = 10
_MARKDOWN = re.compile(r"([\\`*_\[\]<>&|#])")


def headline(report: Report) -> str:
    """Return the verdict in one line."""
    if report.verdict is Verdict.FAILED:
        return f"nothing is proved: {shown(report.problem)}"
    if report.verdict is Verdict.DIFFERENT:
        return "DIFFERENT: the resumed job is not the undisturbed one"
    return "IDENTICAL: every resumed run gave what the undisturbed one gives"


def facts(report: Report) -> list[tuple[str, str]]:
    """Return what was done, as names and texts."""
    how = f"random, seed {report.seed}" if report.seed is not None else "in the order of commits"
    found = [
        ("command", shown(report.command)),
        ("folder", shown(report.folder)),
        ("undisturbed", f"{report.usual_seconds:.2f} s, {count(report.commits, 'commit')}"),
        ("observed", f"{count(report.items, 'item')}, {count(report.calls, 'paid call')}"),
        ("compared", shown(_names(report.compared))),
    ]
    if report.planned:
        found += [
            ("experiments", f"{report.tried} of {report.planned}, {how}; {count(report.attempts, 'run')}"),
            ("faults", ", ".join(report.faults)),
        ]
    return [*found, ("time", f"{report.seconds:.1f} s")]


def as_text(report: Report) -> str:
    """Return the report for a terminal; what the job or its files said is escaped and cut."""
    lines = [headline(report), ""]
    lines += [f"  {name:12}{text}" for name, text in facts(report)]
    for difference in report.differences:
        lines += ["", f"{_where(difference)}:", *(f"  {shown(text)}" for text in difference.texts)]
        lines += _said_lines(difference.said)
        lines += ["  to see it again:", f"    {shown(difference.reproduce)}"]
    lines += _said_lines(report.said)
    if report.ambiguous:
        lines += ["", "Nobody can know whether these were answered; a provider that honours the id bills them once:"]
        lines += [f"  {shown(text)}" for text in report.ambiguous[:_MOST_AMBIGUOUS]]
        if report.ambiguous[_MOST_AMBIGUOUS:]:
            lines.append(f"  and {len(report.ambiguous) - _MOST_AMBIGUOUS} more")
    if report.notes:
        lines += ["", *(f"note: {shown(text)}" for text in report.notes)]
    return "\n".join(lines) + "\n"


def as_document(report: Report) -> dict[str, Any]:
    """Return the report as plain JSON values; what jobs said is cut."""
    document = asdict(report) | {"verdict": str(report.verdict), "exit_code": report.exit_code}
    document["said"] = _cut(report.said)
    for difference in document["differences"]:
        difference["said"] = _cut(difference["said"])
    return document


def as_json(report: Report) -> str:
    """Return the report as JSON for machines."""
    return json.dumps(as_document(report), indent=2, ensure_ascii=False) + "\n"


def as_markdown(report: Report) -> str:
    """Return the report as Markdown."""
    lines = ["# Drill", "", f"**{_marked(headline(report))}**", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {_marked(text)} |" for name, text in facts(report)]
    for difference in report.differences:
        lines += ["", f"## {_marked(_where(difference))}", ""]
        lines += [f"- {_marked(shown(text))}" for text in difference.texts]
        lines += ["", "To see it again:", "", f"    {shown(difference.reproduce)}", *_said_block(difference.said)]
    lines += _said_block(report.said)
    for title, texts in (("Sent, and perhaps paid twice", report.ambiguous), ("Notes", report.notes)):
        if texts:
            lines += ["", f"## {title}", "", *(f"- {_marked(shown(text))}" for text in texts)]
    return "\n".join(lines) + "\n"


def as_html(report: Report) -> str:
    """Return the report as one page of HTML that needs nothing else.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ModuleNotFoundError as error:
        raise MissingExtra("a report in HTML needs jinja2: pip install 'milepost[cli]'") from error
    source = resources.files("milepost.drill").joinpath("report.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page.filters.update(shown=shown, said=lambda text: "\n".join(_last_lines(text)))
    return page.from_string(source).render(
        report=report, headline=headline(report), facts=facts(report), where=_where, verdict=str(report.verdict)
    )


def write_report(path: Path, report: Report) -> None:
    """Write the report in the form that the ending of *path* names.

    Raises:
        InvalidArgument: The ending is none of `FORMATS`.
        MissingExtra: jinja2 is needed and not installed.
        StorageError: The medium refused.
    """
    check_format(path)
    forms = {".html": as_html, ".md": as_markdown, ".json": as_json}
    write_durably(path, forms[path.suffix](report).encode("utf-8", "backslashreplace"))


def check_format(path: Path) -> None:
    """Refuse a report whose form is not known, before anything is run.

    Raises:
        InvalidArgument: The ending of *path* is none of `FORMATS`.
    """
    if path.suffix not in FORMATS:
        raise InvalidArgument(f"--report {path}: a name that ends in {', '.join(FORMATS)} is needed.")


def count(number: int, what: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def shown(text: str) -> str:
    """Return a text such that it cannot steer a terminal, on one line, cut where it is too long."""
    safe = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return safe if len(safe) <= _LONGEST_LINE else safe[:_LONGEST_LINE] + "…"


def _where(difference: Difference) -> str:
    return "between undisturbed runs" if difference.experiment is None else difference.experiment


def _names(names: Any) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "") or "nothing"


def _cut(text: str) -> str:
    return "\n".join(_last_lines(text))


def _last_lines(text: str) -> list[str]:
    return [shown(line) for line in text.rstrip().splitlines()[-_MOST_SAID_LINES:]]


def _said_lines(text: str) -> list[str]:
    return ["  it said last:", *(f"    | {line}" for line in _last_lines(text))] if text.strip() else []


def _said_block(text: str) -> list[str]:
    return ["", "It said last:", "", *(f"    {line}" for line in _last_lines(text))] if text.strip() else []


def _marked(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)
