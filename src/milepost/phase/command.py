"""The command that runs this program again, as a person would type it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys

from milepost.stores.opening import without_secrets

_LONGEST = 300
_COMMAND = "milepost"
_FRESH = "--fresh"


def again(**variables: str) -> str:
    """Return the command of this process, with environment *variables* in front, and no password in it.

    Without ``--fresh``: said again, it would set aside what is to be gone on with.
    """
    words = list(sys.orig_argv) or [sys.executable]
    if any(os.path.basename(word) == _COMMAND or word == f"{_COMMAND}.cli" for word in words[1:3]):
        words = [word for word in words if word != _FRESH]
    if len(words) > 1 and _is_command(words[1]):
        words = [os.path.basename(words[1]), *words[2:]]
    words[0] = os.path.basename(words[0]) or "python"
    settings = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    command = " ".join([*settings, *(shlex.quote(without_secrets(word)) for word in words)])
    return command if len(command) <= _LONGEST else command[:_LONGEST] + "…"


def _is_command(word: str) -> bool:
    """Tell whether *word* is an installed command, which the interpreter runs as a script but nobody types so."""
    return shutil.which(os.path.basename(word)) == word
