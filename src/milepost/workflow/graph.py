"""The phases of a workflow as they are declared, and the order that their dependencies allow. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from milepost.errors import InvalidArgument
from milepost.phase.limits import Budget
from milepost.phase.work import Key, Version


@dataclass(frozen=True)
class Node:
    """One declared phase; see `Workflow.phase` for what each field means."""

    name: str
    function: Callable[..., Any]
    after: tuple[str, ...] = ()
    items: Callable[..., Iterable[Any]] | Iterable[Any] | None = None
    key: Key | None = None
    version: Version | None = None
    params: Any = None
    inputs: Sequence[str | Path] | Callable[..., Sequence[str | Path]] = ()
    code: tuple[Callable[..., Any], ...] = ()
    keeps_items: bool = False
    retries: int = 0
    retry_wait_seconds: float = 1.0
    budget: Budget = field(default_factory=Budget)
    ttl_hours: float | None = None
    on_change: str | None = None


class Graph:
    """The declared phases, by name, in the order in which they were declared."""

    def __init__(self, workflow: str) -> None:
        """Hold none yet; *workflow* is for messages."""
        self.nodes: dict[str, Node] = {}
        self._workflow = workflow

    def add(self, node: Node) -> None:
        """Take one more.

        Raises:
            InvalidArgument: A phase of that name is declared already.
        """
        if node.name in self.nodes:
            raise InvalidArgument(f"workflow {self._workflow!r}: phase {node.name!r} is declared twice.")
        self.nodes[node.name] = node

    def name_of(self, phase: str | Callable[..., Any]) -> str:
        """Return the name of a phase that is given by its name or by its body.

        Raises:
            InvalidArgument: No phase has that body, or more than one.
        """
        if isinstance(phase, str):
            return phase
        names = [node.name for node in self.nodes.values() if node.function is phase]
        if len(names) != 1:
            raise InvalidArgument(
                f"workflow {self._workflow!r}: after={phase!r} is the body of {len(names)} phases; give the phase's "
                "name, or declare it before."
            )
        return names[0]

    def order(self) -> list[Node]:
        """Return every phase behind those it builds on, else as declared.

        Raises:
            InvalidArgument: A phase builds on one that is not declared, or in a circle; the message names them.
        """
        sorter = self.sorter(self.nodes)
        ordered: list[Node] = []
        while sorter.is_active():
            ready = self.ready(sorter)
            ordered += ready
            sorter.done(*(node.name for node in ready))
        return ordered

    def sorter(self, names: Iterable[str]) -> TopologicalSorter[str]:
        """Return a prepared sorter of the phases *names*; what they build on outside of these is done."""
        wanted = set(names)
        for node in self.nodes.values():
            unknown = [name for name in node.after if name not in self.nodes]
            if unknown:
                known = ", ".join(self.nodes)
                raise InvalidArgument(
                    f"workflow {self._workflow!r}: phase {node.name!r} comes after {unknown[0]!r}, which is not "
                    f"declared; there are {known}."
                )
        edges = {name: [up for up in self.nodes[name].after if up in wanted] for name in self.nodes if name in wanted}
        sorter = TopologicalSorter(edges)
        try:
            sorter.prepare()
        except CycleError as error:
            circle = " -> ".join(reversed(error.args[1]))
            raise InvalidArgument(f"workflow {self._workflow!r}: phases come after each other: {circle}.") from None
        return sorter

    def ready(self, sorter: TopologicalSorter[str]) -> list[Node]:
        """Return the phases that *sorter* releases now, as declared."""
        released = set(sorter.get_ready())
        return [node for name, node in self.nodes.items() if name in released]

    def selected(self, *, start: str | None, to: str | None, only: Iterable[str] | None) -> list[Node]:
        """Return the phases that a run is asked for, in order.

        Args:
            start: Leave out what *start* does not lead to; None for no such limit.
            to: Leave out what does not lead to *to*.
            only: These and no others.

        Raises:
            InvalidArgument: A name is not declared, or nothing is left.
        """
        if not self.nodes:
            raise InvalidArgument(f"workflow {self._workflow!r} declares no phase.")
        for name in [*filter(None, [start, to]), *(only or ())]:
            if name not in self.nodes:
                raise InvalidArgument(
                    f"workflow {self._workflow!r} has no phase {name!r}; there are {', '.join(self.nodes)}."
                )
        chosen = [
            node
            for node in self.order()
            if (only is None or node.name in set(only))
            and (start is None or start in self._upstream(node.name))
            and (to is None or node.name in self._upstream(to))
        ]
        if not chosen:
            asked = f"no phase is between {start!r} and {to!r}" + ("" if only is None else " and among those named")
            raise InvalidArgument(f"workflow {self._workflow!r}: {asked}.")
        return chosen

    def _upstream(self, name: str) -> set[str]:
        """Return *name* and all that it builds on."""
        found, new = set(), {name}
        while new:
            found |= new
            new = {up for one in new for up in self.nodes[one].after} - found
        return found


def upstream_of(node: Node, digests: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the digests of the outputs that *node* builds on, in the order of its `after`."""
    return {name: digests.get(name) for name in node.after}
