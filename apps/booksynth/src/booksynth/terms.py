"""What a recommendation says, as stems and how much each of them counts. Pure."""

from __future__ import annotations

from collections import Counter
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from booksynth import texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# Steps and expected impact say much that holds for any recommendation: with them unlike ones seem alike.
FIELDS = ("title", "description", "technical_details")

# Words that tell nothing about what is recommended. The list is ours: those of libraries hold words such as "system"
# or "bill", which tell something here.
_STOP_TEXT = """
a about above after again against all also am an and any are as at be because been before being below between both but
by can cannot could did do does doing down during each eg etc few for from further had has have having he her here hers
him his how i ie if in into is it its itself just may me might more most must my no nor not now of off on once only or
other our ours out over own same shall she should so some such than that the their theirs them then there these they
this those through to too under until up upon us use used uses using very via was we well were what when where which
while who whom why will with within without would you your
"""
_STOP_WORDS = frozenset(_STOP_TEXT.split())


@cache
def _stemmer() -> Callable[[str], str]:
    # By its module: the package's own choice is another implementation where one is installed.
    from snowballstemmer.english_stemmer import EnglishStemmer

    stem: Callable[[str], str] = lru_cache(maxsize=65_536)(EnglishStemmer().stemWord)
    return stem


def stems(text: str) -> list[str]:
    """Return the stems of the words of *text*, in their order, without those that tell nothing."""
    stem = _stemmer()
    return [stem(word) for word in texts.key(text).split() if word not in _STOP_WORDS]


def weights(fields: Mapping[str, Any]) -> dict[str, float]:
    """Return each stem of the compared fields with its weight, from 1/2 for one occurrence towards 1 for many."""
    counts = Counter(stem for name in FIELDS for stem in stems(_text(fields.get(name))))
    return {stem: count / (count + 1) for stem, count in counts.items()}


def union(all_weights: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the greatest weight of each stem over several texts that are one."""
    found: dict[str, float] = {}
    for one in all_weights:
        for stem, weight in one.items():
            found[stem] = max(weight, found.get(stem, 0.0))
    return found


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return " ".join(map(_text, value)) if isinstance(value, list) else ""
