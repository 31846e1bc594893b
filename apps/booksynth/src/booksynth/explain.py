"""Why two recommendations were merged, or why not: the command ``explain``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from booksynth import merging, similarity, terms, texts
from booksynth.report import shown
from booksynth.request import CONSOLIDATED, InputError
from booksynth.settings import Phase3Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from booksynth.similarity import Floats

SHOWN = 12
DIGITS = 4


@dataclass(frozen=True)
class Join:
    """Two groups that linkage joined, on the way from the first recommendation to the second."""

    similarity: float
    is_merged: bool
    first: list[str]
    second: list[str]


@dataclass(frozen=True)
class Explanation:
    """Why two titles are or are not one recommendation.

    `words` is the cosine of their words, of which each of `shared_terms` gives a part. `similarity` is the cosine of
    what they are near to, of which each of `shared_neighbours` gives a part. `chain` has the joins of the linkage from
    the first to the second; it is empty where nothing joins them, however loosely.
    """

    first: str
    second: str
    is_merged: bool
    reason: str
    threshold: float
    words: float
    similarity: float
    shared_terms: list[tuple[str, float]]
    shared_neighbours: list[tuple[str, float]]
    chain: list[Join]


class Shelf:
    """The titles of a consolidated document, with all that was compared."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Read *document*, as phase 3 wrote it."""
        self.settings = Phase3Settings.model_validate(document["settings"])
        self.titles: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        fields: dict[str, dict[str, Any]] = {}
        entries = [*document["recommendations"], *document["below_min_confidence"]]
        for entry in entries:
            own = [texts.key(variant["fields"]["title"]) for variant in entry["variants"]]
            # A title that a model wrote is in no book, and only what books say was compared.
            title = texts.key(entry["title"])
            self._ids[entry["id"]] = title if title in own else own[0]
            for variant in entry["variants"]:
                key = texts.key(variant["fields"]["title"])
                self.titles[key] = min(self.titles.get(key, variant["fields"]["title"]), variant["fields"]["title"])
                fields.setdefault(key, {})[variant["digest"]] = variant["fields"]
        self.words = {key: terms.union(map(terms.weights, some.values())) for key, some in sorted(fields.items())}
        self.meanings = self._meanings(fields) if self.settings.matching == "embeddings" else None

    @staticmethod
    def _meanings(fields: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Floats]:
        from booksynth.embeddings import decode, encode

        return {key: decode(encode(some[digest]) for digest in sorted(some)) for key, some in fields.items()}

    def key(self, wanted: str) -> str:
        """Return the key of the title, or of the id, that is *wanted*.

        Raises:
            InputError: There is none; the message names the nearest titles.
        """
        key = self._ids.get(wanted, texts.key(wanted))
        if key in self.words:
            return key
        from difflib import get_close_matches

        near = [f'"{self.titles[one]}"' for one in get_close_matches(key, list(self.words), n=3, cutoff=0.4)]
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise InputError(f'no recommendation has the id or the title "{wanted}"{hint}')


def read(folder: Path) -> Shelf:
    """Return what stands in an output folder.

    Raises:
        InputError: There is no document of phase 3, or it is none of this release.
    """
    path = folder / CONSOLIDATED
    try:
        return Shelf(json.loads(path.read_bytes()))
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read: {error.strerror}; run phase 3 first") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{shown(path)} is no document of this release; run phase 3 again") from error


def explain(shelf: Shelf, first: str, second: str) -> Explanation:
    """Return why the recommendations *first* and *second* (ids or titles) were merged, or why not.

    Raises:
        InputError: One of them is not there.
    """
    keys = list(shelf.words)
    one, other = (keys.index(shelf.key(wanted)) for wanted in (first, second))
    settings = shelf.settings
    weighted = similarity.weighted([shelf.words[key] for key in keys])
    profiles = merging.profiles_of(shelf.words, shelf.meanings)
    stems = sorted({stem for words in shelf.words.values() for stem in words})
    names = [shelf.titles[key] for key in keys]
    shared_terms, words = _parts(weighted, one, other, stems)
    neighbours, alike = _parts(profiles, one, other, names)
    part, merges = _component(profiles, one, settings)
    chain = _chain(part, merges, one, other, names, settings) if other in part else []
    is_merged = one == other or (bool(chain) and all(join.is_merged for join in chain))
    return Explanation(
        first=names[one],
        second=names[other],
        is_merged=is_merged,
        reason=_reason(one == other, is_merged, chain, settings),
        threshold=settings.similarity_threshold,
        words=words,
        similarity=alike,
        shared_terms=shared_terms,
        shared_neighbours=neighbours,
        chain=chain,
    )


def _parts(vectors: Any, one: int, other: int, names: Sequence[str]) -> tuple[list[tuple[str, float]], float]:
    """Return what two rows have in common, the greatest part first, and their cosine."""
    product = (vectors[[one]].multiply(vectors[[other]])).tocoo()
    parts = [
        (names[column], value / similarity.UNIT**2) for column, value in zip(product.col, product.data, strict=True)
    ]
    parts.sort(key=lambda part: (-part[1], part[0]))
    total = min(sum(value for _, value in sorted(parts)), 1.0)
    return [(name, round(float(value), DIGITS)) for name, value in parts[:SHOWN]], round(float(total), DIGITS)


def _component(profiles: Any, row: int, settings: Phase3Settings) -> tuple[list[int], list[tuple[int, int, float]]]:
    least = min(settings.theme_threshold, settings.similarity_threshold)
    part = next(rows for rows in merging.components(profiles, least) if row in rows)
    return part, merging.joins(profiles, part)


def _chain(
    part: Sequence[int],
    merges: Sequence[tuple[int, int, float]],
    one: int,
    other: int,
    names: Sequence[str],
    settings: Phase3Settings,
) -> list[Join]:
    held: dict[int, tuple[int, ...]] = {number: (row,) for number, row in enumerate(part)}
    chain: list[Join] = []
    for number, (first, second, alike) in enumerate(merges, len(part)):
        left, right = held.pop(first), held.pop(second)
        held[number] = (*left, *right)
        if not {one, other} & set(held[number]):
            continue
        is_merged = settings.similarity_threshold < merging.ONLY_EQUAL and alike >= settings.similarity_threshold
        chain.append(Join(round(alike, DIGITS), is_merged, [names[row] for row in left], [names[row] for row in right]))
        if one in held[number] and other in held[number]:
            return chain
    return chain


def _reason(is_one_title: bool, is_merged: bool, chain: Sequence[Join], settings: Phase3Settings) -> str:
    threshold = settings.similarity_threshold
    if is_one_title:
        return "their titles are equal, once case, spaces, punctuation and ligatures are set aside"
    if is_merged:
        return f"every join from one to the other is at least {threshold:g} alike, on the average"
    if not chain:
        return f"nothing connects them, not even at {min(settings.theme_threshold, threshold):g}"
    least = min(join.similarity for join in chain)
    if threshold >= merging.ONLY_EQUAL:
        return "at a threshold of 1 only equal titles are merged"
    return f"on the way from one to the other a join is only {least:g} alike, below {threshold:g}"


def lines(one: Explanation) -> list[str]:
    """Return the explanation for people."""
    verdict = "are one recommendation" if one.is_merged else "are two recommendations"
    found = [f'"{one.first}" and "{one.second}" {verdict}: {one.reason}.', ""]
    found.append(f"Their words are alike to {one.words:g}, by:")
    found += [f"  {weight:.3f}  {stem}" for stem, weight in one.shared_terms] or ["  no word at all"]
    found += ["", f"What they are near to is alike to {one.similarity:g}, by:"]
    found += [f"  {weight:.3f}  {title}" for title, weight in one.shared_neighbours] or ["  nothing at all"]
    if one.chain:
        found += ["", "The joins from one to the other:"]
    for join in one.chain:
        sign = "merged" if join.is_merged else "not merged"
        found.append(f"  {join.similarity:.3f}  {sign}: {_some(join.first)} | {_some(join.second)}")
    return found


def _some(titles: Sequence[str]) -> str:
    more = f" and {len(titles) - 2} more" if len(titles) > 2 else ""
    return "; ".join(titles[:2]) + more


def as_json(one: Explanation) -> str:
    """Return the explanation for machines."""
    return json.dumps(asdict(one), ensure_ascii=False, indent=2)
