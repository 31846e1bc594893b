"""The command ``booksynth``: arguments in, exit code out."""

import json
import logging
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from booksynth import __version__, settings
from booksynth.console import Terminal, file_handler, log_handler
from booksynth.interrupts import Interrupted, Interrupts
from booksynth.phase_3 import run
from booksynth.report import Report, shown
from booksynth.request import InputError, Request
from booksynth.texts import printable
from milepost.errors import (
    ConfigError,
    ContentionError,
    DamageError,
    StorageError,
    StoreUnavailable,
    UsageError,
)

DONE = 0
PROBLEMS = 1
USAGE = 2
MEDIUM = 74
BUSY = 75
PIPE = 141

# The sign before a paragraph keeps its lines as they are.
PHASE_3_HELP = """Consolidate the recommendations of many books into one list.

Stop it whenever you like and run it again: finished books are not read again. A further run with
the same books and settings gives the finished result back.

\b
Example:
  booksynth phase-3 --analysis-dir analyses --output-dir results

Settings come from the environment (BOOKSYNTH_CHECKPOINTS__TTL_HOURS=48), then from the file of
--config, then from the defaults. A relative checkpoint folder begins at the output folder.

\b
Exit codes:
  0    done
  1    there are problems, and --strict was given
  2    the command line or a setting is wrong, or there is no tracker
  74   the disk is full or failed; put it right and run the same command again
  75   another process works on this run; try again later
  130  stopped by Ctrl-C
  141  whoever read the output has left
  143  stopped by SIGTERM
"""

app = typer.Typer(
    name="booksynth",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="One prioritised, traceable list of recommendations from a shelf of technical books.",
)


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        app()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else DONE
    return DONE


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"booksynth {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command("config-schema")
def config_schema() -> None:
    """Print the JSON schema of the configuration file, for editors."""
    typer.echo(json.dumps(settings.manager().json_schema(), ensure_ascii=False, indent=2))


@app.command("phase-3", help=PHASE_3_HELP)
def phase_3(
    analysis_dir: Annotated[Path | None, typer.Option(help="Folder of the *_convergence_tracker.json files.")] = None,
    output_dir: Annotated[Path | None, typer.Option(help="Folder of the results; made if it is not there.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings (YAML) instead of the packaged defaults.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing at all.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget saved progress first; every book is read.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="With any problem: exit 1 and write no result.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the run report; all other text goes to stderr.")
    ] = False,
) -> None:
    """Run phase 3; every way out is an exit code."""
    terminal = Terminal(sys.stderr if as_json else None)
    interrupts = Interrupts()
    request: Request | None = None
    try:
        with interrupts.installed():
            request = _request(config, analysis_dir, output_dir, dry_run, fresh, strict)
            with _logging(request, terminal):
                report = run(request, terminal, interrupts)
                _tell(report, terminal, as_json)
    except (ConfigError, InputError, UsageError) as error:
        _leave(str(error), USAGE)
    except ContentionError as error:
        _leave(str(error), BUSY)
    except (StorageError, DamageError) as error:
        _leave(str(error), MEDIUM)
    except Interrupted as stop:
        _leave(f"stopped by {stop}; {_kept(request)}\n  {resume()}", stop.exit_code)
    except BrokenPipeError:
        # Whoever read the output has left; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(PIPE) from None
    if report.status == "refused":
        raise typer.Exit(PROBLEMS)


def _kept(request: Request | None) -> str:
    if request is None or request.dry_run or not request.settings.checkpoints.enabled:
        return "nothing was kept. To begin again:"
    return "what is finished is kept. To go on:"


def resume() -> str:
    """Return the exact command that goes on with this run, overriding variables included."""
    program, *arguments = sys.argv
    variables = [
        f"{name}={shlex.quote(value)}"
        for name, value in sorted(os.environ.items())
        if name.upper().startswith(settings.ENV_PREFIX)
    ]
    words = [sys.executable, "-m", "booksynth"] if program.endswith("__main__.py") else [program]
    # With --fresh it would throw away the very progress that it is to go on from.
    words += [word for word in arguments if word != "--fresh"]
    return " ".join([*variables, shlex.join(words)])


def _request(
    config: Path | None,
    analysis_dir: Path | None,
    output_dir: Path | None,
    dry_run: bool,
    fresh: bool,
    strict: bool,
) -> Request:
    chosen = settings.manager(config).load()
    source = analysis_dir or chosen.paths.analysis_dir
    target = output_dir or chosen.paths.output_dir
    if source is None or target is None:
        name = "analysis" if source is None else "output"
        message = f"give --{name}-dir, or set paths.{name}_dir in the configuration"
        raise InputError(message)
    return Request(source, target, chosen, dry_run, fresh, strict)


@contextmanager
def _logging(request: Request, terminal: Terminal) -> Iterator[None]:
    chosen = request.settings.logging
    handlers = [log_handler(terminal.console)]
    if chosen.file is not None and not request.dry_run:
        path = request.output_dir / chosen.file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(file_handler(path))
        except OSError as error:
            message = f"the log file {shown(path)} cannot be opened: {error.strerror}"
            raise StoreUnavailable(message) from error
    loggers = [logging.getLogger(name) for name in ("booksynth", "milepost")]
    for logger in loggers:
        logger.setLevel(chosen.level)
        for handler in handlers:
            logger.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            for logger in loggers:
                logger.removeHandler(handler)
            handler.close()


def _tell(report: Report, terminal: Terminal, as_json: bool) -> None:
    terminal.finish(report)
    if as_json:
        # Bytes, because the terminal's own encoding may not know every letter of a title.
        sys.stdout.buffer.write(report.encode())
        sys.stdout.flush()


def _leave(message: str, code: int) -> NoReturn:
    lines = [printable(line) for line in message.splitlines()]
    typer.echo("\n".join([f"booksynth: {lines[0]}", *lines[1:]]), err=True)
    raise typer.Exit(code)
