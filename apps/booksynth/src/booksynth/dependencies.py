"""What a recommendation depends on: from the words of books to ids, and which depend on themselves. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from booksynth import terms, texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from booksynth.clusters import Cluster

Entry = dict[str, Any]


def resolve(entries: Sequence[Entry], clusters: Iterable[Cluster]) -> list[list[str]]:
    """Give each dependency of *entries* its id and whether it is cyclic; return all cycles, each sorted.

    A dependency means the recommendation with that title; else the only one with a title of the same stems. What
    depends on itself, by however many others, is cyclic.
    """
    titles, stems = _names(entries, clusters)
    for entry in entries:
        for one in entry["dependencies"]:
            key = texts.key(one["text"])
            same = stems.get(_stems(key), set())
            one["id"] = titles.get(key) or (next(iter(same)) if len(same) == 1 else None)
    cycle = _cycles({entry["id"]: {one["id"] for one in entry["dependencies"] if one["id"]} for entry in entries})
    for entry in entries:
        for one in entry["dependencies"]:
            itself = one["id"] == entry["id"]
            one["is_cyclic"] = itself or (one["id"] is not None and cycle[one["id"]] == cycle[entry["id"]])
    members: dict[int, list[str]] = {}
    for id_ in sorted(cycle):
        members.setdefault(cycle[id_], []).append(id_)
    return sorted(ids for ids in members.values() if len(ids) > 1)


def _names(entries: Iterable[Entry], clusters: Iterable[Cluster]) -> tuple[dict[str, str], dict[Any, set[str]]]:
    titles: dict[str, str] = {}
    stems: dict[Any, set[str]] = {}
    for entry, cluster in zip(entries, clusters, strict=True):
        for key in {voice.key for voice in cluster.voices}:
            titles[key] = entry["id"]
            stems.setdefault(_stems(key), set()).add(entry["id"])
    # Titles without a word that tells something are alike in nothing.
    stems.pop((), None)
    return titles, stems


def _stems(title: str) -> tuple[str, ...]:
    return tuple(sorted(set(terms.stems(title))))


def _cycles(needs: Mapping[str, set[str]]) -> dict[str, int]:
    """Return each id with the number of the strongly connected part that it is in."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ids = sorted(needs)
    place = {id_: number for number, id_ in enumerate(ids)}
    edges = [(place[id_], place[need]) for id_ in ids for need in sorted(needs[id_])]
    if not edges:
        return place
    firsts, seconds = zip(*edges, strict=True)
    graph = coo_array(([1] * len(edges), (firsts, seconds)), shape=(len(ids), len(ids)))
    _, labels = connected_components(graph, connection="strong")
    return dict(zip(ids, labels.tolist(), strict=True))
