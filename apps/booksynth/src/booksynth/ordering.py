"""In which order the plans can be carried out: what a recommendation needs comes before it. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from booksynth.entries import Entry


@dataclass(frozen=True)
class Group:
    """What is done together: one recommendation, or several that need each other. By rank, the best first."""

    ids: tuple[str, ...]

    @property
    def is_cycle(self) -> bool:
        """Tell whether its members need each other."""
        return len(self.ids) > 1


def needs(entries: Iterable[Entry]) -> dict[str, list[str]]:
    """Return id to the ids of what it needs, of those that are among *entries*, in the order of the entry."""
    by_id = {entry["id"]: entry for entry in entries}
    found = {
        id_: [one["id"] for one in entry["dependencies"] if one["id"] in by_id and one["id"] != id_]
        for id_, entry in by_id.items()
    }
    return {id_: list(dict.fromkeys(ids)) for id_, ids in found.items()}


def order(needed: Mapping[str, Iterable[str]]) -> list[Group]:
    """Return all ids of *needed* (id to what it needs, by rank) such that what is needed comes first.

    Among what can be done next the best ranked comes first, and what something needs ranks as high as that does. Ids
    that need each other, directly or by way of others, are one group: the books give no order for them.
    """
    rank = {id_: place for place, id_ in enumerate(needed)}
    group_of = _groups(needed)
    graph: dict[str, set[str]] = {name: set() for name in group_of.values()}
    members: dict[str, list[str]] = {}
    for id_, ids in needed.items():
        members.setdefault(group_of[id_], []).append(id_)
        graph[group_of[id_]] |= {group_of[one] for one in ids} - {group_of[id_]}
    own = {name: min(rank[id_] for id_ in ids) for name, ids in members.items()}
    pulled = dict(own)
    # From the last to the first, so that a rank goes down the whole chain of what is needed.
    for name in reversed(list(TopologicalSorter(graph).static_order())):
        for one in graph[name]:
            pulled[one] = min(pulled[one], pulled[name])
    return [Group(tuple(members[name])) for name in _sorted(graph, {one: (pulled[one], own[one]) for one in graph})]


def _sorted(graph: Mapping[str, set[str]], keys: Mapping[str, tuple[int, int]]) -> list[str]:
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    heap: list[tuple[tuple[int, int], str]] = []
    done: list[str] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(heap, (keys[name], name))
        _, name = heapq.heappop(heap)
        done.append(name)
        sorter.done(name)
    return done


def _groups(needed: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Return id to the name of its group: cycles are drawn together until none is left."""
    group_of = {id_: id_ for id_ in needed}
    while True:
        graph: dict[str, set[str]] = {name: set() for name in group_of.values()}
        for id_, ids in needed.items():
            graph[group_of[id_]] |= {group_of[one] for one in ids} - {group_of[id_]}
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            cycle = set(error.args[1])
            name = min(cycle)
            group_of = {id_: name if group in cycle else group for id_, group in group_of.items()}
        else:
            return group_of
