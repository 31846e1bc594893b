"""Tells a listener what happens in a phase. Nothing is built where nobody listens."""

from __future__ import annotations

from milepost.clock import Clock
from milepost.events import Event, EventKind, Listener
from milepost.run.index import group_of
from milepost.run.session import Session

_LONGEST_ERROR = 300


class Teller:
    """Makes events of one attempt; *listener* hears of them in the thread that made them."""

    def __init__(self, listener: Listener, phase: str, clock: Clock, session: Session) -> None:
        """Speak for *phase*, whose counts stand in *session*."""
        self._listener = listener
        self._phase = phase
        self._clock = clock
        self._session = session

    def tell(
        self,
        kind: EventKind,
        key: str | None = None,
        *,
        loop: str | None = None,
        seconds: float | None = None,
        cost_usd: float | None = None,
        call_id: str | None = None,
        error: BaseException | str | None = None,
    ) -> None:
        """Tell of one thing that happened; counts are added."""
        index = self._session.index
        group = index.groups.get(group_of(loop) or "")
        self._listener(
            Event(
                kind=kind,
                phase=self._phase,
                time=self._clock.now(),
                attempt=index.attempt,
                key=key,
                loop=loop,
                seconds=seconds,
                cost_usd=cost_usd,
                call_id=call_id,
                error=None if error is None else described(error),
                done=index.done,
                total=index.expected,
                loop_done=0 if group is None else group.done,
                loop_total=index.lengths.get(loop),
            )
        )


def described(error: BaseException | str) -> str:
    """Return an error's type and the beginning of its message, on one line."""
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_ERROR else line[:_LONGEST_ERROR] + "…"
