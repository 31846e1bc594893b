"""Times in a text: which of them lie within the run that wrote it, and so come from the clock."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T _]?(\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)?\s?(Z|UTC|[+-]\d\d:?\d\d)?(?![\d-])", re.ASCII
)
_EPOCH = re.compile(r"(?<![\d.])(\d{10}(?:\.\d+)?|\d{13}|\d{16}|\d{19})(?!\d)", re.ASCII)
_OF_DAY = re.compile(r"(?<![\dT:])(\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)(?![\d:])", re.ASCII)
_MARK = "<time>"
_LEEWAY_SECONDS = 2.0
_DAY_SECONDS = 86_400.0


class Window(NamedTuple):
    """When a run began and ended, in seconds since 1970-01-01 UTC."""

    begin: float
    end: float

    def holds(self, moments: Iterable[float], *, grain_seconds: float = 0.0) -> bool:
        """Tell whether one of *moments*, each known to *grain_seconds*, lies within the run."""
        first, last = self.begin - _LEEWAY_SECONDS - grain_seconds, self.end + _LEEWAY_SECONDS
        return any(first <= moment <= last for moment in moments)


def without_times(text: str, window: Window) -> str:
    """Return *text* with a mark for each time that lies within *window*.

    Known are ISO 8601 dates and times in UTC, in the machine's zone or with an offset, times of the day, and counts
    since 1970 in seconds, milli-, micro- and nanoseconds.
    """

    def of_iso(match: re.Match[str]) -> str:
        day, of_day, zone = match.groups()
        moments, grain = _moments(day, of_day, zone)
        return _MARK if window.holds(moments, grain_seconds=grain) else match[0]

    def of_epoch(match: re.Match[str]) -> str:
        digits = match[1].partition(".")[0]
        moment = float(match[1]) / 10 ** (len(digits) - 10)
        return _MARK if window.holds([moment], grain_seconds=1.0) else match[0]

    def of_day(match: re.Match[str]) -> str:
        day = datetime.fromtimestamp(window.begin, UTC)
        moments = [
            moment + shift
            for moment in _moments(day.date().isoformat(), match[1], None)[0]
            for shift in (-_DAY_SECONDS, 0, _DAY_SECONDS)
        ]
        return _MARK if window.holds(moments, grain_seconds=1.0) else match[0]

    return _OF_DAY.sub(of_day, _EPOCH.sub(of_epoch, _ISO.sub(of_iso, text)))


def _moments(day: str, of_day: str | None, zone: str | None) -> tuple[list[float], float]:
    """Return the moments that a date may stand for, in seconds since 1970, and how exactly it is told."""
    time = (of_day or "00:00").replace(",", ".")
    grain = _DAY_SECONDS if of_day is None else 60.0 if time.count(":") == 1 else 1.0
    try:
        moment = datetime.fromisoformat(f"{day}T{time}")
        if zone in {"Z", "UTC"}:
            return [moment.replace(tzinfo=UTC).timestamp()], grain
        if zone is not None:
            return [datetime.fromisoformat(f"{day}T{time}{zone}").timestamp()], grain
    except (ValueError, OverflowError):
        return [], grain
    return [moment.replace(tzinfo=UTC).timestamp(), moment.timestamp()], grain
