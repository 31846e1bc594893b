"""What a run would do, and what it would take: no body is entered, nothing is written."""

from __future__ import annotations

from dataclasses import dataclass, field

from milepost.phase.work import Ambiguous
from milepost.workflow.calling import items_of, needs_outputs
from milepost.workflow.deciding import Action, Decision, Items, Reason, ReasonKind, Wish, decide
from milepost.workflow.frame import Frame, within_of
from milepost.workflow.graph import Node, upstream_of
from milepost.workflow.looking import Look, finished_digest, strangers


@dataclass
class PhasePlan:
    """What a run would do with one phase.

    *spent_usd* is what its run has spent, *max_cost_usd* its budget. *ambiguous* lists the paid calls that were sent
    and not answered, which a run makes again with the same id, unless the body says otherwise. *items* is None where
    they are unknown: the phase declares none, or a phase before it runs first. *done* counts the results of its last
    attempt. *seconds* and *cost_usd* are estimated from the recorded history, None where there is none to go by.
    """

    phase: str
    action: Action
    after: list[str]
    reasons: list[Reason] = field(default_factory=list)
    kept: list[Reason] = field(default_factory=list)
    items: Items | None = None
    done: int = 0
    failed: int = 0
    seconds: float | None = None
    cost_usd: float | None = None
    ambiguous: list[Ambiguous] = field(default_factory=list)
    spent_usd: float = 0.0
    max_cost_usd: float | None = None

    @property
    def exceeds_budget(self) -> bool:
        """Whether what it is estimated to cost is more than is left of its budget, so that it would stop before."""
        spent = 0.0 if self.action is Action.AGAIN else self.spent_usd
        return self.max_cost_usd is not None and round(spent + (self.cost_usd or 0.0), 9) > self.max_cost_usd


@dataclass
class Plan:
    """What a run of *workflow* would do, phase by phase, in order.

    *seconds* and *cost_usd* are for what certainly runs, *possible_seconds* and *possible_cost_usd* for what also runs
    if an output changes. *unpriced* names phases that run and have no history. *gone* names phases that were made by
    this workflow and are not in it any more.
    """

    workflow: str
    phases: list[PhasePlan] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cost_usd: float = 0.0
    possible_seconds: float = 0.0
    possible_cost_usd: float = 0.0
    unpriced: list[str] = field(default_factory=list)

    @property
    def is_finished(self) -> bool:
        """Whether nothing would run."""
        return all(one.action is Action.REUSE for one in self.phases)


def plan_of(frame: Frame, nodes: list[Node], known: set[str], wish: Wish) -> Plan:
    """Return what a run of *nodes* would do.

    Args:
        frame: The settings of the run.
        nodes: The phases that it includes, in order.
        known: The names of all declared phases.
        wish: What is asked for.

    Raises:
        InvalidArgument: A phase that the run leaves out is needed and not finished.
        DamageError: A journal is damaged.
        StorageError: A store refused.
    """
    plan = Plan(frame.name, gone=strangers(frame.root, frame.name, known))
    digests: dict[str, str | None] = {}
    for node in nodes:
        for name in node.after:
            if name not in digests:
                digests[name] = _finished_digest(frame, name)
        entry = _plan_phase(frame, node, digests, wish)
        plan.phases.append(entry)
        _add(plan, entry)
    return plan


def _plan_phase(frame: Frame, node: Node, digests: dict[str, str | None], wish: Wish) -> PhasePlan:
    upstream = upstream_of(node, digests)
    settings = frame.settings(node, within_of(frame.name, node, upstream))
    look = Look.at(frame.root, node.name) if settings.enabled else Look(None)
    try:
        is_known = not needs_outputs(node.items) or all(one is not None for one in upstream.values())
        values: list[object] = []
        if is_known and needs_outputs(node.items):
            values = [_stored(frame, name, str(upstream[name])) for name in node.after]
        items = items_of(node, values, frame.config) if is_known else None
        decision = decide(look, settings, upstream, items, ttl_hours=node.ttl_hours, wish=wish)
        digests[node.name] = decision.output_digest if decision.action is Action.REUSE else None
        seconds, cost_usd = estimate(look, decision, keeps_items=node.keeps_items)
        return PhasePlan(
            phase=node.name,
            action=decision.action,
            after=list(node.after),
            reasons=decision.reasons,
            kept=decision.kept,
            items=decision.items,
            done=look.index.done,
            failed=look.index.failed,
            seconds=seconds,
            cost_usd=cost_usd,
            spent_usd=round(look.index.tally.spent_usd, 9),
            max_cost_usd=node.budget.max_cost_usd,
            ambiguous=look.ambiguous() if decision.action is Action.RESUME else [],
        )
    finally:
        look.close()


def estimate(look: Look, decision: Decision, *, keeps_items: bool = False) -> tuple[float | None, float | None]:
    """Return the seconds and US dollars that a phase would take, by its recorded history; None where there is none.

    An item is taken to cost what the recorded ones cost on average. They are taken to run as many at once as before:
    the work of all items over the time in which attempts were at work.
    """
    if decision.action is Action.REUSE:
        return 0.0, 0.0
    tally = look.index.tally
    to_run = _to_run(decision, keeps_items=keeps_items)
    if to_run is not None:
        if not tally.items:
            return (0.0, 0.0) if not to_run else (None, None)
        at_once = max(1.0, tally.item_seconds / tally.active_seconds) if tally.active_seconds else 1.0
        seconds = to_run * tally.item_seconds / tally.items / at_once
        return seconds, to_run * tally.spent_usd / tally.items
    if decision.action in {Action.AGAIN, Action.STOP, Action.WAIT} and look.is_complete:
        return tally.active_seconds, tally.spent_usd
    return None, None


def _to_run(decision: Decision, *, keeps_items: bool) -> int | None:
    """Return how many items run, None where that is not known; of a phase that waits, how many may."""
    if decision.items is not None:
        starts = decision.action in {Action.AGAIN, Action.STOP}
        starts = starts or (decision.action is Action.WAIT and not keeps_items)
        return decision.items.total if starts else decision.items.to_run
    failed = [one for one in decision.reasons if one.kind is ReasonKind.FAILED]
    return len(failed) if failed and len(failed) == len(decision.reasons) else None


def _finished_digest(frame: Frame, name: str) -> str:
    look = Look.at(frame.root, name)
    try:
        return finished_digest(look, name)
    finally:
        look.close()


def _stored(frame: Frame, name: str, digest: str) -> object:
    look = Look.at(frame.root, name)
    try:
        return look.result_of(digest)
    finally:
        look.close()


def _add(plan: Plan, entry: PhasePlan) -> None:
    if entry.action is Action.REUSE:
        return
    if entry.seconds is None or entry.cost_usd is None:
        plan.unpriced.append(entry.phase)
    elif entry.action is Action.WAIT:
        plan.possible_seconds += entry.seconds
        plan.possible_cost_usd += entry.cost_usd
    else:
        plan.seconds += entry.seconds
        plan.cost_usd += entry.cost_usd
