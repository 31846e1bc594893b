"""From repeats to figures: medians, ratios with their spread, and goals met or not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from benchmarks.goals import (
    ADDED_A,
    BEYOND,
    EACH,
    EXTRA,
    OVERHEAD_IN_A,
    RATIO,
    SECONDS,
    Verdict,
    against,
    verdicts,
)
from benchmarks.harness import Series
from benchmarks.model import Workload
from benchmarks.subject import Facts
from benchmarks.work.items import ADDED


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
    by_name = {other.contender.name: other for other in series if other.reason is None and other.seconds}
    wanted = (workload.floor, *workload.also_against)
    ratios = {name: _ratio(one.seconds, by_name[name].seconds) for name in wanted if name in by_name}
    seconds = _spread(one.seconds)
    facts = _middle(one.facts)
    measures = facts | {SECONDS: seconds.value, EACH: 1e6 * seconds.value / workload.operations}
    ranges = {SECONDS: (seconds.lowest, seconds.highest)}
    if workload.floor in ratios:
        ratio = ratios[workload.floor]
        measures |= {RATIO: ratio.value, EXTRA: 1000 * _extra(one.seconds, by_name[workload.floor].seconds)}
        ranges[RATIO] = (ratio.lowest, ratio.highest)
    for name in workload.also_against:
        if name in ratios:
            measures[against(name)] = ratios[name].value
            ranges[against(name)] = (ratios[name].lowest, ratios[name].highest)
    if workload.unit_cost in by_name:
        in_units, beyond = _overhead(one, by_name[str(workload.unit_cost)])
        measures |= {ADDED_A: in_units, BEYOND: beyond.value}
        ranges[BEYOND] = (beyond.lowest, beyond.highest)
    return replace(
        row,
        seconds=seconds,
        reason=None,
        ratios=ratios,
        syncs=one.syncs,
        facts=facts | _shown(workload, contender.name, measures),
        measures=measures,
        verdicts=verdicts(workload.name, contender.name, measures, ranges),
    )


def _extra(seconds: Sequence[float], floor: Sequence[float]) -> float:
    return median(own - base for own, base in zip(seconds, floor, strict=True))


def _overhead(one: Series, unit: Series) -> tuple[float, Spread]:
    """Set what a contender adds against what the unit adds, turn by turn: they stood side by side."""
    own = [float(facts.get(ADDED, math.nan)) for facts in one.facts]
    units = [float(facts.get(ADDED, math.nan)) for facts in unit.facts]
    beyond = [added - OVERHEAD_IN_A * base for added, base in zip(own, units, strict=True)]
    return median(own) / median(units), _spread(beyond)


def _shown(workload: Workload, contender: str, measures: Facts) -> Facts:
    """Return the measures that a reader wants beside the facts."""
    wanted = [EACH] if workload.operations > 1 and workload.unit_cost is None else []
    if workload.unit_cost is not None and contender != workload.floor:
        wanted = [ADDED_A]
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
