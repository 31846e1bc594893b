"""What a run executes, as parts: one for each function, class, constant and prompt file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from milepost.errors import InvalidArgument
from milepost.fingerprint.filedigests import FileDigests
from milepost.fingerprint.home import Home
from milepost.fingerprint.objects import opened
from milepost.fingerprint.parts import Parts, text_digest
from milepost.fingerprint.walk import Walk


def code_parts(functions: Sequence[Callable[..., Any]], digests: FileDigests | None = None) -> Parts:
    """Return the parts of the code of a run: *functions*, and all of the user's own code and constants they name.

    Comments, formatting, docstrings, type hints and logging do not count. See ``docs/reference/fingerprints.md``.

    Args:
        functions: functions, methods, classes, or anything else that can be called.
        digests: reads the prompt files that the code names.

    Returns:
        Qualified name to digest for functions and classes, to the value for constants, and path to digest for files.

    Raises:
        InvalidArgument: something in *functions* cannot be called.
    """
    if callable(functions):
        raise InvalidArgument("code must be a list of functions, not a single one")
    home = Home()
    for function in functions:
        if not callable(function):
            raise InvalidArgument(f"code must be a list of functions; one is {type(function).__name__}")
        for one in opened(function).code:
            home.add_code(one)
    walk = Walk(home)
    walk.run(functions)
    parts = {name: _one(texts) for name, texts in walk.parts.items()}
    return dict(sorted((parts | walk.files.parts(digests or FileDigests())).items()))


def function_parts(function: Callable[..., Any], digests: FileDigests | None = None) -> Parts:
    """Return the parts of the code behind one function: see `code_parts`.

    Args:
        function: a function, method, class, or anything else that can be called.
        digests: reads the prompt files that the code names.

    Returns:
        As `code_parts`.

    Raises:
        InvalidArgument: *function* cannot be called.
    """
    return code_parts([function], digests)


def _one(texts: set[str]) -> str:
    return next(iter(texts)) if len(texts) == 1 else text_digest(*sorted(texts))
