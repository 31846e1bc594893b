"""The figures as a table: in colour on a terminal with rich, as Markdown everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import groupby

from benchmarks.goals import EACH, RATIO, SECONDS, Verdict
from benchmarks.results import Result, Row, Spread

HEADINGS = ("Work", "Contender", "Median", "Ratio (min–max of repeats)", "Syncs", "Observed", "Goal")


def show(results: Sequence[Result], *, markdown: bool) -> None:
    """Print one table for each group of workloads."""
    for group, members in groupby(results, key=lambda result: result.workload.group):
        lines = [line for result in members for line in _lines(result)]
        if markdown or not sys.stdout.isatty() or not _show_rich(group, lines):
            print(f"\n**{group}**\n")
            print("\n".join(_markdown(lines)))


def _show_rich(group: str, lines: Iterable[tuple[str, ...]]) -> bool:
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        return False
    table = Table(*HEADINGS, title=group, title_justify="left", title_style="bold")
    for line in lines:
        is_bad = "not met" in line[-1] or "NOT MEASURED" in line[2]
        style = "yellow" if is_bad else "green" if "met" in line[-1] else None
        table.add_row(*line, style=style)
    Console().print(table)
    return True


def _markdown(lines: Iterable[tuple[str, ...]]) -> Iterable[str]:
    yield "| " + " | ".join(HEADINGS) + " |"
    yield "|---" * len(HEADINGS) + "|"
    for line in lines:
        yield "| " + " | ".join(line) + " |"


def _lines(result: Result) -> Iterable[tuple[str, ...]]:
    for row in result.rows:
        name = f"{row.contender} ({row.note})" if row.note else row.contender
        if row.seconds is None:
            yield (result.workload.label, name, f"NOT MEASURED: {row.reason}", "", "", "", _verdicts(row))
            continue
        syncs = "not counted" if row.syncs is None else f"{row.syncs:.3g}"
        yield (
            result.workload.label,
            name,
            _time(row.seconds.value),
            _ratios(row, result.workload.floor),
            syncs if result.workload.counts_syncs else "–",
            "; ".join(f"{fact} {_number(value)}" for fact, value in row.facts.items()),
            _verdicts(row),
        )


def _ratios(row: Row, floor: str) -> str:
    """Show ratios to the floor first; the floor's own say nothing."""
    shown = [
        _ratio(spread, "" if name == floor else f" × {name}")
        for name, spread in row.ratios.items()
        if name != row.contender
    ]
    if row.contender == floor:
        return "1"
    return "; ".join(shown)


def _ratio(spread: Spread, reference: str) -> str:
    return f"{spread.value:.2f}{reference} ({spread.lowest:.2f}–{spread.highest:.2f})"


def _verdicts(row: Row) -> str:
    return "; ".join(map(verdict, row.verdicts))


def verdict(one: Verdict) -> str:
    """Return a goal and whether it is met, with the figure where the table does not show it."""
    goal = one.goal
    name = "" if goal.measure in {RATIO, EACH, SECONDS} else f"{goal.measure} "
    if one.value is None:
        return f"{name}≤ {goal.limit:g} {goal.unit}: not measured"
    doubt = "" if one.is_certain else ", but repeats lie on both sides"
    return f"{name}≤ {goal.limit:g} {goal.unit}: {'met' if one.is_met else 'not met'} ({one.value:.3g}{doubt})"


def _number(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _time(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{1000 * seconds:.3g} ms" if seconds >= 0.001 else f"{1e6 * seconds:.3g} µs"
