"""What a settings file said: values, the place of each key, and what is wrong with its form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from milepost.config.problems import KeyPath, Problem, dotted


@dataclass
class Loaded:
    """The values of a file, where each key stands (line, column; from 1), and what is wrong."""

    source: str
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unbuilt: set[KeyPath] = field(default_factory=set)

    def is_unbuilt(self, path: KeyPath) -> bool:
        """Tell whether the value at *path* could not be built, so that its complaint is known."""
        return any(path[:length] in self.unbuilt for length in range(len(path) + 1))

    def problem(self, path: KeyPath, reason: str) -> Problem:
        """Return a problem at *path*, placed at the nearest key that the file has."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                line, column = self.places[path[:length]]
                return Problem(self.source, line, column, dotted(path), reason)
        return Problem(self.source, 0, 0, dotted(path), reason)
