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

    from booksynth.similarity import Floats

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


def match(
    texts: Mapping[str, Mapping[str, float]],
    threshold: float,
    theme_threshold: float,
    meanings: Mapping[str, Floats] | None = None,
) -> Matching:
    """Return which of *texts* (key to the weights of its stems) say the same.

    Args:
        texts: Each text by a key that is its own.
        threshold: Groups are joined while the mean similarity of their texts is at least this, above 0 to 1.
        theme_threshold: The same for themes. Themes hold whole groups, so above *threshold* it counts as that.
        meanings: A vector of length 1 of each text, from a model, by the same keys.
    """
    keys = sorted(texts)
    if not keys:
        return Matching([], [])
    vectors = profiles_of(texts, meanings)
    groups: list[tuple[int, ...]] = []
    themes: list[list[tuple[int, ...]]] = []
    for part in components(vectors, min(theme_threshold, threshold)):
        merges = joins(vectors, part)
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


def profiles_of(texts: Mapping[str, Mapping[str, float]], meanings: Mapping[str, Floats] | None = None) -> csr_array:
    """Return the vectors whose cosines are compared, one for each key, in the order of the keys."""
    import numpy as np

    keys = sorted(texts)
    known = None if meanings is None else np.array([meanings[key] for key in keys])
    return similarity.profiles(similarity.weighted([texts[key] for key in keys]), known)


def components(vectors: csr_array, threshold: float) -> list[list[int]]:
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


def joins(vectors: csr_array, part: Sequence[int]) -> list[tuple[int, int, float]]:
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
