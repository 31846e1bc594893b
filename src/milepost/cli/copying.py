"""The command that moves runs from one store to another."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from milepost import report, upkeep
from milepost.cli.common import AsJson, escaped, help_of, print_json
from milepost.errors import InvalidArgument
from milepost.run.place import location_of
from milepost.stores.opening import scheme_of
from milepost.upkeep.copying import AHEAD, CONTINUED, COPIED, THERE, Copied, Told

_WORDS = {
    COPIED: "copied and verified",
    CONTINUED: "{new:,} of them new, verified",
    THERE: "was there already, verified",
    AHEAD: "has gone on there; nothing was done",
}


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    text = (
        "Copy runs from one store into another, byte for byte, and verify what arrived. A job may go on at the source "
        "meanwhile: the same command later brings the rest. Killed anywhere, it goes on where it stood."
    )
    app.command("copy", help=help_of(text, "milepost copy checkpoints postgresql://db.example/milepost"))(copy)


def copy(
    source: Annotated[str, typer.Argument(metavar="SRC", help="The folder or the store's URL to copy from.")],
    target: Annotated[str, typer.Argument(metavar="DST", help="The folder or the store's URL to copy into.")],
    phases: Annotated[list[str] | None, typer.Argument(metavar="[PHASE]...", help="Phases by name; else all.")] = None,
    with_runs: Annotated[bool, typer.Option("--with-runs", help="Take along runs that were set aside.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Set aside another run that is there already.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy runs into another store."""
    for one in (source, target):
        if scheme_of(one) == "memory":
            raise InvalidArgument(f"{one}: what is in memory is gone when this command ends; name a store that stays.")
    names = list(dict.fromkeys(phases or report.names(source)))
    with _bar() as told:
        done = upkeep.copy_runs(source, target, names, with_runs=with_runs, replace=replace, told=told)
    if as_json:
        print_json([one._asdict() for one in done])
        return
    for copied in done:
        typer.echo(escaped(_line(copied)))
    named = shlex.quote(str(location_of(target).named))
    typer.echo(escaped(f"To use it: --store {named}, or MILEPOST_STORE for a job."))


def _line(one: Copied) -> str:
    aside = " (set aside)" if one.aside else ""
    what = _WORDS[one.outcome].format(new=one.new)
    kept = f"{one.records:,} records, {one.checkpoints} checkpoints, {one.documents} documents"
    return f"{one.phase}: run {one.run}{aside}, {kept}: {what}"


@contextmanager
def _bar() -> Iterator[Told]:
    """Show how far a copy is, at a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Copying", total=None)

        def told(phase: str, done: int, total: int) -> None:
            bar.update(task, description=escaped(phase), completed=done, total=total)

        yield told
