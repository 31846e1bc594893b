"""One merged recommendation: what several books say, with everything that was merged into it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from booksynth import texts
from booksynth.effort import effort
from booksynth.steps import Step, voted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from booksynth.clusters import Cluster, Voice
    from booksynth.shelf import Member

SEVERITY = ("critical", "important", "nice_to_have")

Entry = dict[str, Any]


def severity(bucket: str) -> tuple[int, str]:
    """Return a sort key: the known buckets from the most severe on, then unknown ones by name."""
    place = SEVERITY.index(bucket) if bucket in SEVERITY else len(SEVERITY)
    return place, bucket


def known_bucket(bucket: str) -> str:
    """Return the name of a bucket however it was spelt (``Nice-to-have``); unknown ones stay."""
    name = texts.key(bucket).replace(" ", "_")
    return name if name in SEVERITY else bucket


def confidence(book_count: int) -> float:
    """Return 1 - 1/2^n for n books: each further book halves the doubt."""
    return round(1 - 0.5**book_count, 6)


def merge(cluster: Cluster) -> Entry:
    """Return the merged entry of *cluster*; its dependencies have no ids yet, and it has no theme."""
    members = cluster.voices
    fields = _representative(cluster.medoids)
    votes = _priority_votes(members)
    books = {voice.book.key: voice.book.title for voice in members}
    first_steps, further_steps = _steps(fields, members)
    return {
        "id": f"rec-{texts.digest(cluster.members)[:16]}",
        "title": _most_frequent(str(voice.member.fields["title"]) for voice in cluster.medoids),
        "priority": min(votes, key=lambda bucket: (-votes[bucket], severity(bucket))),
        "priority_votes": votes,
        "confidence": confidence(len(books)),
        "cohesion": cluster.cohesion,
        "book_count": len(books),
        "books": [books[key] for key in sorted(books)],
        "theme": None,
        "category_votes": _category_votes(members),
        "description": fields.get("description") or "",
        "technical_details": fields.get("technical_details") or "",
        "implementation_steps": first_steps,
        "further_steps": further_steps,
        "expected_impact": fields.get("expected_impact") or "",
        "effort": effort(_estimates(members)),
        "time_estimates": _distinct(members, "time_estimate"),
        "dependencies": _dependencies(members),
        "titles": _distinct(members, "title"),
        "members": cluster.members,
        "synthesis": {"by": "merge", "reason": None},
        "variants": _variants(members),
        "sources": _sources(members),
    }


def order(entry: Entry) -> tuple[Any, ...]:
    """Return the sort key of the list: priority, number of books, title, id."""
    return severity(entry["priority"]), -entry["book_count"], entry["title"], entry["id"]


def _representative(members: list[Voice]) -> dict[str, Any]:
    def length_then_digest(voice: Voice) -> tuple[int, str]:
        return -len(voice.member.fields.get("description") or ""), voice.member.digest

    return min(members, key=length_then_digest).member.fields


def _most_frequent(values: Iterable[str]) -> str:
    counts = Counter(values)
    # Capitals come first in byte order, and a title that shouts is no better than its equals.
    return min(counts, key=lambda value: (-counts[value], value.isupper(), value.encode()))


def _by_book(members: list[Voice]) -> dict[str, list[Member]]:
    books: dict[str, list[Member]] = {}
    for voice in members:
        books.setdefault(voice.book.key, []).append(voice.member)
    return books


def _priority_votes(members: list[Voice]) -> dict[str, int]:
    """One vote for each book, however often it repeats itself: the most severe that it gave."""
    votes: Counter[str] = Counter()
    for own in _by_book(members).values():
        buckets = {known_bucket(source.bucket) for member in own for source in member.sources}
        votes[min(buckets, key=severity)] += 1
    return {bucket: votes[bucket] for bucket in sorted(votes, key=severity)}


def _category_votes(members: list[Voice]) -> dict[str, int]:
    votes: Counter[str] = Counter()
    for own in _by_book(members).values():
        votes.update({category for one in own if (category := one.fields.get("category"))})
    return dict(sorted(votes.items(), key=lambda item: (-item[1], item[0])))


def _steps(fields: dict[str, Any], members: list[Voice]) -> tuple[list[Step], list[Step]]:
    said = ((voice.book.key, tuple(voice.member.fields.get("implementation_steps") or ())) for voice in members)
    return voted(fields.get("implementation_steps") or (), said)


def _estimates(members: list[Voice]) -> dict[str, list[str]]:
    return {
        key: [text for one in own if (text := one.fields.get("time_estimate"))]
        for key, own in _by_book(members).items()
    }


def _distinct(members: list[Voice], name: str) -> list[str]:
    return sorted({value for voice in members if (value := voice.member.fields.get(name))})


def _dependencies(members: list[Voice]) -> list[dict[str, Any]]:
    named = {text for one in members for text in one.member.fields.get("dependencies") or ()}
    return [{"text": text, "id": None, "is_cyclic": False} for text in sorted(named) if text.strip()]


def _variants(members: list[Voice]) -> list[dict[str, Any]]:
    variants = {voice.member.digest: voice.member.fields for voice in members}
    return [{"digest": digest, "fields": variants[digest]} for digest in sorted(variants)]


def _sources(members: list[Voice]) -> list[dict[str, Any]]:
    return [
        {
            "book": voice.book.title,
            "file": source.file,
            "bucket": source.bucket,
            "iterations": source.iterations,
            "where": source.where,
            "chapter": voice.member.fields.get("source_chapter") or "",
            "title": voice.member.fields["title"],
            "variant": voice.member.digest,
        }
        for voice in members
        for source in voice.member.sources
    ]
