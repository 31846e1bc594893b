"""From repeats to figures: medians, ratios with their spread, and goals met or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from benchmarks.goals import (
    ADDED,
    ADDED_A,
    BEYOND,
    EACH,
    EXTRA,
    OVERHEAD_IN_A,
    RATIO,
    SECONDS,
    Verdict,
    verdicts,
)
from benchmarks.harness import Series
from benchmarks.model import Workload
from benchmarks.subject import Facts


@dataclass(frozen=True)
class Spread:
    """A figure with the lowest and highest that single repeats gave."""

    value: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Row:
    """One contender's figures; *ratios* by the name of what they refer to, the floor first.

    One that was not measured has a *reason* and no *seconds*.
    """

    contender: str
    note: str
    is_comparable: bool
    seconds: Spread | None
    reason: str | None = None
    ratios: dict[str, Spread] = field(default_factory=dict)
    measures: Facts = field(default_factory=dict)
    syncs: float | None = None
    facts: Facts = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """A workload's rows."""

    workload: Workload
    rows: list[Row]


def result_of(workload: Workload, series: Sequence[Series]) -> Result:
    """Return the figures of all contenders of a workload."""
    return Result(workload, [_row(workload, one, series) for one in series])


def _row(workload: Workload, one: Series, series: Sequence[Series]) -> Row:
    contender = one.contender
    row = Row(contender.name, contender.note, contender.is_comparable, None, one.reason or "no repeats")
    if one.reason is not None or not one.seconds:
        return replace(row, verdicts=verdicts(workload.name, contender.name, {}))
    by_name = {other.contender.name: other.seconds for other in series if other.reason is None and other.seconds}
    wanted = (workload.floor, *workload.also_against)
    ratios = {name: _ratio(one.seconds, by_name[name]) for name in wanted if name in by_name}
    facts = _middle(one.facts)
    measures = facts | _measures(workload, one.seconds, by_name)
    if workload.floor in ratios:
        measures[RATIO] = ratios[workload.floor].value
    return replace(
        row,
        seconds=_spread(one.seconds),
        reason=None,
        ratios=ratios,
        syncs=one.syncs,
        facts=facts | _shown(workload, contender.name, measures),
        measures=measures,
        verdicts=verdicts(workload.name, contender.name, measures),
    )


def _measures(workload: Workload, seconds: Sequence[float], by_name: Mapping[str, Sequence[float]]) -> Facts:
    """Return what follows from the times; differences are medians of those of single repeats."""
    middle = median(seconds)
    measures: Facts = {SECONDS: middle, EACH: 1e6 * middle / workload.operations}
    floor = by_name.get(workload.floor)
    if floor is None:
        return measures
    added = _added(workload, seconds, floor)
    measures |= {EXTRA: added * workload.operations / 1000, ADDED: added}
    if workload.unit_cost is not None and workload.unit_cost in by_name:
        unit = _added(workload, by_name[workload.unit_cost], floor)
        measures |= {BEYOND: added - OVERHEAD_IN_A * unit} | ({ADDED_A: added / unit} if unit > 0 else {})
    return measures


def _added(workload: Workload, seconds: Sequence[float], floor: Sequence[float]) -> float:
    return median(1e6 * (own - base) / workload.operations for own, base in zip(seconds, floor, strict=True))


def _shown(workload: Workload, contender: str, measures: Facts) -> Facts:
    """Return the measures that a reader wants beside the facts."""
    wanted = [EACH] if workload.operations > 1 and workload.unit_cost is None else []
    if workload.unit_cost is not None and contender != workload.floor:
        wanted = [ADDED, ADDED_A]
    return {name: measures[name] for name in wanted if name in measures}


def _spread(values: Sequence[float]) -> Spread:
    return Spread(median(values), min(values), max(values))


def _ratio(own: Sequence[float], reference: Sequence[float]) -> Spread:
    """Return the ratio of the medians, and between which the ratios of single repeats lie."""
    each = [one / base for one, base in zip(own, reference, strict=True)]
    return Spread(median(own) / median(reference), min(each), max(each))


def _middle(facts: Sequence[Facts]) -> Facts:
    """Return the median of each fact that is a number, and the last of any other."""
    middle: Facts = {}
    for name, last in (facts[-1] if facts else {}).items():
        numbers = [value for one in facts if isinstance(value := one.get(name), int | float)]
        middle[name] = median(numbers) if len(numbers) == len(facts) else last
    return middle
