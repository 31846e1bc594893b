"""From repeats to figures: medians, ratios with their spread, and targets met or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.harness import Series
from benchmarks.model import RATIO, Target, Workload
from benchmarks.subject import Facts

EXTRA = "extra_ms"
"""The measure of how many milliseconds more than the floor a contender takes, repeat by repeat."""


@dataclass(frozen=True)
class Spread:
    """A figure with the lowest and highest that single repeats gave."""

    value: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Verdict:
    """A target, what was measured, and whether it is met."""

    target: Target
    value: float
    is_met: bool


@dataclass(frozen=True)
class Row:
    """One contender's figures; *ratios* by the name of what they refer to, the floor first."""

    contender: str
    note: str
    seconds: Spread | None
    ratios: dict[str, Spread] = field(default_factory=dict)
    extra_ms: Spread | None = None
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
    name = one.contender.name
    if one.failed or not one.seconds:
        return Row(name, one.contender.note, None)
    references = {
        other.contender.name: other.seconds
        for wanted in (workload.floor, *workload.also_against)
        for other in series
        if other.contender.name == wanted and not other.failed
    }
    ratios = {reference: _ratio(one.seconds, seconds) for reference, seconds in references.items()}
    floor = references.get(workload.floor)
    extra = None
    if floor is not None:
        extra = _spread([1000 * (own - base) for own, base in zip(one.seconds, floor, strict=True)])
    facts = _middle(one.facts)
    measures: Facts = dict(facts)
    if floor is not None and extra is not None:
        measures |= {RATIO: ratios[workload.floor].value, EXTRA: extra.value}
    verdicts = [_verdict(target, measures) for target in workload.targets if target.contender == name]
    return Row(name, one.contender.note, _spread(one.seconds), ratios, extra, one.syncs, facts, verdicts)


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


def _verdict(target: Target, measures: Facts) -> Verdict:
    value = measures.get(target.measure)
    number = float(value) if isinstance(value, int | float) else float("nan")
    return Verdict(target, number, number <= target.limit)
