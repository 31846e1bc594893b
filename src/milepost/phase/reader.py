"""Reading a phase from outside: no lock, nothing changed, also while the job runs."""

from __future__ import annotations

from typing import Any, Self

from milepost.errors import InvalidArgument
from milepost.phase.loops import FailedSource, RecordedSource
from milepost.phase.results import Results
from milepost.phase.state import load_state
from milepost.phase.steps import Steps
from milepost.phase.work import Ambiguous
from milepost.run.index import group_of
from milepost.run.reading import ReadSession


class PhaseReader:
    """A phase as its journal had it when it was opened; `refresh` reads it anew."""

    def __init__(self, session: ReadSession, name: str) -> None:
        """Read what *session* holds."""
        self.name = name
        self._session = session

    def results(self, name: str | None = None) -> Results:
        """Return the results: a mapping in the order of recording, whose values are read when asked for.

        Args:
            name: The loop's name.
        """
        return Results(RecordedSource(self._session.index.group(group_of(name))), self._session.value)

    def failures(self, name: str | None = None) -> Results:
        """Return what failed and has no result since: a mapping from key to ``type``, ``message`` and ``attempts``.

        Args:
            name: The loop's name.
        """
        return Results(FailedSource(self._session.index.group(group_of(name)), None), self._session.value)

    @property
    def loops(self) -> list[str | None]:
        """The names of the loops that have records; None is the only loop without a name."""
        names = [label.removeprefix("loop:") for label in self._session.index.loops]
        return [name or None for name in names]

    @property
    def state(self) -> dict[str, Any]:
        """The state as it was saved last."""
        return load_state(self._session)

    @property
    def is_complete(self) -> bool:
        """Whether the phase has a result."""
        return self._session.index.completed > 0

    @property
    def result(self) -> Any:
        """The phase's result.

        Raises:
            InvalidArgument: It is not complete; see `is_complete`.
        """
        if not self.is_complete:
            raise InvalidArgument(f"{self._session.path}: this phase is not complete, so it has no result yet.")
        return self._session.value(self._session.index.completed)

    @property
    def attempts(self) -> int:
        """How many attempts the run has had."""
        return self._session.index.opened

    @property
    def ambiguous(self) -> list[Ambiguous]:
        """The paid calls that were sent and not answered, each with its price; one under way is among them."""
        return Steps.listed(self._session)

    def refresh(self) -> None:
        """Read the journal anew.

        Raises:
            DamageError: Acknowledged records are lost or altered.
            StorageError: The medium refused.
        """
        self._session.refresh()

    def close(self) -> None:
        """Let go of the files."""
        self._session.close()

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()
