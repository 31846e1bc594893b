"""The command's face: which commands there are, and how an error becomes an exit code."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from milepost.cli import copying, drilling, keeping, looking, running
from milepost.cli.common import INTERRUPTED, tell
from milepost.errors import MilepostError, StoreUnavailable
from milepost.keys import FILE_VARIABLE

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)

for commands in (running, looking, keeping, copying, drilling):
    commands.register(app)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"milepost {version('milepost')}")
        raise typer.Exit


@app.callback()
def _face(
    show_version: Annotated[  # noqa: ARG001 -- its callback does it
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_tell_version)
    ] = False,
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", help="The keys of encrypted runs, in a file of mode 0600.", envvar=FILE_VARIABLE),
    ] = None,
) -> None:
    """Crash-proof progress checkpoints: plan, run, watch, inspect and prove long jobs."""
    if key_file is not None:  # also for the processes of a job that is run
        os.environ[FILE_VARIABLE] = str(key_file.absolute())


def _stand_in_for_closed_streams() -> None:
    """Give a process that was started without one of its streams a stand-in, which swallows what is printed.

    It takes the stream's own number, so that no file of a run gets that and all that is printed to it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115 -- it stays open
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line (*arguments*, or those of the process) and return its exit code."""
    _stand_in_for_closed_streams()
    key_file = os.environ.get(FILE_VARIABLE)
    try:
        app(arguments, prog_name="milepost", standalone_mode=True)
    except KeyboardInterrupt:  # before a phase could take it: nothing has begun
        return INTERRUPTED
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0
    except MilepostError as error:
        return tell(error)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return tell(StoreUnavailable(f"{where}the system refused: {error.strerror or error}."))
    finally:
        if key_file is None:
            os.environ.pop(FILE_VARIABLE, None)
        else:
            os.environ[FILE_VARIABLE] = key_file
    return 0
