"""The command ``milepost``: looks at what was saved. Arguments in, exit code out; the work is done in `report`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from milepost import codec, report
from milepost.errors import ContentionError, DamageError, MilepostError, StorageError

try:
    import typer
    from rich.console import Console
    from rich.table import Table
except ModuleNotFoundError as missing:
    sys.stderr.write(f"milepost: the command needs {missing.name}: pip install 'milepost[cli]'\n")
    raise SystemExit(2) from None

USAGE, DAMAGED, MEDIUM, BUSY = 2, 65, 74, 75

_EXIT_CODES = """
\b
Exit codes:
  0    done
  2    the command line is wrong, or there is nothing of that name
  65   something stored is damaged; the output tells what
  74   the medium refused
  75   another process is at it; try again later
"""

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)

Root = Annotated[Path, typer.Option("--dir", help="The checkpoint folder.", show_default=True)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"milepost {version('milepost')}")
        raise typer.Exit


@app.callback()
def _face(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_tell_version)
    ] = False,
) -> None:
    """Crash-proof progress checkpoints: look at what was saved."""


@app.command(
    "list",
    help=f"List the phases of a checkpoint folder.\n\nExample: milepost list --dir checkpoints\n{_EXIT_CODES}",
)
def list_phases(root: Root = Path("checkpoints"), as_json: AsJson = False) -> None:
    """List every phase: how far it is, how old, how large, and what is damaged."""
    found = report.phases(root)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
    else:
        Console().print(_table(found))
    damage = [line for one in found for line in one.damage]
    for line in damage:
        typer.echo(_escaped(line), err=True)
    if damage:
        raise typer.Exit(DAMAGED)


@app.command(
    help="Print the newest saved state of a phase as JSON, journal included; of a milepost.Phase also what is "
    "done, what failed, and its result.\n\n"
    f"Example: milepost show phase_3 --dir checkpoints | jq .state\n{_EXIT_CODES}"
)
def show(
    phase: Annotated[str, typer.Argument(help="The phase's name.")],
    root: Root = Path("checkpoints"),
) -> None:
    """Print the newest saved state of a phase."""
    items = report.items(root, phase)
    if items is not None:
        typer.echo(json.dumps(json.loads(codec.encode(asdict(items))), indent=2, ensure_ascii=False))
        return
    latest, damage = report.latest(root, phase)
    for line in damage:
        typer.echo(_escaped(line), err=True)
    if latest is None:
        what = "no intact state is left" if damage else "nothing is saved there"
        typer.echo(f"milepost: {_escaped(str(root / phase))}: {what}.", err=True)
        raise typer.Exit(DAMAGED if damage else USAGE)
    fields = {"phase": latest.phase, "iteration": latest.iteration, "timestamp": latest.timestamp}
    content = {**fields, "metadata": latest.metadata, "state": latest.state}
    typer.echo(json.dumps(json.loads(codec.encode(content)), indent=2, ensure_ascii=False))
    if damage:
        raise typer.Exit(DAMAGED)


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        app(prog_name="milepost", standalone_mode=True)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0
    except MilepostError as error:
        sys.stderr.write(f"milepost: {_escaped(str(error))}\n")
        return _code_of(error)
    return 0


def _code_of(error: MilepostError) -> int:
    for kind, code in ((StorageError, MEDIUM), (ContentionError, BUSY), (DamageError, DAMAGED)):
        if isinstance(error, kind):
            return code
    return USAGE


def _table(found: list[report.PhaseReport]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("phase", "progress", "age", "files", "records", "size", "aside"):
        table.add_column(name, justify="left" if name in {"phase", "progress"} else "right", no_wrap=True)
    for one in found:
        table.add_row(
            _escaped(one.phase),
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


def _escaped(text: str) -> str:
    """Return text from the store such that it cannot steer a terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


if __name__ == "__main__":
    sys.exit(main())
