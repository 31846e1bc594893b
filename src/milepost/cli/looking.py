"""The commands that look at what was saved and change nothing: list and show."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from milepost import codec, report
from milepost.cli.common import DAMAGED, USAGE, AsJson, PhaseName, Root, escaped, help_of, print_json


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command("list", help=help_of("List the phases of a checkpoint folder.", "milepost list --dir checkpoints"))(
        list_phases
    )
    app.command(
        "show",
        help=help_of(
            "Print the newest saved state of a phase as JSON, journal included; of a milepost.Phase also what is done, "
            "what failed, and its result.",
            "milepost show phase_3 --dir checkpoints | jq .state",
        ),
    )(show)


def list_phases(root: Root = Path("checkpoints"), as_json: AsJson = False) -> None:
    """List every phase: how far it is, how old, how large, and what is damaged."""
    found = report.phases(root)
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        Console().print(_table(found))
    damage = [line for one in found for line in one.damage]
    for line in damage:
        typer.echo(escaped(line), err=True)
    if damage:
        raise typer.Exit(DAMAGED)


def show(
    phase: PhaseName,
    root: Root = Path("checkpoints"),
) -> None:
    """Print the newest saved state of a phase."""
    items = report.items(root, phase)
    if items is not None:
        typer.echo(json.dumps(json.loads(codec.encode(asdict(items))), indent=2, ensure_ascii=False))
        return
    latest, damage = report.latest(root, phase)
    for line in damage:
        typer.echo(escaped(line), err=True)
    if latest is None:
        what = "no intact state is left" if damage else "nothing is saved there"
        typer.echo(f"milepost: {escaped(str(root / phase))}: {what}.", err=True)
        raise typer.Exit(DAMAGED if damage else USAGE)
    fields = {"phase": latest.phase, "iteration": latest.iteration, "timestamp": latest.timestamp}
    content = {**fields, "metadata": latest.metadata, "state": latest.state}
    typer.echo(json.dumps(json.loads(codec.encode(content)), indent=2, ensure_ascii=False))
    if damage:
        raise typer.Exit(DAMAGED)


def _table(found: list[report.PhaseReport]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("phase", "progress", "age", "files", "records", "size", "aside"):
        table.add_column(name, justify="left" if name in {"phase", "progress"} else "right", no_wrap=True)
    for one in found:
        table.add_row(
            escaped(one.phase),
            _progress(one),
            "-" if one.age_hours is None else f"{one.age_hours:.1f} h",
            str(one.checkpoints),
            str(one.records),
            f"{one.size_bytes / 1024:,.0f} KB",
            str(len(one.set_aside)),
        )
    return table


def _progress(one: report.PhaseReport) -> str:
    if one.done is not None:
        failed = f", {one.failed:,} failed" if one.failed else ""
        return f"{one.done:,} done{failed}{', complete' if one.complete else ''}"
    return "-" if one.iteration is None else f"iteration {one.iteration}"
