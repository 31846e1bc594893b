"""The laws of merging by meaning."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage

from booksynth import merging, similarity, terms

STEMS = [f"stem{n}" for n in range(14)]
TEXTS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(STEMS), st.sampled_from([0.5, 2 / 3, 0.75]), max_size=6),
    max_size=14,
)
THRESHOLDS = st.sampled_from([0.2, 0.4, 0.55, 0.8])


@settings(deadline=None)
@given(TEXTS, THRESHOLDS, st.randoms(use_true_random=False))
def test_order_makes_no_difference(texts: dict[str, dict[str, float]], threshold: float, chance: random.Random) -> None:
    """The groups are the same in whatever order the texts and their stems come."""
    shuffled = [(key, list(text.items())) for key, text in texts.items()]
    chance.shuffle(shuffled)
    for _, text in shuffled:
        chance.shuffle(text)
    other = {key: dict(text) for key, text in shuffled}
    assert merging.match(other, threshold, 0.2) == merging.match(texts, threshold, 0.2)


@settings(deadline=None)
@given(TEXTS.filter(lambda texts: len(texts) > 1), THRESHOLDS)
def test_by_components_is_exact(texts: dict[str, dict[str, float]], threshold: float) -> None:
    """Working by components gives the heights that average linkage of the whole gives."""
    vectors = similarity.profiles(similarity.weighted([texts[key] for key in sorted(texts)]))
    whole = linkage(1 - similarity.among(vectors, range(len(texts))), "average")
    expected = [1 - height for height in whole[:, 2].tolist() if 1 - height >= threshold]
    found = [
        similar
        for part in merging.components(vectors, threshold)
        for _, _, similar in merging.joins(vectors, part)
        if similar >= threshold
    ]
    assert sorted(found, reverse=True) == pytest.approx(expected, abs=1e-8)


@settings(deadline=None)
@given(TEXTS, THRESHOLDS, THRESHOLDS)
def test_every_text_has_one_group(texts: dict[str, dict[str, float]], threshold: float, theme: float) -> None:
    """Every text is in exactly one group, every group in at most one theme, and no theme is of one group."""
    found = merging.match(texts, threshold, theme)
    assert sorted(itertools.chain.from_iterable(group.keys for group in found.groups)) == sorted(texts)
    places = list(itertools.chain.from_iterable(found.themes))
    assert len(places) == len(set(places))
    assert all(len(held) > 1 for held in found.themes)
    assert all(0 <= group.cohesion <= 1 and set(group.medoids) <= set(group.keys) for group in found.groups)


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Similarities are exact numbers: how many rows are multiplied at once has no part in them."""
    chance = random.Random(4)
    texts = {str(n): {stem: chance.random() for stem in chance.sample(STEMS, 5)} for n in range(60)}
    whole = merging.match(texts, 0.55, 0.25)
    monkeypatch.setattr(similarity, "ROWS_PER_BLOCK", 7)
    assert merging.match(texts, 0.55, 0.25) == whole


def test_threshold_of_one_merges_nothing() -> None:
    """At 1.0 texts of the same words under different keys stay apart, and are one theme."""
    texts = {key: {"cache": 0.5, "index": 0.5} for key in "ab"}
    apart = merging.match(texts, 1.0, 0.25)
    assert [group.keys for group in apart.groups] == [("a",), ("b",)]
    assert apart.themes == [[0, 1]]
    assert [group.keys for group in merging.match(texts, 0.99, 0.25).groups] == [("a", "b")]


def test_texts_without_words_stay_apart() -> None:
    """A text without a word that tells something is like nothing but itself."""
    assert len(merging.match({"a": {}, "b": {}, "c": {"cache": 0.5}}, 0.1, 0.1).groups) == 3


def test_other_words_for_the_same_thing() -> None:
    """Two texts that share no rare word are merged where the rest of the shelf says that they are one matter."""
    joined = {f"bridge{n}": dict.fromkeys(["shap", "explain", "predict"], 0.75) for n in range(6)}
    far = {f"far{n}": {f"word{n}": 0.75, f"other{n}": 0.75} for n in range(30)}
    two = {"one": {"shap": 0.75, "predict": 0.75}, "two": {"explain": 0.75, "predict": 0.75}}
    found = merging.match({**joined, **far, **two}, 0.55, 0.25)
    assert ("one", "two") in [tuple(key for key in group.keys if key in two) for group in found.groups]
    alone = merging.match({**far, **two}, 0.55, 0.25)
    assert ("one",) in [group.keys for group in alone.groups]


def test_stems_are_of_words_that_tell_something() -> None:
    """Words in other forms have one stem, words that tell nothing none, and C, C++ and R stay themselves."""
    assert terms.stems("Caching the indexes, cached") == ["cach", "index", "cach"]
    assert terms.stems("Use C, C++ and R with it") == ["c", "c++", "r"]


def test_weights_grow_with_occurrences() -> None:
    """A stem counts more the more often it occurs, but never 1; steps and impact have no part."""
    fields = {"title": "Cache", "description": "cache caches", "implementation_steps": ["Look"], "time_estimate": 3}
    assert terms.weights(fields) == {"cach": 0.75}
    assert terms.union([{"a": 0.5}, {"a": 0.75, "b": 0.5}]) == {"a": 0.75, "b": 0.5}
