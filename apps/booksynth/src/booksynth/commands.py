"""What the commands do, behind their arguments."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from booksynth import settings
from booksynth.console import Terminal, file_handler, log_handler
from booksynth.exits import translated
from booksynth.interrupts import Interrupts
from booksynth.report import Report, shown
from booksynth.request import InputError, Request
from booksynth.summary import count
from booksynth.texts import printable
from milepost.errors import ForeignRun, StoreUnavailable

if TYPE_CHECKING:
    from booksynth.settings import Settings

log = logging.getLogger(__name__)

SWITCH = "MILEPOST_DISABLE"
STORE = "checkpoints.store"
KEPT = "what is finished is kept. To go on:"
NOT_KEPT = "nothing was kept. To begin again:"


def phase_3(
    *,
    analysis_dir: Path | None,
    output_dir: Path | None,
    config: Path | None,
    dry_run: bool,
    fresh: bool,
    strict: bool,
    as_json: bool,
    store: str | None = None,
) -> Report:
    """Run phase 3 by itself and return what it did; every other way out is an exit code."""
    from booksynth import synthesis
    from booksynth.phase_3 import run

    terminal = Terminal(sys.stderr if as_json else None)
    interrupts = Interrupts()
    request: Request | None = None
    with translated(lambda: _kept(request)), interrupts.installed():
        request = _request(config, analysis_dir, output_dir, dry_run, fresh, strict, store)
        with (
            _explained(request.output_dir, request.settings, "phase-3", "run"),
            _logging(request.settings, request.output_dir, terminal, to_file=not dry_run),
        ):
            if synthesis.is_wanted(request.settings.models):
                log.warning("models.model is set; phase 3 by itself asks no model, `booksynth run` does")
            report = run(request, terminal, interrupts)
            terminal.finish(report)
            if as_json:
                _print_bytes(report.encode())
    return report


def evaluate(*, labels: Path, analysis_dir: Path, config: Path | None, as_json: bool) -> None:
    """Score the merging against judged pairs; every other way out is an exit code."""
    from booksynth import evaluate as scoring

    interrupts = Interrupts()
    with translated(lambda: "nothing was written. To begin again:"), interrupts.installed():
        chosen = settings.manager(config).load().phases.phase_3
        score, problems = scoring.run(labels, analysis_dir, chosen)
        for problem in problems:
            _tell(f"{problem.file}: {problem.reason}")
        text = scoring.as_json(score) if as_json else "\n".join(scoring.lines(score, chosen.similarity_threshold))
        _print_bytes(f"{text}\n".encode())


def explain(*, first: str, second: str, output_dir: Path, as_json: bool) -> None:
    """Tell why two recommendations were merged, or why not; every other way out is an exit code."""
    from booksynth import explain as explaining

    interrupts = Interrupts()
    with translated(lambda: "nothing was written. To begin again:"), interrupts.installed():
        found = explaining.explain(explaining.read(output_dir), first, second)
        text = explaining.as_json(found) if as_json else "\n".join(map(printable, explaining.lines(found)))
        _print_bytes(f"{text}\n".encode())


def _tell(text: str) -> None:
    print(printable(text), file=sys.stderr)


def _kept(request: Request | None) -> str:
    is_kept = request is not None and not request.dry_run and request.settings.checkpoints.enabled
    return KEPT if is_kept else NOT_KEPT


def _request(
    config: Path | None,
    analysis_dir: Path | None,
    output_dir: Path | None,
    dry_run: bool,
    fresh: bool,
    strict: bool,
    store: str | None,
) -> Request:
    chosen = settings.manager(config).load({} if store is None else {STORE: store})
    source = analysis_dir or chosen.paths.analysis_dir
    target = output_dir or chosen.paths.output_dir
    if source is None or target is None:
        name = "analysis" if source is None else "output"
        message = f"give --{name}-dir, or set paths.{name}_dir in the configuration"
        raise InputError(message)
    return Request(source, target, chosen, dry_run, fresh, strict)


@contextmanager
def _logging(chosen: Settings, output_dir: Path, terminal: Terminal, *, to_file: bool) -> Iterator[None]:
    handlers = [log_handler(terminal.console)]
    if chosen.logging.file is not None and to_file:
        path = output_dir / chosen.logging.file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(file_handler(path))
        except OSError as error:
            message = f"the log file {shown(path)} cannot be opened: {error.strerror}"
            raise StoreUnavailable(message) from error
    loggers = [logging.getLogger(name) for name in ("booksynth", "milepost")]
    for logger in loggers:
        logger.setLevel(chosen.logging.level)
        for handler in handlers:
            logger.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            for logger in loggers:
                logger.removeHandler(handler)
            handler.close()


def _print_bytes(data: bytes) -> None:
    # Bytes, because the terminal's own encoding may not know every letter of a title.
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


# --- the page


def report(output_dir: Path) -> None:
    """Make the page of the list that stands in *output_dir*, and say where it is; else leave with an exit code."""
    from booksynth.page.standing import remake

    with translated(lambda: NOT_KEPT):
        path, recommendations = remake(output_dir)
        Terminal(None).print(f"{shown(path)}: {count(recommendations, 'recommendation')}")


# --- the workflow


def run(
    *,
    shelf_dir: Path | None,
    output_dir: Path | None,
    config: Path | None,
    fresh: bool,
    dry_run: bool,
    as_json: bool,
    start: str | None,
    to: str | None,
    only: list[str] | None,
    store: str | None = None,
) -> None:
    """Run phases 2 to 4, or say what they would do; every other way out is an exit code."""
    terminal = Terminal(sys.stderr if as_json else None)
    chosen: Settings | None = None

    def kept() -> str:
        return KEPT if chosen is not None and chosen.checkpoints.enabled and not dry_run else NOT_KEPT

    with translated(kept), Interrupts().installed():
        params = _params(shelf_dir, output_dir, config, store)
        chosen = settings.load(params)
        limits = {"start": start, "to": to, "only": only or None, "fresh": fresh}
        folder = _output_of(chosen)
        with (
            _explained(folder, chosen, "run", "phase-3"),
            _switched_off(off=not chosen.checkpoints.enabled),
            _logging(chosen, folder, terminal, to_file=not dry_run),
        ):
            document = _plan(params, limits, chosen, terminal) if dry_run else _run(params, limits, chosen, terminal)
        if as_json:
            _print_bytes((json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode())


def _params(shelf_dir: Path | None, output_dir: Path | None, config: Path | None, store: str | None) -> dict[str, str]:
    folders = {"paths.shelf_dir": shelf_dir, "paths.output_dir": output_dir}
    given = {**folders, settings.FILE_PARAMETER: config, STORE: store}
    return {name: str(path) for name, path in given.items() if path is not None}


def _output_of(chosen: Settings) -> Path:
    from booksynth.phases import output_dir, shelf_dir

    shelf_dir(chosen)
    return output_dir(chosen)


@contextmanager
def _explained(folder: Path, chosen: Settings, ours: str, theirs: str) -> Iterator[None]:
    """Say what to do where the other command keeps its progress in the output folder."""
    flag = "--output" if ours == "run" else "--output-dir"
    try:
        yield
    except ForeignRun as error:
        if chosen.checkpoints.store is not None or os.environ.get("MILEPOST_STORE"):
            where, remedy = "the store", "another --store; or, if that progress is not needed, clear phase_3 there"
        else:
            where = shown(folder)
            kept = shown(folder / chosen.checkpoints.checkpoint_dir / "phase_3")
            remedy = f"another {flag}; or, if that progress is not needed, remove {kept}"
        message = (
            f"{where} holds progress of `booksynth {theirs}`, which is kept in another way than that of "
            f"`booksynth {ours}`. Give {remedy} and run this again."
        )
        raise ForeignRun(message) from error


@contextmanager
def _switched_off(*, off: bool) -> Iterator[None]:
    """Let milepost keep nothing within the block, where the settings say so."""
    if not off or os.environ.get(SWITCH):
        yield
        return
    os.environ[SWITCH] = "1"
    try:
        yield
    finally:
        del os.environ[SWITCH]


def _run(params: Mapping[str, str], limits: dict[str, Any], chosen: Settings, terminal: Terminal) -> dict[str, Any]:
    from booksynth.ending import tell
    from booksynth.following import Follower
    from booksynth.models.paid import paid
    from booksynth.outcome import outcome_of
    from booksynth.phases import workflow

    follower = Follower(terminal)
    try:
        outputs = workflow.run(params=params, on_event=follower, **limits)
    finally:
        follower.end()
    document = outcome_of(outputs, follower.phases, _output_of(chosen), paid(chosen))
    tell(document, terminal)
    return document


def _plan(params: Mapping[str, str], limits: dict[str, Any], chosen: Settings, terminal: Terminal) -> dict[str, Any]:
    from booksynth.models.forecast import forecast
    from booksynth.outcome import plan_document, tell_plan
    from booksynth.phases import workflow
    from booksynth.request import CONSOLIDATED

    models = forecast(chosen, _output_of(chosen) / CONSOLIDATED)
    document = plan_document(workflow.plan(params=params, **limits), models)
    tell_plan(document, terminal)
    return document
