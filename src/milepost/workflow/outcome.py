"""What a run of a workflow gives back: the outputs of its phases, read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any


class Outputs(Mapping[str, Any]):
    """The output of each phase, by name, in the order of the workflow; read and decoded when it is asked for.

    *ran* and *reused* name the phases of this run in the order in which they ended, *left* maps a phase that did not
    run to the reason.
    """

    def __init__(self, order: Iterable[str] = ()) -> None:
        """Hold none yet; *order* is that of the phases."""
        self._order = list(order)
        self.ran: list[str] = []
        self.reused: list[str] = []
        self.left: dict[str, str] = {}
        self._values: dict[str, Callable[[], Any]] = {}
        self._digests: dict[str, str] = {}

    def put(self, phase: str, value: Callable[[], Any], digest: str) -> None:
        """Know the output of *phase*: where its value is had, and its digest."""
        self._values[phase] = value
        self._digests[phase] = digest

    def drop(self, phase: str) -> None:
        """Know no output of *phase* any more."""
        del self._values[phase], self._digests[phase]
        self.ran.remove(phase)

    def digest(self, phase: str) -> str:
        """Return the digest of a phase's output.

        Raises:
            KeyError: It has none.
        """
        return self._digests[phase]

    def __getitem__(self, phase: str) -> Any:
        """Return the output of *phase*.

        Raises:
            KeyError: There is no such phase, or it has no output.
        """
        return self._values[phase]()

    def __contains__(self, phase: object) -> bool:
        return phase in self._values  # not by reading it, which the inherited one does

    def __iter__(self) -> Iterator[str]:
        return iter([name for name in self._order if name in self._values])

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<milepost.Outputs of {', '.join(self) or 'no phase'}>"
