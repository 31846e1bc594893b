"""The commands that carry a workflow on and watch it: plan, run and status."""

from __future__ import annotations

import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live

from milepost import report
from milepost.cli import planned
from milepost.cli.common import (
    DAMAGED,
    DEFAULT_ROOT,
    DIFFERENT,
    MEDIUM,
    AsJson,
    PhaseNames,
    Root,
    complain,
    escaped,
    help_of,
    print_json,
)
from milepost.cli.live import Watcher
from milepost.cli.rendering import table_console
from milepost.cli.target import workflow_of
from milepost.cli.watched import status_table
from milepost.errors import BudgetReached, Interrupted, InvalidArgument, MilepostError, PhaseFailed

Target = Annotated[str, typer.Argument(help="module:workflow, or path/to/file.py:workflow.")]
Params = Annotated[
    list[str] | None, typer.Option("--param", metavar="KEY=VALUE", help="Override a setting of the config; repeatable.")
]
Start = Annotated[str | None, typer.Option("--from", metavar="PHASE", help="Begin at this phase.")]
To = Annotated[str | None, typer.Option("--to", metavar="PHASE", help="End with this phase.")]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="PHASE", help="Only this phase; repeatable.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Set the runs of these phases aside and begin anew.")]
Store = Annotated[
    str | None,
    typer.Option(
        "--store", "--dir", metavar="PATH_OR_URL", help="The checkpoint folder or store; by default the workflow's own."
    ),
]
OnChange = Annotated[
    str | None,
    typer.Option("--on-change", metavar="WORD", help="What to do about changed code or settings: stop, restart, keep."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command(
        "plan",
        help=help_of(
            "Tell what a run would do, why, and what it would take. No body of a phase is entered, nothing is written.",
            "milepost plan job.py:workflow --json | jq '.phases[].action'",
        ),
    )(plan)
    app.command(
        "run",
        help=help_of(
            "Carry a workflow on from where it stands. Run the same command again after any interruption.",
            "milepost run job.py:workflow --from phase_3 --param threshold=0.8",
        ),
    )(run)
    app.command(
        "status",
        help=help_of(
            "Tell how far each phase of a checkpoint folder is, also while it runs; it is never held up by this.",
            "milepost status --dir checkpoints --watch",
        ),
    )(status)


def plan(
    target: Target,
    params: Params = None,
    start: Start = None,
    to: To = None,
    only: Only = None,
    fresh: Fresh = False,
    store: Store = None,
    on_change: OnChange = None,
    check: Annotated[bool, typer.Option("--check", help="Leave with 1 if anything would run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what a run would do."""
    workflow = workflow_of(target)
    found = workflow.plan(
        params=_pairs(params), store=store, start=start, to=to, only=only, fresh=fresh, on_change=on_change
    )
    if as_json:
        print_json(planned.document(found))
    else:
        planned.show(found, target, table_console())
    if check and not found.is_finished:
        raise typer.Exit(DIFFERENT)


def run(
    target: Target,
    params: Params = None,
    start: Start = None,
    to: To = None,
    only: Only = None,
    fresh: Fresh = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run what failed and nothing else.")] = False,
    store: Store = None,
    on_change: OnChange = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="In a shared store: take the phases from a process that holds them.")
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Independent phases that run side by side.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    as_json: AsJson = False,
) -> None:
    """Carry a workflow on."""
    workflow = workflow_of(target)
    begun = time.monotonic()
    watcher = Watcher(quiet=quiet)
    try:
        with watcher:
            outputs = workflow.run(
                params=_pairs(params),
                store=store,
                start=start,
                to=to,
                only=only,
                fresh=fresh,
                retry_failed=retry_failed,
                on_change=on_change,
                on_event=watcher,
                jobs=jobs,
                take_over=take_over,
            )
    except (MilepostError, BudgetReached, Interrupted) as error:
        if as_json:
            print_json(planned.failure(watcher.phases, error))
        if isinstance(error, PhaseFailed):
            _show_cause(error)
        raise  # an exit has its own code, and the library has told of it
    folder = workflow.store_for(_pairs(params), store)
    _summarise(watcher, outputs, folder, time.monotonic() - begun, as_json=as_json)
    if outputs.left or any(seen.failed for seen in watcher.phases.values()):
        raise typer.Exit(DIFFERENT)


def status(
    phases: PhaseNames = None,
    root: Root = DEFAULT_ROOT,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again until nothing runs any more.")] = False,
    every_seconds: Annotated[float, typer.Option("--every-seconds", min=0.1, help="How often --watch looks.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Tell how far each phase is."""
    found = report.status(root, phases or ())
    if watch:
        found = _watch(root, phases or [], every_seconds, as_json=as_json)
    elif as_json:
        print_json([asdict(one) for one in found])
    else:
        table_console().print(status_table(found))
    problems = [one.problem for one in found if one.problem is not None]
    complain(*problems)
    if problems:
        is_damaged = any(one.state is report.RunState.DAMAGED for one in found)
        raise typer.Exit(DAMAGED if is_damaged else MEDIUM)


def _watch(root: str, phases: list[str], every_seconds: float, *, as_json: bool) -> list[report.PhaseStatus]:
    """Show the status until no phase is running; Ctrl-C ends it."""
    console = table_console()
    found = report.status(root, phases)
    live = Live(status_table(found), console=console, auto_refresh=False) if console.is_terminal else None
    try:
        if live is not None and not as_json:
            live.start()
        while True:
            if as_json:
                typer.echo(planned.one_line([asdict(one) for one in found]))
            elif live is not None:
                live.update(status_table(found), refresh=True)
            else:
                console.print(status_table(found))
            if not any(one.state is report.RunState.RUNNING for one in found):
                return found
            time.sleep(every_seconds)
            found = report.status(root, phases)
    finally:
        if live is not None:
            live.stop()


def _pairs(params: list[str] | None) -> dict[str, str]:
    """Return ``KEY=VALUE`` texts as a mapping.

    Raises:
        InvalidArgument: One has no ``=``.
    """
    pairs: dict[str, str] = {}
    for text in params or []:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise InvalidArgument(f"--param {text!r}: KEY=VALUE is needed.")
        pairs[key] = value
    return pairs


def _show_cause(failure: PhaseFailed) -> None:
    """Print the traceback of the body that failed, from where the user's own code begins."""
    cause = failure.__cause__
    if cause is None:
        return
    frames = traceback.extract_tb(cause.__traceback__)
    own = [frame for frame in frames if f"{Path(__file__).parents[1]}" not in frame.filename]
    lines = traceback.format_list(own) + traceback.format_exception_only(cause)
    sys.stderr.write(escaped("".join(lines)))


def _summarise(watcher: Watcher, outputs: Any, folder: Path | str, seconds: float, *, as_json: bool) -> None:
    if as_json:
        print_json(planned.outcome(watcher.phases, outputs, folder, seconds))
        return
    planned.tell_outcome(watcher.phases, outputs, folder, seconds)
