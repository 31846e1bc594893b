"""What is wrong with a setting, where, and how it is said without telling secrets."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

KeyPath = tuple[str | int, ...]

_SECRET = re.compile(
    r"pass(word|wd|phrase)?|secret|token|credential|api_?key|private_?key|auth|dsn|(^|_)key($|_)",
    re.IGNORECASE,
)
_ECHO_MAX_CHARS = 60


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong, with the place a person has to go to."""

    source: str
    line: int
    column: int
    key: str
    reason: str

    def __str__(self) -> str:
        """Return ``file:line:column: key: reason``, leaving out what is unknown."""
        place = f"{self.source}:{self.line}:{self.column}" if self.line else self.source
        return f"{place}: {self.key}: {self.reason}" if self.key else f"{place}: {self.reason}"


class Named:
    """What was given for settings by name, beside the file: *values*, *problems*, and which name set which value."""

    kind = ""
    """What messages call such a name."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self.values: dict[str, Any] = {}
        self.problems: list[Problem] = []
        self._names: dict[KeyPath, str] = {}

    def variable(self, path: KeyPath) -> str | None:
        """Return the name that set the value at *path*, if one did."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._names:
                return self._names[path[:length]]
        return None

    def problem(self, name: str, path: KeyPath, reason: str) -> Problem:
        """Return a problem that names the name."""
        return Problem(f"{self.kind} {name}", 0, 0, dotted(path), reason)


def report(title: str, problems: Iterable[Problem]) -> str:
    """Return one message that lists every problem, in the order of the file."""
    lines = [printable(str(problem)) for problem in sorted(set(problems))]
    if len(lines) == 1:
        return lines[0]
    lines.insert(0, f"{printable(title)}: {len(lines)} problems")
    return "\n  ".join(lines)


def dotted(path: Sequence[str | int]) -> str:
    """Return a key path as people write it: ``phases.phase_3.min_confidence``, ``hosts[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return a closing clause with the nearest valid name, or all of them if none is near."""
    names = sorted(valid)
    folded = {known.casefold(): known for known in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {folded[near[0]]}?"
    return f"; valid here: {', '.join(names)}" if names else "; nothing is valid here"


def is_secret(path: Sequence[str | int]) -> bool:
    """Tell whether a setting is named like one whose value must never be shown."""
    return any(isinstance(part, str) and _SECRET.search(part) for part in path)


def echo(path: Sequence[str | int], value: object) -> str:
    """Return `` (got VALUE)`` for a short value of a setting that is no secret, else nothing."""
    if is_secret(path) or not isinstance(value, str | int | float | None):
        return ""
    if isinstance(value, str) and "://" in value:  # an address may hold a password, whatever the setting is called
        return ""
    text = repr(value)
    return f" (got {text})" if len(text) <= _ECHO_MAX_CHARS else ""


def printable(text: str) -> str:
    """Return *text* with everything that could steer a terminal written as an escape."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)
