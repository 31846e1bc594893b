"""Which recommendations say the same: equal titles, or titles that are enough alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def components(keys: Iterable[str], threshold: float) -> list[list[str]]:
    """Return the distinct *keys* in groups that are linked by a similarity of at least *threshold*.

    Being linked is transitive, so the groups do not depend on any order. Similarity is the share of
    equal words, in whatever order they stand (0 to 1); at 1.0 only equal keys are one.
    """
    names = sorted(set(keys))
    root = {name: name for name in names}
    if threshold < 1.0:
        from rapidfuzz import fuzz, process

        for place, name in enumerate(names):
            rest = names[place + 1 :]
            for other, _, _ in process.extract(
                name, rest, scorer=fuzz.token_sort_ratio, score_cutoff=threshold * 100, limit=None
            ):
                low, high = sorted((_find(root, name), _find(root, other)))
                root[high] = low
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_find(root, name), []).append(name)
    return list(groups.values())


def _find(root: dict[str, str], name: str) -> str:
    while root[name] != name:
        root[name] = root[root[name]]
        name = root[name]
    return name
