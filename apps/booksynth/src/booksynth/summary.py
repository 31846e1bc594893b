"""The summary that people read: a pure function of the consolidated document, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from booksynth import texts
from booksynth.request import PAGE

TOP = 25
PROBLEMS_SHOWN = 50

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
_PRIORITY_WORDS = {"nice_to_have": "nice to have"}


def render(document: dict[str, Any]) -> str:
    """Return the whole summary, ending in a newline."""
    parts = [
        _head(document),
        _agreement(document),
        _top(document),
        _themes(document),
        _priorities(document),
        _shelf(document),
        _not_used(document),
        _problems(document),
        _method(document),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escape(text: str) -> str:
    """Return *text* as Markdown that shows exactly it, on one line."""
    shown = _SPECIAL.sub(r"\\\1", texts.printable(" ".join(text.split())))
    # A line that begins with a number and a dot, or a sign, would become a list.
    return re.sub(r"^(\d+)([.)])", r"\1\\\2", re.sub(r"^([-+=])", r"\\\1", shown))


def count(number: int, one: str, many: str | None = None) -> str:
    """Return ``1 book``, ``2 books``, ``1,684 books``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _head(document: dict[str, Any]) -> str:
    totals = document["totals"]
    merged = totals["recommendations"] + totals["below_min_confidence"]
    return (
        "# What the shelf recommends\n\n"
        f"{count(totals['books_with_content'], 'book')} gave "
        f"{count(totals['raw'], 'recommendation')}, {totals['unique']:,} of them different within "
        f"their book. They come down to **{count(merged, 'recommendation')}**, of which "
        f"**{totals['in_several_books']:,}** stand in more than one book.\n\n"
        f"To look at, with filter and search: [{PAGE}]({PAGE})."
    )


def _agreement(document: dict[str, Any]) -> str:
    shared = [one for one in document["recommendations"] if one["book_count"] > 1]
    shared.sort(key=lambda one: (-one["book_count"], document["recommendations"].index(one)))
    if not shared:
        return "## What the shelf agrees on\n\nNo recommendation stands in more than one book."
    blocks = [_agreed(one) for one in shared[:TOP]]
    more = len(shared) - len(blocks)
    if more:
        blocks.append(f"And {more:,} more in `consolidated_recommendations.json`.")
    return "\n\n".join(["## What the shelf agrees on", "By number of books.", *blocks])


def _agreed(entry: dict[str, Any]) -> str:
    lines = [f"### {escape(entry['title'])}"]
    votes = split(entry["priority_votes"])
    lines.append(f"{count(entry['book_count'], 'book')}; {votes}; confidence {entry['confidence']:.3g}")
    if entry["description"]:
        lines.append(escape(entry["description"]))
    lines.append("\n".join(f"- {escape(book)}" for book in entry["books"]))
    return "\n\n".join(lines)


def split(votes: dict[str, int]) -> str:
    """Return a split of votes in words: ``2 critical, 1 nice to have``."""
    return ", ".join(f"{votes[name]} {word(name)}" for name in votes)


def word(priority: str) -> str:
    """Return a priority in words, as Markdown."""
    return _PRIORITY_WORDS.get(priority, escape(priority))


def _top(document: dict[str, Any]) -> str:
    entries = document["recommendations"][:TOP]
    if not entries:
        return ""
    rows = [
        (
            escape(one["title"]),
            word(one["priority"]),
            f"{one['book_count']}",
            f"{one['confidence']:.3g}",
            escape(", ".join(one["time_estimates"])) or "not given",
            _some(one["books"]),
        )
        for one in entries
    ]
    head = ("Recommendation", "Priority", "Books", "Confidence", "Effort", "Where")
    of = f" of {len(document['recommendations']):,}, by priority, then by number of books"
    return f"## The first {len(rows)}{of}\n\n{table(head, '--rr--', rows)}"


def _some(books: list[str]) -> str:
    shown = "; ".join(escape(book) for book in books[:2])
    return f"{shown}; {len(books) - 2} more" if len(books) > 2 else shown


def _priorities(document: dict[str, Any]) -> str:
    by_priority = document["totals"]["by_priority"]
    if not by_priority:
        return ""
    rows = [(word(name), f"{number:,}") for name, number in by_priority.items()]
    text = f"## By priority\n\n{table(('Priority', 'Recommendations'), '-r', rows)}"
    below = document["totals"]["below_min_confidence"]
    if below:
        least = document["settings"]["min_confidence"]
        text += (
            f"\n\n{count(below, 'recommendation')} below the confidence of {least:g} asked for "
            "are listed apart, under `below_min_confidence`."
        )
    return text


def _shelf(document: dict[str, Any]) -> str:
    books = [book for book in document["books"] if book["recommendations"]]
    if not books:
        return "## Books\n\nNo book had anything to say."
    books.sort(key=lambda book: (-book["recommendations"], book["key"]))
    rows = [
        (
            escape(book["title"]),
            f"{book['recommendations']:,}",
            f"{book['raw']:,}",
            ", ".join(code(one["file"]) for one in book["files"] if one["role"] == "used"),
        )
        for book in books
    ]
    head = ("Book", "Recommendations", "With repetitions", "Files")
    return f"## Books\n\n{table(head, '-rr-', rows)}"


def _not_used(document: dict[str, Any]) -> str:
    files = document["files_not_used"]
    if not files:
        return ""
    rows = [(code(one["file"]), escape(one["reason"])) for one in files]
    return f"## Files that were not used\n\n{table(('File', 'Why'), '--', rows)}"


def _problems(document: dict[str, Any]) -> str:
    unused = {one["file"] for one in document["files_not_used"]}
    problems = [one for one in document["problems"] if one["file"] not in unused]
    if not problems:
        return ""
    rows = [
        (code(one["file"]), code(one["where"]) if one["where"] else "", escape(one["reason"]))
        for one in problems[:PROBLEMS_SHOWN]
    ]
    more = len(problems) - len(rows)
    text = f"## Problems in files that were used\n\n{table(('File', 'Where', 'What'), '---', rows)}"
    return f"{text}\n\nAnd {more:,} more in `consolidated_recommendations.json`." if more else text


def _themes(document: dict[str, Any]) -> str:
    themes = document["themes"]
    if not themes:
        return ""
    titles = {entry["id"]: entry["title"] for entry in document["recommendations"]}
    rows = [
        (
            escape(one["title"]),
            f"{len(one['recommendations']):,}",
            f"{one['book_count']}",
            escape("; ".join(titles[id_] for id_ in one["recommendations"][1:4])),
        )
        for one in themes[:TOP]
    ]
    more = len(themes) - len(rows)
    text = f"## Themes\n\n{table(('Theme', 'Recommendations', 'Books', 'Among them'), '-rr-', rows)}"
    return f"{text}\n\nAnd {more:,} more in `consolidated_recommendations.json`." if more else text


def _method(document: dict[str, Any]) -> str:
    settings = document["settings"]
    threshold = settings["similarity_threshold"]
    how = (
        "Recommendations are merged where their titles are equal, once case, spaces, punctuation "
        "and ligatures are set aside"
    )
    if threshold < 1:
        by = "words" if settings["matching"] == "words" else "words and by what a language model makes of them"
        how += f", or where they are alike to at least {threshold:g} by their {by}"
    return (
        f"## How to read this\n\n{how}. Why two were merged, or were not, `booksynth explain` tells. "
        "Each book has one vote on the priority and on each step, and a tie goes to "
        "the more severe. Confidence is 0.5 for one book, and each further book halves the doubt: 0.75, 0.875."
        " Every "
        "merged recommendation lists all its sources, down to file and iteration, in "
        "`consolidated_recommendations.json`."
    )


def code(text: str) -> str:
    """Return *text* as Markdown code that shows exactly it, also within a table."""
    shown = texts.printable(text).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown[:1] == "`" or shown[-1:] == "`" else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def table(head: tuple[str, ...], sides: str, rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table; *sides* has an ``r`` for each column that stands right."""
    rule = ["---:" if side == "r" else "---" for side in sides]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows])
