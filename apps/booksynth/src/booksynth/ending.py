"""The end of a run of the workflow, for people: what came in, what it came to, what most books say, where it is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from booksynth.console import Terminal
from booksynth.request import CONSOLIDATED, PAGE, SUMMARY
from booksynth.shards import Problem
from booksynth.summary import count, word
from booksynth.texts import printable

BAR_CELLS = 12
LABEL_CELLS = 10
DOING = {"phase_2": "reading", "phase_3": "consolidating", "phase_4": "planning"}


def tell(document: Mapping[str, Any], terminal: Terminal) -> None:
    """Say what came of a run (the report that ``--json`` prints), and where it is."""
    terminal.print("")
    is_new = any(told["state"] not in {"reused", "not run"} for told in document["phases"].values())
    terminal.print("Done." if is_new else "Nothing has changed since the last run: this is its result.", "bold green")
    terminal.print("")
    for label, text in _lines(document):
        first, *more = _folded(text, terminal)
        terminal.show(Text.assemble("  ", (f"{label:<{LABEL_CELLS}}", "dim"), first))
        for line in more:
            terminal.print(" " * (2 + LABEL_CELLS) + line)
    said = [(one["book_count"], one["title"], word(one["priority"])) for one in document["most_said"]]
    _tell_list("Said by most books", said, terminal)
    themes = [(one["book_count"], one["title"], f"{one['recommendations']:,}") for one in document["themes"]]
    _tell_list("Themes of most books, with their recommendations", themes, terminal)
    _tell_problems(document, terminal)
    for path in document["edited"]:
        terminal.print(f"Edited by hand and left as it is: {printable(path)}", "yellow")
    for path in document["orphans"]:
        terminal.print(f"Edited by hand, and nothing stands for it any more: {printable(path)}", "yellow")
    _tell_places(document, terminal)


def _folded(text: str, terminal: Terminal) -> list[str]:
    """Return *text* in lines that fit behind a label; what goes to a pipe keeps its lines whole."""
    cells = terminal.console.width - 2 - LABEL_CELLS
    return textwrap.wrap(text, max(cells, LABEL_CELLS)) if terminal.console.is_terminal else [text]


def _lines(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    totals, phases = document["totals"], document["phases"]
    if totals:
        unused = len(document["files_not_used"])
        left = f", {count(unused, 'file')} not used" if unused else ""
        yield "Came in", f"{count(totals['files'], 'file')}: {count(totals['books_with_content'], 'book')}{left}"
        yield "Said", f"{count(totals['raw'], 'recommendation')}, {totals['unique']:,} different"
        yield (
            "Merged",
            f"{count(totals['recommendations'], 'recommendation')}, {totals['in_several_books']:,} of several books",
        )
        if totals["below_min_confidence"]:
            yield "Left out", f"{totals['below_min_confidence']:,} below the asked confidence"
    elif phases["phase_2"]["state"] != "not run":
        yield "Came in", count(document["analyses"], "analysis", "analyses")
    if phases["phase_4"]["state"] != "not run":
        yield "Planned", count(document["plans"], "plan")
    restored = phases["phase_2"]["restored"]
    if restored:
        yield "Restored", f"{count(restored, 'book')} of an earlier run"
    took = [f"{DOING.get(name, name)} {spent(one['seconds'])}" for name, one in phases.items() if one["seconds"]]
    if took:
        yield "Took", f"{spent(document['seconds'])} ({', '.join(took)})"


def _tell_list(head: str, rows: list[tuple[int, str, str]], terminal: Terminal) -> None:
    if not rows:
        return
    terminal.print("")
    terminal.print(head, "bold")
    most = max(number for number, _, _ in rows)
    has_bar = terminal.is_live and not terminal.is_narrow and terminal.console.encoding.startswith("utf")
    for number, title, note in rows:
        line = Text("  ")
        if has_bar:
            cells = max(1, round(BAR_CELLS * number / most))
            line.append("█" * cells + " " * (BAR_CELLS - cells) + " ", "cyan")
        line.append(f"{number:>3} ", "bold")
        # On a narrow terminal the title has the line, and the note would only push it out.
        line.append(printable(title) if terminal.is_narrow else f"{printable(title)} ")
        if not terminal.is_narrow:
            line.append(f"({printable(note)})", "dim")
        terminal.show(line, cut=True)


def _tell_problems(document: Mapping[str, Any], terminal: Terminal) -> None:
    problems = [Problem(**one) for one in document["problems"]]
    known = {problem.file for problem in problems}
    problems += [
        Problem(one["file"], "", one["code"], one["reason"])
        for one in document["files_not_used"]
        if one["file"] not in known
    ]
    terminal.tell_problems(problems, CONSOLIDATED)
    more = document["totals"].get("problems", 0) - len(problems)
    if more > 0:
        terminal.print(f"{count(more, 'smaller problem')} within files that were used: see {SUMMARY}.", "yellow")


def _tell_places(document: Mapping[str, Any], terminal: Terminal) -> None:
    places = dict(document["outputs"])
    first = next((places.pop(name) for name in (PAGE, SUMMARY) if name in places), None)
    terminal.print("")
    if first is not None:
        terminal.print("Open this first:", "bold green")
        terminal.print(f"  {first}")
    if places:
        terminal.print("The rest:" if first is not None else "The results:", "green")
        for path in places.values():
            terminal.print(f"  {path}")


def spent(seconds: float) -> str:
    """Return a time in words: ``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
