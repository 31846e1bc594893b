"""What all commands share: exit codes, options, and how errors and names from the store are told."""

from __future__ import annotations

import json
import re
import sys
from typing import Annotated, Any

import typer

from milepost import report
from milepost.errors import (
    Changed,
    ContentionError,
    DamageError,
    InvalidArgument,
    MilepostError,
    StorageError,
    UsageError,
    WorkError,
)
from milepost.run.place import DEFAULT, VARIABLE, location_of

_UNPRINTED = re.compile(r"[^\n\x20-\x7e]")

DIFFERENT, USAGE, CHANGED, DAMAGED, MEDIUM, BUSY, INTERRUPTED = 1, 2, 3, 65, 74, 75, 130

EXIT_CODES = """
\b
Exit codes:
  0    done
  1    there is a difference, a failure, or something left to do; the output tells what
  2    the command line is wrong, or there is nothing of that name
  3    code, parameters or inputs changed; the output tells what, and how to go on
  4    a budget is spent; everything recorded is safe
  65   something stored is damaged; the output tells what
  74   the medium refused; put it right and run the same command again
  75   another process is at it; try again later
  130  stopped by Ctrl-C (128 + signal for others); the command that goes on is printed
"""
"""The one table of exit codes, shown by every command's help."""

Root = Annotated[
    str,
    typer.Option(
        "--store", "--dir", metavar="PATH_OR_URL", envvar=VARIABLE, help="The checkpoint folder, or the URL of a store."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
DEFAULT_ROOT = DEFAULT


def complete_phase(context: typer.Context, incomplete: str) -> list[str]:
    """Return the phases of the checkpoint folder that begin so; none where it cannot be read."""
    try:
        names = report.names(context.params.get("root") or DEFAULT_ROOT)
    except (MilepostError, OSError):
        return []
    return [name for name in names if name.startswith(incomplete) and name.isprintable()]


PhaseName = Annotated[str, typer.Argument(help="The phase's name.", autocompletion=complete_phase)]
PhaseNames = Annotated[
    list[str] | None, typer.Argument(metavar="[PHASE]...", help="Phases by name.", autocompletion=complete_phase)
]


def place_of(root: str, phase: str) -> str:
    """Return where a phase is kept, for messages."""
    return location_of(root).spot / phase


def help_of(text: str, example: str) -> str:
    """Return the help of a command: what it does, an example to copy, and the exit codes."""
    return f"{text}\n\n\b\nExample:\n  {example}\n{EXIT_CODES}"


def print_json(document: Any) -> None:
    """Print a document of plain JSON values, such that no text in it can steer a terminal."""
    typer.echo(json_text(document))


def json_text(document: Any) -> str:
    """Return a document as indented JSON, with everything that is not printable escaped as JSON escapes it."""
    return _UNPRINTED.sub(_in_json, json.dumps(document, indent=2, ensure_ascii=False))


def _in_json(found: re.Match[str]) -> str:
    char = found[0]
    return char if char.isprintable() else json.dumps(char)[1:-1]


def confirmed(question: str, *, yes: bool) -> bool:
    """Tell whether the person says yes: by the option, or asked at a terminal.

    Raises:
        InvalidArgument: Nobody can be asked.
    """
    if yes:
        return True
    if not _at_terminal():
        raise InvalidArgument("nobody is there to be asked, so nothing was changed; say --yes to do it.")
    return typer.confirm(question)


def _at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def size_text(size_bytes: float) -> str:
    """Return a size as people read it."""
    for unit in ("bytes", "KB", "MB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} {unit}" if unit == "bytes" else f"{size_bytes:,.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:,.1f} GB"


def complain(*lines: str) -> None:
    """Print lines to standard error, with what the store holds in them escaped."""
    for line in lines:
        typer.echo(escaped(line), err=True)


def escaped(text: str) -> str:
    """Return text from the store such that it cannot steer a terminal; newlines stay."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode() for char in text
    )


def code_of(error: MilepostError) -> int:
    """Return the exit code that tells what to do about *error*: one of a phase's body is a failure of the job."""
    if isinstance(error, UsageError) and error.phase is not None:
        return DIFFERENT
    kinds = (
        (StorageError, MEDIUM),
        (ContentionError, BUSY),
        (DamageError, DAMAGED),
        (Changed, CHANGED),
        (WorkError, DIFFERENT),
    )
    return next((code for kind, code in kinds if isinstance(error, kind)), USAGE)


def tell(error: MilepostError) -> int:
    """Print what went wrong, and return the exit code."""
    sys.stderr.write(f"milepost: {escaped(str(error))}\n")
    return code_of(error)
