"""Exit codes, and how an error becomes one: a line or two that say what to do, never a traceback."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

DONE = 0
PROBLEMS = 1
USAGE = 2
BUDGET = 4
MEDIUM = 74
BUSY = 75
PIPE = 141
ENV_PREFIX = "BOOKSYNTH_"


def leave(message: str, code: int) -> NoReturn:
    """Print *message* to standard error and end with *code*."""
    import typer

    from booksynth.texts import printable

    lines = [printable(line) for line in message.splitlines()]
    typer.echo("\n".join([f"booksynth: {lines[0]}", *lines[1:]]), err=True)
    raise typer.Exit(code)


@contextmanager
def translated(kept: Callable[[], str]) -> Iterator[None]:
    """Turn every way out of the block into an exit code; *kept* says what an interrupted run leaves behind."""
    import typer

    import milepost
    from booksynth.interrupts import Interrupted
    from booksynth.request import InputError
    from milepost.errors import (
        Changed,
        ConfigError,
        ContentionError,
        DamageError,
        PhaseFailed,
        StorageError,
        UsageError,
    )

    try:
        yield
    except (ConfigError, InputError, UsageError, Changed, milepost.BudgetReached) as error:
        leave(str(error), BUDGET if isinstance(error, milepost.BudgetReached) else USAGE)
    except ContentionError as error:
        leave(str(error), BUSY)
    except (StorageError, DamageError) as error:
        leave(str(error), MEDIUM)
    except Interrupted as stop:
        leave(f"stopped by {stop}; {kept()}\n  {resume()}", stop.exit_code)
    except milepost.Interrupted as stop:
        leave(f"{str(stop).rstrip('.')}; {kept()}\n  {resume()}", 128 + stop.signal_number)
    except BrokenPipeError:
        raise typer.Exit(_reader_left()) from None
    except PhaseFailed as error:
        # What a phase tells is printed while it runs, so a reader who left ends the phase.
        if isinstance(error.__cause__, BrokenPipeError):
            raise typer.Exit(_reader_left()) from None
        if error.__cause__ is not None:
            raise
        # No bug: results are where they are not looked for, because the output folder was moved.
        leave(f"{error}\nWas the output folder moved? With --fresh this command makes all of it anew.", USAGE)


def _reader_left() -> int:
    # Python would complain once more at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE


def resume() -> str:
    """Return the exact command that goes on with this run, overriding variables included, and no password."""
    from milepost.config import without_secrets

    program, *arguments = sys.argv
    variables = [
        f"{name}={shlex.quote(value)}"
        for name, value in sorted(os.environ.items())
        if name.upper().startswith(ENV_PREFIX)
    ]
    words = [sys.executable, "-m", "booksynth"] if program.endswith("__main__.py") else [program]
    # With --fresh it would throw away the very progress that it is to go on from.
    words += [word for word in arguments if word != "--fresh"]
    return without_secrets(" ".join([*variables, shlex.join(words)]))
