"""The contender's side of a benchmark. Needs the standard library only: peers run it in environments of their own."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Facts = dict[str, float | str]


class Subject:
    """One contender at work, in a process of its own. Only `run` is timed."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Get ready to work in an empty *folder*."""
        self.folder = folder
        self.settings = settings

    def prepare(self, number: int) -> None:
        """Make ready for turn *number*, counted from 0; turn 0 warms up and does not count."""

    def run(self) -> float | None:
        """Do the work once. What measures itself, a process of its own say, returns its seconds."""
        raise NotImplementedError

    def settle(self) -> Facts:
        """Leave nothing behind that would burden the next contender; return what else was observed."""
        return {}

    def close(self) -> None:
        """End."""


def named(reference: str) -> Any:
    """Return what ``module:name`` names."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)
