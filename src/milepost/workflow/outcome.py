"""What a run of a workflow gives back: the outputs of its phases, read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


class Outputs(Mapping[str, Any]):
    """The output of each phase, by name. *ran*, *reused* and *left* say what became of the phases of this run.

    *left* maps a phase that did not run to the reason.
    """

    def __init__(self) -> None:
        """Hold none yet."""
        self.ran: list[str] = []
        self.reused: list[str] = []
        self.left: dict[str, str] = {}
        self._values: dict[str, Callable[[], Any]] = {}
        self._digests: dict[str, str] = {}

    def put(self, phase: str, value: Callable[[], Any], digest: str) -> None:
        """Know the output of *phase*: where its value is had, and its digest."""
        self._values[phase] = value
        self._digests[phase] = digest

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

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<milepost.Outputs of {', '.join(self) or 'no phase'}>"
