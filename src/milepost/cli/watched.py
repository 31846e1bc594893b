"""The status of phases as a table."""

from __future__ import annotations

import os
from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from milepost.cli.common import escaped
from milepost.cli.live import duration
from milepost.cli.rendering import table_of
from milepost.report import PhaseStatus, RunState

_STYLES = {
    RunState.RUNNING: "bold",
    RunState.FINISHED: "green",
    RunState.STOPPED: "yellow",
    RunState.DAMAGED: "red",
    RunState.UNREADABLE: "red",
}


def status_table(found: Iterable[PhaseStatus]) -> Table:
    """Return a row for each phase."""
    table = table_of("phase", "state", "items", "rate", "ETA", "failed", "spent", "last record")
    for one in found:
        table.add_row(
            Text(escaped(one.phase)),
            Text(_state(one), style=_STYLES[one.state]),
            _items(one),
            "-" if one.rate_per_minute is None or one.state is not RunState.RUNNING else _rate(one.rate_per_minute),
            "-" if one.eta_seconds is None else duration(one.eta_seconds),
            str(one.failed or "-"),
            f"${one.cost_usd:,.2f}" if one.cost_usd else "-",
            "-" if one.idle_seconds is None else f"{duration(one.idle_seconds)} ago",
        )
    return table


def _state(one: PhaseStatus) -> str:
    if one.pid is None:
        return one.state
    elsewhere = f" on {escaped(one.host or '')}" if one.host != os.uname().nodename else ""
    return f"{one.state} ({one.pid}{elsewhere})"


def _items(one: PhaseStatus) -> str:
    if one.iteration is not None:
        return f"iteration {one.iteration:,}"
    if one.done is None:
        return "-"
    return f"{one.done:,}/{one.expected:,}" if one.expected is not None else f"{one.done:,}"


def _rate(per_minute: float) -> str:
    return f"{per_minute:,.1f}/min" if per_minute < 100 else f"{per_minute / 60:,.1f}/s"
