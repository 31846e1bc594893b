"""Plans and outcomes of workflows, as tables for people and as documents for machines."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.text import Text

from milepost.cli.common import DEFAULT_ROOT, escaped
from milepost.cli.live import Seen, duration
from milepost.cli.rendering import table_of

if TYPE_CHECKING:
    from milepost.workflow.deciding import Reason
    from milepost.workflow.outcome import Outputs
    from milepost.workflow.planning import PhasePlan, Plan

_SHOWN = 5
_WORDS = {
    "reuse": ("reuse", "green"),
    "resume": ("go on", "bold"),
    "start": ("begin", "bold"),
    "again": ("begin anew", "yellow"),
    "stop": ("stop and ask", "red"),
    "wait": ("depends", "cyan"),
}


def document(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain JSON values."""
    return {
        "workflow": plan.workflow,
        "finished": plan.is_finished,
        "phases": [_entry(one) for one in plan.phases],
        "gone": plan.gone,
        "seconds": plan.seconds,
        "cost_usd": plan.cost_usd,
        "possible_seconds": plan.possible_seconds,
        "possible_cost_usd": plan.possible_cost_usd,
        "unpriced": plan.unpriced,
    }


def _entry(one: PhasePlan) -> dict[str, Any]:
    items = one.items
    return {
        "phase": one.phase,
        "action": str(one.action),
        "after": one.after,
        "reasons": [_reason(reason) for reason in one.reasons],
        "kept": [_reason(reason) for reason in one.kept],
        "items": None
        if items is None
        else {
            "total": items.total,
            "reused": items.reused,
            "new": items.new,
            "changed": items.changed,
            "failed": items.failed,
            "removed": items.removed,
        },
        "done": one.done,
        "failed": one.failed,
        "seconds": one.seconds,
        "cost_usd": one.cost_usd,
        "spent_usd": one.spent_usd,
        "max_cost_usd": one.max_cost_usd,
        "exceeds_budget": one.exceeds_budget,
        "ambiguous": [call._asdict() for call in one.ambiguous],
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {"kind": str(reason.kind), "name": reason.name, "old": reason.old, "new": reason.new}


def one_line(value: Any) -> str:
    """Return a document as one line of JSON."""
    return json.dumps(value)


def show(plan: Plan, target: str, console: Console) -> None:
    """Print a plan for people."""
    table = table_of("phase", "what", "items to run", "reused", "time", "cost")
    for one in plan.phases:
        word, style = _WORDS[one.action]
        table.add_row(Text(escaped(one.phase)), Text(word, style=style), *_counts(one), *_price(one))
    console.print(table)
    for one in plan.phases:
        for line in why(one.reasons):
            console.print(Text(escaped(f"{one.phase}: {line}")), soft_wrap=True)
        for line in why(one.kept):
            console.print(Text(escaped(f"{one.phase}: kept, although {line}"), style="yellow"), soft_wrap=True)
        if one.exceeds_budget and one.action != "reuse":
            line = f"{one.phase}: max_cost_usd={one.max_cost_usd:g} and ${one.spent_usd:g} of it spent: it stops before"
            console.print(Text(escaped(line), style="yellow"), soft_wrap=True)
        for call in one.ambiguous:
            price = "" if call.cost_usd is None else f" (${call.cost_usd:g})"
            line = f"{one.phase}: call {call.key!r} was sent and not answered{price}; it is made again with its id"
            console.print(Text(escaped(line), style="yellow"), soft_wrap=True)
    for line in _closing(plan, target):
        console.print(Text(escaped(line)), soft_wrap=True)


def _counts(one: PhasePlan) -> tuple[str, str]:
    if one.action == "reuse":
        return "-", f"{one.done:,}" if one.done else "-"
    if one.items is None:
        return "items unknown", f"{one.done:,} recorded" if one.done else "-"
    return f"{one.items.to_run:,} of {one.items.total:,}", f"{one.items.reused:,}"


def _price(one: PhasePlan) -> tuple[str, str]:
    if one.action == "reuse":
        return "-", "-"
    sign = "up to " if one.action == "wait" else ""
    seconds = "unknown" if one.seconds is None else f"{sign}{duration(one.seconds)}"
    return seconds, "unknown" if one.cost_usd is None else f"{sign}${one.cost_usd:,.2f}"


def why(reasons: Sequence[Reason]) -> list[str]:
    """Return reasons as lines: those of one kind together where only a name tells them apart."""
    lines: list[str] = []
    grouped: dict[str, list[str]] = {}
    for reason in reasons:
        if reason.old is not None or not reason.name:
            lines.append(str(reason))
        else:
            grouped.setdefault(str(reason.kind), []).append(reason.name)
    for kind, names in grouped.items():
        more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
        lines.append(f"{kind}: {', '.join(names[:_SHOWN])}{more}")
    return lines


def _closing(plan: Plan, target: str) -> list[str]:
    lines = []
    if plan.gone:
        lines.append(f"No longer in this workflow: {', '.join(plan.gone)}; nothing of it is used.")
        lines.append(f"If a phase was renamed, give its function name={plan.gone[0]!r} to go on with its results.")
    if plan.is_finished:
        return [*lines, "Everything is finished: a run would give the results back at once."]
    lines.append(f"Certain: {duration(plan.seconds)}, ${plan.cost_usd:,.2f}.")
    if plan.possible_seconds or plan.possible_cost_usd:
        lines.append(f"If outputs change: {duration(plan.possible_seconds)}, ${plan.possible_cost_usd:,.2f} more.")
    if plan.unpriced:
        lines.append(f"Without a history to go by: {', '.join(plan.unpriced)}.")
    if any(one.action == "stop" for one in plan.phases):
        lines.append("To go on with what is recorded:  milepost run " + target + " --on-change keep")
        lines.append("To set it aside and begin anew:  milepost run " + target + " --on-change restart")
    return lines


def failure(phases: Mapping[str, Seen], error: BaseException) -> dict[str, Any]:
    """Return what came of a run that ended with an *error*, as plain JSON values."""
    return {
        "ran": [name for name, seen in phases.items() if seen.state == "finished"],
        "reused": [name for name, seen in phases.items() if seen.state == "reused"],
        "error": {"code": getattr(error, "code", "stopped"), "type": type(error).__name__, "message": str(error)},
        "cost_usd": sum(seen.cost_usd for seen in phases.values()),
        "phases": [_of_phase(seen, seen.state) for seen in phases.values()],
    }


def _of_phase(seen: Seen, state: str) -> dict[str, Any]:
    return {
        "phase": seen.phase,
        "state": state,
        "done": seen.done,
        "expected": seen.total,
        "new": seen.done - seen.done_before,
        "failed": seen.failed,
        "retried": seen.retried,
        "cost_usd": seen.cost_usd,
        "errors": seen.errors,
    }


def outcome(phases: Mapping[str, Seen], outputs: Outputs, folder: Path | str, seconds: float) -> dict[str, Any]:
    """Return what came of a run as plain JSON values."""
    return {
        "ran": outputs.ran,
        "reused": outputs.reused,
        "left": outputs.left,
        "folder": str(folder),
        "seconds": round(seconds, 3),
        "cost_usd": sum(seen.cost_usd for seen in phases.values()),
        "phases": [
            _of_phase(seen, "finished" if seen.phase in outputs.ran else seen.state) for seen in phases.values()
        ],
    }


def tell_outcome(phases: Mapping[str, Seen], outputs: Outputs, folder: Path | str, seconds: float) -> None:
    """Print what came of a run, and what to do next."""
    failed = sum(seen.failed for seen in phases.values())
    spent = sum(seen.cost_usd for seen in phases.values())
    ran = f"{len(outputs.ran)} of {len(outputs.ran) + len(outputs.reused) + len(outputs.left)} phases ran"
    reused = f", {len(outputs.reused)} reused" if outputs.reused else ""
    money = f", ${spent:,.2f} spent" if spent else ""
    typer.echo(f"{ran}{reused}, in {duration(seconds)}{money}.")
    for name, reason in outputs.left.items():
        typer.echo(escaped(f"Not finished: {name}: {reason}."))
    if failed:
        typer.echo(f"{failed:,} {'item' if failed == 1 else 'items'} failed. To try only that: --retry-failed")
    last = outputs.ran[-1] if outputs.ran else next(reversed(outputs.reused), None)
    if last is not None:
        typer.echo(escaped(f"Look at a result: milepost show {shlex.quote(last)} .result{_dir_option(folder)}"))


def _dir_option(folder: Path | str) -> str:
    """Return the option that names *folder* as one would type it here; nothing where it is the default."""
    if isinstance(folder, Path):
        with suppress(ValueError):
            folder = folder.relative_to(Path.cwd())
    return "" if str(folder) == DEFAULT_ROOT else f" --store {shlex.quote(str(folder))}"
