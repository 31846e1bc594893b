"""What is wrong with an output, in words: the defect that a difference points to."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import NamedTuple

from milepost.drill.clocks import Window, without_times

_LONGEST_EXCERPT = 120
_MOST_BYTES = 4 * 1024 * 1024
_FEW_LINES = 3
_HEX = re.compile(r"\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b", re.ASCII)
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])", re.ASCII)


class Run(NamedTuple):
    """What is known of the run that wrote a text: when it ran, and the ids of its processes."""

    window: Window
    pids: frozenset[int] = frozenset()


def output_difference(name: str, wanted: bytes | None, found: bytes | None, runs: tuple[Run, Run]) -> str:
    """Say how an output differs after interruptions from an undisturbed one, and what that points to.

    Args:
        name: The file, relative to the working folder.
        wanted: Its bytes in the undisturbed run, None where it was not there.
        found: Its bytes after the interruptions.
        runs: What is known of the two runs.
    """
    if found is None:
        return f"{name} is missing: recorded as done before it was written"
    if wanted is None:
        return f"{name} is left behind: no undisturbed run has it at its end"
    texts = _texts(wanted, found)
    if texts is None:
        return f"{name} differs from byte {_first_difference(wanted, found)} on ({len(wanted)} bytes, now {len(found)})"
    if without_times(texts[0], runs[0].window) == without_times(texts[1], runs[1].window):
        return f"{name} holds the time of the run: it depends on the clock"
    lines, unit = _pieces(*texts)
    more, less = Counter(lines[1]), Counter(lines[0])
    extra, lost = more - less, less - more
    twice = [line for line in extra if line in less]
    if not extra and not lost:
        return f"{name} has its {unit} in another order: they are written as work finishes, not in a fixed order"
    if twice and not lost and len(twice) == len(extra):
        return f"{name} has {unit} twice: appended outside Milepost before its record was durable ({_excerpts(extra)})"
    if lost and not extra:
        return f"{name} lacks {unit}: recorded before the work was done, saved before it worked ({_excerpts(lost)})"
    what = f"{name} has other {unit}: {_excerpts(extra)} instead of {_excerpts(lost)}"
    if any(_is_torn(line, less) for line in extra):
        what += "; one is cut short: written in place, not whole by write_durably"
    return what


def undisturbed_difference(name: str, one: bytes | None, other: bytes | None, runs: tuple[Run, Run]) -> str:
    """Say what makes an output differ between two undisturbed runs with one hash seed."""
    lead = f"{name} differs between two undisturbed runs: "
    if one is None or other is None:
        return lead + "only one of them wrote it; its name depends on the clock, on randomness or on a process id"
    texts = _texts(one, other)
    if texts is None:
        return lead + "randomness, the clock, or something else that no two runs share"
    timeless = [without_times(text, run.window) for text, run in zip(texts, runs, strict=True)]
    if timeless[0] == timeless[1]:
        return lead + "the clock"
    pidless = [_without_pids(text, run.pids) for text, run in zip(timeless, runs, strict=True)]
    if pidless[0] == pidless[1]:
        return lead + ("the process id" if timeless == list(texts) else "the clock and the process id")
    if _HEX.sub("", pidless[0]) == _HEX.sub("", pidless[1]):
        return lead + "random identifiers (UUIDs)"
    if sorted(pidless[0].splitlines()) == sorted(pidless[1].splitlines()):
        return lead + "the order of its lines: parallel work that finishes in any order, or a random one"
    if _NUMBER.sub("", pidless[0]) == _NUMBER.sub("", pidless[1]):
        return lead + "numbers that no two runs share: how long something took, or randomness"
    return lead + "randomness, or something else that no two runs share"


def hash_difference(name: str, one: bytes | None, other: bytes | None) -> str:
    """Say what makes an output differ between two undisturbed runs that only their hash seeds tell apart."""
    lead = f"{name} differs between two undisturbed runs with other hash seeds: "
    if one is not None and other is not None and sorted(one) == sorted(other):
        return lead + "the order of a set or dict of hashes"
    return lead + "the order of a set or dict of hashes, or a value of hash()"


def _texts(one: bytes, other: bytes) -> tuple[str, str] | None:
    if max(len(one), len(other)) > _MOST_BYTES:
        return None
    try:
        return one.decode(), other.decode()
    except UnicodeDecodeError:
        return None


def _pieces(one: str, other: str) -> tuple[tuple[list[str], list[str]], str]:
    """Return what two texts are made of, and what to call it: lines, or the values of a JSON document."""
    lines = one.splitlines(), other.splitlines()
    if max(map(len, lines)) <= _FEW_LINES:
        try:
            pretty = [json.dumps(json.loads(text), indent=1, ensure_ascii=False) for text in (one, other)]
        except ValueError:
            return lines, "lines"
        entries = [[line.strip().removesuffix(",") for line in text.splitlines()] for text in pretty]
        return (entries[0], entries[1]), "entries"
    return lines, "lines"


def _without_pids(text: str, pids: frozenset[int]) -> str:
    return _NUMBER.sub(lambda match: "<pid>" if match[0].isdigit() and int(match[0]) in pids else match[0], text)


def _is_torn(line: str, wanted: Counter[str]) -> bool:
    return bool(line) and any(whole != line and whole.startswith(line) for whole in wanted)


def _excerpts(lines: Counter[str]) -> str:
    first = next(iter(lines), "")
    rest = lines.total() - 1
    shown = repr(first if len(first) <= _LONGEST_EXCERPT else first[:_LONGEST_EXCERPT] + "…") if lines else "nothing"
    return f"{shown} and {rest} more" if rest > 0 else shown


def _first_difference(one: bytes, other: bytes) -> int:
    shorter = min(len(one), len(other))
    return next((place for place in range(shorter) if one[place] != other[place]), shorter)
