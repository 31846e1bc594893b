"""The command that runs this program again, as a person would type it."""

from __future__ import annotations

import os
import shlex
import sys

_LONGEST = 300


def again(**variables: str) -> str:
    """Return the command of this process, with environment *variables* in front."""
    words = list(sys.orig_argv) or [sys.executable]
    words[0] = os.path.basename(words[0]) or "python"
    settings = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    command = " ".join([*settings, *map(shlex.quote, words)])
    return command if len(command) <= _LONGEST else command[:_LONGEST] + "…"
