"""The commands that look at what was saved and change nothing: list, show, diff, verify."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from milepost import report
from milepost.cli.common import (
    DAMAGED,
    DEFAULT_ROOT,
    DIFFERENT,
    MEDIUM,
    USAGE,
    AsJson,
    PhaseName,
    PhaseNames,
    Root,
    complain,
    escaped,
    help_of,
    place_of,
    print_json,
    size_text,
)
from milepost.cli.rendering import selected, short, show_json, table_console, table_of
from milepost.errors import InvalidArgument
from milepost.report import comparing, verify
from milepost.run.place import location_of

_MOST_SHOWN = 20
RunName = Annotated[str | None, typer.Option("--run", help="A run that was set aside, by its id in `milepost list`.")]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command("list", help=help_of("List the phases of a checkpoint folder.", "milepost list --dir checkpoints"))(
        list_phases
    )
    text = (
        "Print the newest saved state of a phase as JSON, journal included; of a milepost.Phase also what is done, "
        "what failed, and its result. A query in jq's language picks a part of it."
    )
    app.command("show", help=help_of(text, "milepost show phase_3 '.state.results[3].title'"))(show)
    text = (
        "Compare two checkpoints of a CheckpointManager (files, iterations, or `newest`), two runs of a phase "
        "(--runs; `current` is the phase's own), or two phases."
    )
    app.command("diff", help=help_of(text, "milepost diff phase_3 5 newest"))(diff)
    text = (
        "Check journals, checkpoints, manifests and other documents, byte by byte, and a finished run with its outputs "
        "against its receipt. Changes nothing. Prints a line for each phase, to be kept elsewhere and compared later."
    )
    app.command("verify", help=help_of(text, "milepost verify > witness.txt; milepost verify --witness witness.txt"))(
        check
    )


def list_phases(root: Root = DEFAULT_ROOT, as_json: AsJson = False) -> None:
    """List every phase: how far it is, how old, how large, and what is damaged."""
    found = report.phases(root)
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        table_console().print(_table(found))
        _tell_runs(found)
    damage = [line for one in found for line in one.damage]
    unreadable = [one.unreadable for one in found if one.unreadable]
    complain(*damage, *unreadable)
    if damage or unreadable:
        raise typer.Exit(DAMAGED if damage else MEDIUM)


def show(
    phase: PhaseName,
    query: Annotated[str | None, typer.Argument(help="A query in jq's language, such as '.state.books[0]'.")] = None,
    root: Root = DEFAULT_ROOT,
    checkpoint: Annotated[str | None, typer.Option(help="An older checkpoint: its file, or its iteration.")] = None,
    record: Annotated[int | None, typer.Option(help="One record of the journal, by its number.")] = None,
    item: Annotated[str | None, typer.Option(help="The newest record of an item, by its key.")] = None,
    loop: Annotated[str | None, typer.Option(help="The item's loop, where there are several.")] = None,
    run: RunName = None,
    as_json: AsJson = False,
) -> None:
    """Print what is saved of a phase."""
    if sum(one is not None for one in (checkpoint, record, item)) > 1:
        raise InvalidArgument("name one of --checkpoint, --record and --item.")
    damage: list[str] = []
    document: Any
    if checkpoint is not None:
        document = _named(report.checkpoint(root, phase, checkpoint, run))
    elif record is not None:
        document = report.record(root, phase, record, run)
    elif item is not None:
        document = report.item(root, phase, item, loop, run)
    else:
        document, damage = _newest(root, phase, run)
    show_json(selected(document, query), plain=as_json)
    if damage:
        raise typer.Exit(DAMAGED)


def _newest(root: str, phase: str, run: str | None) -> tuple[Any, list[str]]:
    items = report.items(root, phase, run)
    if items is not None:
        return _named(items), []
    latest, damage = report.latest(root, phase, run)
    complain(*damage)
    if latest is None:
        what = "no intact state is left" if damage else "nothing is saved there"
        complain(f"milepost: {place_of(root, phase)}: {what}.")
        raise typer.Exit(DAMAGED if damage else USAGE)
    return _named(latest), damage


def _named(document: report.Items | report.Latest) -> dict[str, Any]:
    """Return the fields by name; `asdict` would copy all of a large state."""
    return {field.name: getattr(document, field.name) for field in fields(document)}


def diff(
    phase: PhaseName,
    old: Annotated[str | None, typer.Argument(metavar="[A]", help="A checkpoint, or with --runs a run.")] = None,
    new: Annotated[str | None, typer.Argument(metavar="[B]", help="The other one.")] = None,
    root: Root = DEFAULT_ROOT,
    runs: Annotated[bool, typer.Option("--runs", help="A and B are runs: ids, or `current`.")] = False,
    other_phase: Annotated[str | None, typer.Option("--with", help="Compare with this phase.")] = None,
    other_root: Annotated[
        str | None,
        typer.Option("--with-store", "--with-dir", metavar="PATH_OR_URL", help="Compare with this folder or store."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two checkpoints, two runs, or two phases."""
    elsewhere = other_phase is not None or other_root is not None
    if old is None and new is None and not elsewhere:
        raise InvalidArgument("name what is to be compared: two checkpoints, two runs (--runs), or --with PHASE.")
    if (old is None) != (new is None) and not elsewhere:
        raise InvalidArgument("two things are needed to compare; `newest` names the newest state.")
    sides = []
    for name, at, of in ((old, root, phase), (new, other_root or root, other_phase or phase)):
        run = None if not runs or name in (None, "current") else name
        sides.append(comparing.Side(at, of, run=run, checkpoint=None if runs else name))
    found = comparing.compare(sides[0], sides[1])
    if as_json:
        print_json(_difference(found))
    else:
        _tell_difference(found)
    if not found.is_equal:
        raise typer.Exit(DIFFERENT)


def check(
    phases: PhaseNames = None,
    root: Root = DEFAULT_ROOT,
    witness: Annotated[Path | None, typer.Option(help="A file with lines of an earlier verify.")] = None,
    with_runs: Annotated[bool, typer.Option("--with-runs", help="Check runs that were set aside, too.")] = False,
    outputs: Annotated[
        bool, typer.Option("--outputs/--no-outputs", help="Hold files that phases wrote against their receipts.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Check what is stored."""
    kept = verify.read_witnesses(witness) if witness else []
    named = list(dict.fromkeys(phases or [*report.names(root), *(line.phase for line in kept)]))
    if not named:  # else a wrong folder would count as an intact one
        raise InvalidArgument(f"{location_of(root).spot}: there is no phase in it.")
    done: list[verify.Verified] = []
    for phase in named:
        lines = [line for line in kept if line.phase == phase]
        try:
            done += verify.verify(root, phase, kept=lines, with_runs=with_runs, outputs=outputs)
        except InvalidArgument:
            if not lines:
                raise
            gone = verify.Finding(
                "witness", f"{place_of(root, phase)}: this phase was here when the line was kept, and is gone."
            )
            done.append(verify.Verified(phase, None, findings=[gone]))
    if as_json:
        print_json([_verified(one) for one in done])
    else:
        for one in done:
            if one.witness is not None:
                typer.echo(escaped(one.witness.line()))
        intact = sum(not one.findings for one in done)
        complain(f"{intact} of {len(done)} runs are intact.", *(line for one in done for line in _lines_of(one)))
        complain(*(note for one in done for note in one.notes))
    if any(one.findings for one in done):
        raise typer.Exit(DAMAGED)


# --- how it is told


def _verified(one: verify.Verified) -> dict[str, Any]:
    document = asdict(one)
    document["findings"] = [finding._asdict() for finding in one.findings]
    document["witness"] = one.witness.line() if one.witness else None
    return {**document, "intact": not one.findings}


def _lines_of(one: verify.Verified) -> list[str]:
    return [f"{one.phase}: {finding.check}: {finding.message}" for finding in one.findings]


def _difference(found: comparing.Comparison) -> dict[str, Any]:
    changed = {
        loop: {key: [change._asdict() for change in changes] for key, changes in keys.items()}
        for loop, keys in found.changed.items()
    }
    rest = {name: [change._asdict() for change in getattr(found, name)] for name in ("labels", "state", "result")}
    return {"equal": found.is_equal, "added": found.added, "removed": found.removed, "changed": changed, **rest}


def _tell_difference(found: comparing.Comparison) -> None:
    if found.is_equal:
        typer.echo("equal")
        return
    console = Console(highlight=False, soft_wrap=True)
    for sign, style, loops in (("+", "green", found.added), ("-", "red", found.removed)):
        for loop, keys in loops.items():
            for key in keys[:_MOST_SHOWN]:
                console.print(Text(f"{sign} item {_item(loop, key)}", style))
            _tell_rest(console, len(keys))
    for loop, items in found.changed.items():
        for key, changes in list(items.items())[:_MOST_SHOWN]:
            console.print(Text(f"~ item {_item(loop, key)}", "yellow"))
            _tell_changes(console, changes, "    ")
        _tell_rest(console, len(items))
    for name, changes in (("labels", found.labels), ("state", found.state), ("result", found.result)):
        if changes:
            console.print(Text(f"~ {name}", "yellow"))
            _tell_changes(console, changes, "    ")


def _tell_changes(console: Console, changes: list[comparing.Change], indent: str) -> None:
    for change in changes[:_MOST_SHOWN]:
        path = escaped(change.path)
        if change.kind == "added":
            console.print(Text(f"{indent}+ {path}: {short(change.new)}", "green"))
        elif change.kind == "removed":
            console.print(Text(f"{indent}- {path}: {short(change.old)}", "red"))
        else:
            console.print(Text(f"{indent}~ {path}: {short(change.old)} -> {short(change.new)}"))
    _tell_rest(console, len(changes))


def _tell_rest(console: Console, count: int) -> None:
    if count > _MOST_SHOWN:
        console.print(Text(f"    … and {count - _MOST_SHOWN:,} more; --json has them all"))


def _item(loop: str, key: str) -> str:
    return escaped(f"{loop}/{key}" if loop else key)


def _table(found: list[report.PhaseReport]) -> Table:
    table = table_of("phase", "progress", "age", "files", "records", "size", "aside")
    for one in found:
        table.add_row(
            Text(escaped(one.phase)),
            _progress(one),
            "-" if one.age_hours is None else f"{one.age_hours:.1f} h",
            str(one.checkpoints),
            str(one.records),
            f"{one.size_bytes / 1024:,.0f} KB",
            str(len(one.runs)),
        )
    return table


def _tell_runs(found: list[report.PhaseReport]) -> None:
    """Tell where forked runs came from, and which runs were set aside."""
    for one in found:
        if one.origin:
            typer.echo(escaped(f"{one.phase}: run {one.run} {_whence(one.origin)}"))
        for run in one.runs:
            whence = f", {_whence(run.origin)}" if run.origin else ""
            since = f", begun {run.created}" if run.created else ""
            typer.echo(escaped(f"{one.phase}: set aside: {run.folder} ({size_text(run.size_bytes)}{since}{whence})"))


def _whence(origin: dict[str, Any]) -> str:
    if origin.get("checkpoint"):
        return f"forked from run {origin['run']} at {origin['checkpoint']}"
    item = f", from item {short(origin['item'])} on" if origin.get("item") is not None else ""
    return f"forked from run {origin['run']} behind record {origin['sequence']}{item}"


def _progress(one: report.PhaseReport) -> str:
    if one.unreadable:
        return "cannot be read"
    if one.foreign:
        return "(no phase)"
    if one.done is not None:
        failed = f", {one.failed:,} failed" if one.failed else ""
        return f"{one.done:,} done{failed}{', complete' if one.complete else ''}"
    return "-" if one.iteration is None else f"iteration {one.iteration}"
