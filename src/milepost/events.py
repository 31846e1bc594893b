"""What a phase and a workflow tell while they run: one hook, for progress bars, drills, dashboards and traces.

A listener is any function of one `Event`. It is called in the process that records, in the thread that made the
event, behind the record that the event tells of: what a `DONE` event says is durable already. A listener that raises
ends the run as an error of the job would; what was recorded is safe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple


class EventKind(StrEnum):
    """What happened.

    `OPENED`: an attempt began; *done* and *total* say how far the run is. `STARTED`: an item was handed out. `DONE`,
    `FAILED`: its record is durable. `RETRIED`: an item's try failed, and it gets another. `SENT`: the intent of a
    paid call is durable and the call is made now. `ANSWERED`, `UNANSWERED`: its answer, or its failure, is durable.
    `STEPPED`: a step was computed. `COMPLETED`: the phase's result is durable. `REUSED`: a finished phase was not
    entered. `CLOSED`: the attempt ended, with *error* if one ended it.
    """

    OPENED = "opened"
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    RETRIED = "retried"
    SENT = "sent"
    ANSWERED = "answered"
    UNANSWERED = "unanswered"
    STEPPED = "stepped"
    COMPLETED = "completed"
    REUSED = "reused"
    CLOSED = "closed"


class Event(NamedTuple):
    """Something that happened in a phase.

    *time* is in seconds since 1970-01-01 UTC. *key* names the item, step or call, *loop* the loop it belongs to.
    *seconds* is how long it took, *cost_usd* the price of a call in US dollars, *call_id* its id. *error* is the type
    and message of what went wrong. *done* and *total* count items of the whole phase, *loop_done* and *loop_total*
    those of its loop, or of the loop without a name where the event is of no item; a total is None where it is not
    known.
    """

    kind: EventKind
    phase: str
    time: float
    attempt: int = 0
    key: str | None = None
    loop: str | None = None
    seconds: float | None = None
    cost_usd: float | None = None
    call_id: str | None = None
    error: str | None = None
    done: int | None = None
    total: int | None = None
    loop_done: int | None = None
    loop_total: int | None = None


Listener = Callable[[Event], None]
"""Hears of events; see the module's text for when and where."""


def all_of(listeners: Sequence[Listener | None]) -> Listener | None:
    """Return one listener that calls each of *listeners*, in order; None where there is none to call."""
    present = [one for one in listeners if one is not None]
    if len(present) <= 1:
        return present[0] if present else None

    def tell(event: Event) -> None:
        for one in present:
            one(event)

    return tell
