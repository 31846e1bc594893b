"""Which recommendations of a shelf become one, and which belong to one theme. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from booksynth import terms, texts
from booksynth.merging import match

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from booksynth.settings import Phase3Settings
    from booksynth.shelf import Book, Member
    from booksynth.similarity import Floats


@dataclass(frozen=True)
class Voice:
    """One recommendation of one book, as a member of a merged one."""

    book: Book
    member: Member

    @property
    def key(self) -> str:
        """The title, as it is compared."""
        return texts.key(str(self.member.fields["title"]))


@dataclass(frozen=True)
class Cluster:
    """What becomes one recommendation.

    `voices` are in the order of book and digest, `medoids` are those of them that are most like the others. `cohesion`
    is the mean similarity of two titles, 1 for a single one.
    """

    voices: list[Voice]
    medoids: list[Voice]
    cohesion: float

    @property
    def members(self) -> list[str]:
        """The digests of the records, each once, sorted."""
        return sorted({voice.member.digest for voice in self.voices})


@dataclass(frozen=True)
class Clusters:
    """All clusters, and the themes: places of clusters, of two or more each."""

    clusters: list[Cluster]
    themes: list[list[int]]


def titled(shelf: Iterable[Book]) -> dict[str, list[Voice]]:
    """Return the voices of each title, as titles are compared, in the order of book and digest."""
    voices: dict[str, list[Voice]] = {}
    for book in shelf:
        for member in book.members.values():
            voice = Voice(book, member)
            voices.setdefault(voice.key, []).append(voice)
    return {key: sorted(voices[key], key=_order) for key in sorted(voices)}


def words(voices: Mapping[str, list[Voice]]) -> dict[str, dict[str, float]]:
    """Return the weights of the stems of each title's records."""
    return {key: terms.union(terms.weights(voice.member.fields) for voice in some) for key, some in voices.items()}


def meanings(voices: Mapping[str, list[Voice]], vectors: Mapping[str, str] | None) -> dict[str, Floats] | None:
    """Return the vector of each title's records; None where no model is asked."""
    if vectors is None:
        return None
    from booksynth.embeddings import decode

    return {
        key: decode(vectors[digest] for digest in sorted({voice.member.digest for voice in some}))
        for key, some in voices.items()
    }


def clusters(shelf: Iterable[Book], settings: Phase3Settings, vectors: Mapping[str, str] | None = None) -> Clusters:
    """Return what of *shelf* is to be merged; *vectors* of all its records, by digest, where a model is asked."""
    voices = titled(shelf)
    matching = match(words(voices), settings.similarity_threshold, settings.theme_threshold, meanings(voices, vectors))
    found = [
        Cluster(
            sorted((voice for key in group.keys for voice in voices[key]), key=_order),
            sorted((voice for key in group.medoids for voice in voices[key]), key=_order),
            group.cohesion,
        )
        for group in matching.groups
    ]
    return Clusters(found, matching.themes)


def _order(voice: Voice) -> tuple[str, str]:
    return voice.book.key, voice.member.digest
