"""Which recommendations say the same, and which belong together: average linkage, exactly. Pure.

Texts with one title are one text. What average linkage joins lies within one component of the graph of all pairs that
are alike enough, so each component is worked on by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from booksynth import similarity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scipy.sparse import csr_array

DIGITS = 9
# 1.0 asks for equal titles, and not for texts of the same words.
ONLY_EQUAL = 1.0


@dataclass(frozen=True)
class Group:
    """Keys that say the same, sorted.

    `medoids` are those that are most like the others: several, where nothing tells them apart. `cohesion` is the mean
    similarity of two of them, 1 for a single one.
    """

    keys: tuple[str, ...]
    medoids: tuple[str, ...]
    cohesion: float


@dataclass(frozen=True)
class Matching:
    """All groups, ordered by their first key, and themes: places of groups in that order, of two groups or more."""

    groups: list[Group]
    themes: list[list[int]]


def match(texts: Mapping[str, Mapping[str, float]], threshold: float, theme_threshold: float) -> Matching:
    """Return which of *texts* (key to the weights of its stems) say the same.

    Args:
        texts: Each text by a key that is its own.
        threshold: Groups are joined while the mean similarity of their texts is at least this, above 0 to 1.
        theme_threshold: The same for themes. Themes hold whole groups, so above *threshold* it counts as that.
    """
    keys = sorted(texts)
    if not keys:
        return Matching([], [])
    vectors = similarity.profiles(similarity.weighted([texts[key] for key in keys]))
    groups: list[tuple[int, ...]] = []
    themes: list[list[tuple[int, ...]]] = []
    for part in _components(vectors, min(theme_threshold, threshold)):
        merges = _linkage(vectors, part)
        inner = _cut(part, merges, threshold) if threshold < ONLY_EQUAL else [(row,) for row in part]
        groups += inner
        for outer in map(set, _cut(part, merges, min(theme_threshold, threshold))):
            held = [group for group in inner if group[0] in outer]
            themes += [held] if len(held) > 1 else []
    groups.sort()
    place = {group: number for number, group in enumerate(groups)}
    return Matching(
        [_group(keys, vectors, rows) for rows in groups],
        sorted(sorted(place[group] for group in theme) for theme in themes),
    )


def _components(vectors: csr_array, threshold: float) -> list[list[int]]:
    """Return the rows in parts that no pair of at least *threshold* connects."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = vectors.shape[0]
    firsts, seconds = similarity.edges(vectors, threshold)
    graph = coo_array((np.ones(len(firsts), dtype=np.int8), (firsts, seconds)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    parts: dict[int, list[int]] = {}
    for row, label in enumerate(labels.tolist()):
        parts.setdefault(label, []).append(row)
    return list(parts.values())


def _linkage(vectors: csr_array, part: Sequence[int]) -> list[tuple[int, int, float]]:
    """Return the joins of a part, from the most alike on: two numbers, and their mean similarity.

    Numbers below the size of the part stand for its rows, the next one for the first join, and so on.
    """
    if len(part) == 1:
        return []
    from scipy.cluster.hierarchy import linkage

    joined = linkage(1.0 - similarity.among(vectors, part), "average")
    return [(int(first), int(second), round(1.0 - height, DIGITS)) for first, second, height, _ in joined.tolist()]


def _cut(part: Sequence[int], merges: Sequence[tuple[int, int, float]], threshold: float) -> list[tuple[int, ...]]:
    held: dict[int, tuple[int, ...]] = {number: (row,) for number, row in enumerate(part)}
    for number, (first, second, similar) in enumerate(merges, len(part)):
        if similar >= threshold:
            held[number] = (*held.pop(first), *held.pop(second))
    return sorted(tuple(sorted(rows)) for rows in held.values())


def _group(keys: Sequence[str], vectors: csr_array, rows: tuple[int, ...]) -> Group:
    names = tuple(keys[row] for row in rows)
    if len(rows) == 1:
        return Group(names, names, 1.0)
    from scipy.spatial.distance import squareform

    pairs = similarity.among(vectors, rows)
    sums = [round(total, DIGITS) for total in squareform(pairs).sum(axis=1).tolist()]
    medoids = tuple(name for name, total in zip(names, sums, strict=True) if total == max(sums))
    return Group(names, medoids, round(float(pairs.mean()), 6))
