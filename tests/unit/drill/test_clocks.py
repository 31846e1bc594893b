"""Which texts are times within a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from milepost.drill.clocks import Window, without_times

NOW = datetime(2026, 3, 4, 15, 16, 17, 250_000, tzinfo=UTC)
WINDOW = Window(NOW.timestamp() - 1, NOW.timestamp() + 1)


@pytest.mark.parametrize(
    "text",
    [
        NOW.isoformat(),
        NOW.replace(tzinfo=None).isoformat(sep=" "),
        NOW.strftime("%Y-%m-%dT%H:%M:%SZ"),
        NOW.strftime("%Y-%m-%d %H:%M"),
        NOW.strftime("%Y-%m-%d"),
        NOW.astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat(timespec="seconds"),
        NOW.strftime("%H:%M:%S"),
        str(NOW.timestamp()),
        str(int(NOW.timestamp())),
        str(int(NOW.timestamp() * 1000)),
        str(int(NOW.timestamp() * 10**9)),
    ],
)
def test_a_time_within_the_run_is_found(text: str) -> None:
    """A time that lies within the run's own window is one of the clock, in whatever usual form."""
    assert without_times(f'{{"made": "{text}", "n": 12}}', WINDOW) == '{"made": "<time>", "n": 12}'


@pytest.mark.parametrize(
    "text", ["2019-03-04T15:16:17Z", "1234567890", "12:00:00", "2026-13-41", "1.7726", "0042", "99999999999999999999"]
)
def test_another_time_is_left(text: str) -> None:
    """A time outside the window, and a number that is none, stays as it is."""
    assert without_times(f"at {text}.", WINDOW) == f"at {text}."
