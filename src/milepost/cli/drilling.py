"""The command that proves a job: drill."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from milepost.cli.common import USAGE, AsJson, complain, help_of
from milepost.drill import (
    CLOCKS,
    FAULTS,
    ONE_FAULT,
    WHENS,
    Drill,
    Experiment,
    Report,
    Settings,
    Step,
    Stopped,
    as_json,
    as_text,
    write_report,
)
from milepost.drill.telling import check_format
from milepost.errors import InvalidArgument

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ONE = "Which one experiment to make, as a report names it: "

HELP = f"""Interrupt a job at every commit, resume it, and compare what it gives with an undisturbed run.

The command runs in copies of the working folder. It is killed before and after each commit (a record or a document
that becomes visible), in whichever of its processes, and run again until it finishes. Its outputs must be equal byte
for byte, no item may run twice without need, and no call may be paid twice. The first difference ends the drill and
is told with what it points to, and with the command that makes that one experiment again.

Faults: {", ".join(FAULTS)}; docs/drill.md says what each does."""


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    example = "milepost drill --faults kill,torn --report drill.html -- python job.py"
    app.command("drill", help=help_of(HELP, example), context_settings={"allow_interspersed_args": False})(drill)


def drill(
    command: Annotated[list[str], typer.Argument(help="The command, behind `--`.", show_default=False)],
    every_commit: Annotated[bool, typer.Option("--every-commit", help="At every commit; so without --random.")] = False,
    random: Annotated[int | None, typer.Option(metavar="N", help="So many experiments, drawn at random.")] = None,
    seed: Annotated[int, typer.Option(help="Draws the same experiments again.")] = 0,
    faults: Annotated[str, typer.Option(help="Which faults, with commas between them, or all.")] = "kill",
    compare: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="Compare only this file or folder (repeatable).")
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Do not compare (repeatable).")] = None,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Do not end at the first difference.")] = False,
    jobs: Annotated[int, typer.Option(help="How many run side by side; 0 is one for each core.")] = 0,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Kill a run that takes longer [ten times the usual, 60 s more]."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write a report: .html, .md or .json.")] = None,
    as_json_: AsJson = False,
    at: Annotated[int | None, typer.Option(metavar="N", help=_ONE + "at this commit.")] = None,
    when: Annotated[str, typer.Option(help=_ONE + "before or after it.")] = "before",
    fault: Annotated[str, typer.Option(help=_ONE + "with this fault.")] = "kill",
    at_seconds: Annotated[float | None, typer.Option(help=_ONE + "SIGKILL this long after the start.")] = None,
    again: Annotated[int, typer.Option(metavar="N", help=_ONE + "killed again at this commit of the resume.")] = 0,
) -> None:
    """Interrupt a job again and again and compare."""
    if every_commit and random is not None:
        raise InvalidArgument("--every-commit and --random: choose one of them.")
    if report is not None:
        check_format(report)
    settings = Settings(
        command=command,
        folder=Path.cwd(),
        faults=FAULTS if faults == "all" else [word.strip() for word in faults.split(",")],
        random=random,
        seed=seed,
        only=_only(at, when, fault, at_seconds, again),
        compare=compare or (),
        ignore=ignore or (),
        keep_going=keep_going,
        jobs=jobs,
        timeout_seconds=timeout,
    )
    found = _made(settings)
    typer.echo(as_json(found) if as_json_ else as_text(found), nl=False)
    if report is not None:
        write_report(report, found)
    raise typer.Exit(found.exit_code)


def _only(at: int | None, when: str, fault: str, at_seconds: float | None, again: int) -> Experiment | None:
    if at is None and at_seconds is None:
        return None
    if when not in WHENS or fault not in ONE_FAULT:
        kinds = ", ".join((*FAULTS, *CLOCKS))
        raise InvalidArgument(f"--when {when} --fault {fault}: before or after, and one of {kinds} are needed.")
    if (at is not None and at < 1) or (at_seconds is not None and at_seconds < 0) or again < 0:
        raise InvalidArgument("--at, --at-seconds and --again: commits count from 1, and seconds from 0.")
    return Experiment(seconds=at_seconds, again=again) if at is None else Experiment(fault, at, when, None, again)


def _made(settings: Settings) -> Report:
    """Make the drill behind a progress bar; a signal ends it with nothing left behind."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[differences]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Undisturbed runs", total=None, differences="")

        def show(step: Step) -> None:
            told = f"{step.differences} differ" if step.differences else ""
            what = "Experiments" if step.total else "Undisturbed runs"
            bar.update(task, description=what, completed=step.done, total=step.total or None, differences=told)

        drilled = Drill(settings, show)
        with _stopped_by_signals(drilled) as received:
            try:
                return drilled.run()
            except Stopped:
                bar.stop()
                complain(f"milepost: the drill was stopped by {received[0].name}; nothing of it is left behind.")
                if drilled.report.differences:
                    complain(as_text(drilled.report))
                elif drilled.report.tried:
                    complain(
                        f"{drilled.report.tried} of {drilled.report.planned} experiments were made, all identical."
                    )
                raise typer.Exit(128 + received[0]) from None
            except OSError as error:
                bar.stop()
                complain(f"milepost: the working folder cannot be copied: {error}")
                raise typer.Exit(USAGE) from None


@contextmanager
def _stopped_by_signals(drilled: Drill) -> Iterator[list[signal.Signals]]:
    received: list[signal.Signals] = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(signal.Signals(number))
        drilled.stop()

    before = {one: signal.signal(one, note) for one in _SIGNALS}
    try:
        yield received
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
