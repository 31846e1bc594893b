"""From times to figures: goals, overheads, and what was not measured."""

from __future__ import annotations

import pytest

from benchmarks import goals, readme, tables
from benchmarks.goals import ADDED_A, BEYOND, EACH, GOALS, RATIO, SECONDS, against
from benchmarks.harness import Series
from benchmarks.model import Contender, Workload
from benchmarks.results import Result, Row, result_of
from benchmarks.roster import DBOS_POSTGRES, MILEPOST, PEERS
from benchmarks.work.items import ADDED
from benchmarks.workloads import WORKLOADS

FLOOR = Contender("floor", "module:Floor")
OURS = Contender(MILEPOST, "module:Ours")
UNSYNCED = Contender("quick", "module:Quick", is_comparable=False)


def rows(workload: Workload, *series: Series) -> dict[str, Row]:
    """Return the rows of a workload by contender."""
    return {row.contender: row for row in result_of(workload, series).rows}


def items(*contenders: Contender) -> Workload:
    """Return a workload named like the one that goals are set for."""
    return Workload("items", "group", "label", contenders, "floor", operations=10)


def test_every_goal_is_measured() -> None:
    """Every goal names a workload and a contender that takes part in it."""
    known = {(workload.name, contender.name) for workload in WORKLOADS for contender in workload.contenders}
    # That of the real trackers is there where somebody has them; it has the contenders of the bundled ones.
    known |= {("phases-trackers", name) for workload, name in known if workload == "phases"}
    assert [goal for goal in GOALS if (goal.workload, goal.contender) not in known] == []


def test_no_goal_stands_twice() -> None:
    """Every measure of a contender has one limit."""
    held = [(goal.workload, goal.contender, goal.measure) for goal in GOALS]
    assert len(held) == len(set(held))


def test_names_tell_apart() -> None:
    """No two workloads share a name, and no two contenders of one workload do."""
    names = [workload.name for workload in WORKLOADS]
    assert len(names) == len(set(names))
    for workload in WORKLOADS:
        contenders = [contender.name for contender in workload.contenders]
        assert len(contenders) == len(set(contenders))
        assert {workload.floor, *workload.also_against} <= set(contenders)
        assert workload.unit_cost is None or workload.unit_cost in contenders


def test_every_peer_takes_part() -> None:
    """Every peer is a contender of some workload."""
    known = {contender.name for workload in WORKLOADS for contender in workload.contenders}
    assert {way.name for way in PEERS} <= known


@pytest.mark.parametrize(("measured", "is_met"), [(0.84, True), (0.85, True), (0.86, False), (float("nan"), False)])
def test_a_goal_is_an_upper_limit(measured: float, *, is_met: bool) -> None:
    """A goal is met up to its limit, and never by what is no number."""
    assert [one.is_met for one in goals.verdicts("items", MILEPOST, {RATIO: measured})] == [is_met]


def test_what_is_not_measured_meets_no_goal() -> None:
    """A goal whose measure is missing is neither met nor passed over."""
    [verdict] = goals.verdicts("items", MILEPOST, {})
    assert (verdict.value, verdict.is_met) == (None, False)
    assert "not measured" in tables.verdict(verdict)


def test_a_ratio_is_one_of_medians() -> None:
    """The ratio is that of the medians, with the range of single repeats beside it."""
    workload = items(FLOOR, OURS)
    found = rows(workload, Series(FLOOR, [1.0, 2.0, 4.0]), Series(OURS, [2.0, 3.0, 4.0]))[MILEPOST]
    ratio = found.ratios["floor"]
    assert (ratio.value, ratio.lowest, ratio.highest) == (1.5, 1.0, 2.0)
    assert found.measures[SECONDS] == 3.0
    assert found.measures[EACH] == pytest.approx(300_000)


def test_overhead_is_what_is_added_to_the_bare_loop() -> None:
    """What a contender adds to each item is told in microseconds, in A, and beyond the share that A may take."""
    bare, append = Contender("bare", "module:Bare"), Contender("append", "module:Append")
    workload = Workload("overhead-1ms", "g", "l", (bare, append, OURS), "bare", operations=10, unit_cost="append")
    added = ((bare, 0.1), (append, 100.0), (OURS, 120.0))
    series = [Series(one, [1.0], [{ADDED: microseconds}]) for one, microseconds in added]
    measures = rows(workload, *series)[MILEPOST].measures
    assert measures[ADDED] == 120
    assert measures[ADDED_A] == pytest.approx(1.2)
    assert measures[BEYOND] == pytest.approx(35)


def test_a_goal_may_be_set_against_a_peer() -> None:
    """A contender's ratio to a peer is a measure of its own, and is missing where the peer was not measured."""
    peer = Contender(DBOS_POSTGRES, "module:Peer")
    workload = Workload("store-postgresql", "g", "l", (FLOOR, OURS, peer), "floor", also_against=(DBOS_POSTGRES,))
    times = (Series(FLOOR, [1.0]), Series(OURS, [1.4]))
    [_, met, *_] = rows(workload, *times, Series(peer, [7.0]))[MILEPOST].verdicts
    assert (met.goal.measure, met.is_met) == (against(DBOS_POSTGRES), True)
    assert met.value == pytest.approx(0.2)
    [_, absent, *_] = rows(workload, *times, Series(peer, reason="gone"))[MILEPOST].verdicts
    assert (absent.value, absent.is_met) == (None, False)


def test_a_verdict_within_the_spread_is_doubted() -> None:
    """Where repeats lie on both sides of a limit, the verdict says so."""
    [doubted] = goals.verdicts("items", MILEPOST, {RATIO: 0.8}, {RATIO: (0.7, 0.9)})
    [certain] = goals.verdicts("items", MILEPOST, {RATIO: 0.8}, {RATIO: (0.7, 0.84)})
    assert (doubted.is_met, doubted.is_certain) == (True, False)
    assert "both sides" in tables.verdict(doubted)
    assert certain.is_certain


def test_a_contender_that_fails_says_why() -> None:
    """One that was not measured stays in the table, with its reason, and the others keep their figures."""
    workload = items(FLOOR, OURS)
    found = rows(workload, Series(FLOOR, [1.0]), Series(OURS, reason="no environment"))
    assert found["floor"].seconds is not None
    assert found[MILEPOST].seconds is None
    assert found[MILEPOST].reason == "no environment"


def test_a_missing_floor_leaves_no_ratio() -> None:
    """Without its floor a contender has times and no ratio, so that its goal is not met."""
    found = rows(items(FLOOR, OURS), Series(FLOOR, reason="gone"), Series(OURS, [1.0]))[MILEPOST]
    assert RATIO not in found.measures
    assert [verdict.is_met for verdict in found.verdicts] == [False]


def test_the_readme_tells_what_is_not_comparable() -> None:
    """The brief table marks what does not sync, puts it last, and shows what was not measured."""
    workload = items(FLOOR, UNSYNCED, OURS)
    series = (Series(FLOOR, [2.0], syncs=1.0), Series(UNSYNCED, [1.0]), Series(OURS, reason="gone"))
    lines = list(readme.table([Result(workload, result_of(workload, series).rows)]))
    assert lines[2].startswith("| the floor | 1 | 1.00 A |")
    assert lines[3].startswith(f"| **{MILEPOST}** | not measured | not measured |")
    assert lines[-1].startswith("| quick (not synced: not comparable) | – | 0.50 A |")


def test_the_readme_tells_stores_apart() -> None:
    """Each brief table comes only where something of it was asked for."""
    of_items, of_stores = items(FLOOR, OURS), Workload("store-s3", "g", "l", (FLOOR, OURS), "floor")
    series = (Series(FLOOR, [2.0]), Series(OURS, [3.0]))
    both = [result_of(one, series) for one in (of_items, of_stores)]
    assert sum(line == "" for line in readme.tables(both)) == 2
    [blank, heading, _, floor, ours] = readme.tables(both[1:])
    assert (blank, "S3" in heading, floor.count("1.00 PUT"), ours.count("1.50 PUT")) == ("", True, 1, 1)
