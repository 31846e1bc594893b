"""Tells a call that was broken off from one that is still going on below a signal handler."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def calls_under_way(functions: tuple[Callable[..., Any], ...], owner: object = None) -> int:
    """Return how many calls of *functions* stand on this thread's stack.

    A flag alone cannot tell: an exception from a signal handler (Ctrl-C) may leave any line, also the one that
    would have taken the flag back.

    Args:
        functions: Plain functions or methods, undecorated.
        owner: Count only calls whose ``self`` it is.
    """
    codes = {function.__code__ for function in functions}
    count = 0
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        count += frame.f_code in codes and (owner is None or frame.f_locals.get("self") is owner)
        frame = frame.f_back
    return count
