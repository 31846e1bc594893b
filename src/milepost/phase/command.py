"""The command that runs this program again, as a person would type it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys

_LONGEST = 300


def again(**variables: str) -> str:
    """Return the command of this process, with environment *variables* in front."""
    words = list(sys.orig_argv) or [sys.executable]
    if len(words) > 1 and _is_command(words[1]):
        words = [os.path.basename(words[1]), *words[2:]]
    words[0] = os.path.basename(words[0]) or "python"
    settings = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    command = " ".join([*settings, *map(shlex.quote, words)])
    return command if len(command) <= _LONGEST else command[:_LONGEST] + "…"


def _is_command(word: str) -> bool:
    """Tell whether *word* is an installed command, which the interpreter runs as a script but nobody types so."""
    return shutil.which(os.path.basename(word)) == word
