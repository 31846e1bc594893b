"""A book to its analysis, chapter by chapter: each is recorded when it is done, so a stopped book goes on there.

Who analyses a chapter is exchangeable: `Quoting` quotes its advice and asks nobody.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol

from booksynth import books
from booksynth.books import Analysis, Draft
from booksynth.chapters import SEPARATOR, Paragraph
from booksynth.inputs import UnreadableError
from booksynth.shards import Problem

if TYPE_CHECKING:
    import milepost
    from booksynth.inputs import Found
    from booksynth.settings import Phase2Settings, Settings

METHOD = "quoted advice"
QUOTE = "quote"
BUCKETS = ("critical", "important", "nice_to_have")


@dataclass(frozen=True)
class Chapter:
    """A chapter of a book: its name, and its paragraphs, each with the headings that it stands below."""

    book: str
    name: str
    paragraphs: list[Paragraph]

    def content(self) -> list[Any]:
        """Return all of it as plain data, to know by whether it changed."""
        return [self.book, self.name, [[one.chapter, one.text] for one in self.paragraphs]]


@dataclass(frozen=True)
class Advice:
    """One recommendation of a chapter: the bucket and the iteration of the tracker that it belongs in, its fields."""

    bucket: str
    record: dict[str, Any]
    iteration: int = 1


@dataclass(frozen=True)
class Findings:
    """What a chapter recommends; how many sentences were too long to be kept; what else a person should know."""

    advice: list[Advice] = field(default_factory=list)
    too_long: int = 0
    problems: list[Problem] = field(default_factory=list)

    def dump(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    @classmethod
    def load(cls, data: dict[str, Any]) -> Findings:
        """Return what `dump` made."""
        advice = [Advice(**one) for one in data["advice"]]
        return cls(advice, data["too_long"], [Problem(**one) for one in data["problems"]])


class ChapterFailedError(Exception):
    """A chapter could not be analysed now; the next run tries it again. *code* is stable, *reason* is for people."""

    def __init__(self, code: str, reason: str) -> None:
        """Hold *code* and *reason*."""
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Analyser(Protocol):
    """Who analyses chapters."""

    @property
    def method(self) -> str:
        """How, in a few words; stands in every tracker. With another method a chapter is analysed anew."""

    @property
    def chapters_per_batch(self) -> int:
        """How many chapters are recorded at once: one where each costs money or minutes."""

    def prepare(self, chapters: Sequence[Chapter]) -> None:
        """Hear which chapters are analysed next, so that several can be worked on at once."""

    def analyse(self, chapter: Chapter) -> Findings:
        """Return what *chapter* recommends, the same whenever it is asked.

        Raises:
            ChapterFailedError: It cannot be told now.
        """


@dataclass(frozen=True)
class Quoting:
    """Quotes advice word for word, by a rule, and asks nobody."""

    following_sentences: int
    max_sentence_chars: int
    chapters_per_batch: int
    method: str = METHOD

    def prepare(self, chapters: Sequence[Chapter]) -> None:
        """Nothing is gained by that here."""

    def analyse(self, chapter: Chapter) -> Findings:
        """Return the advice of a chapter. Strong advice is important, other is nice to have, nothing is critical.

        A record holds what the book says and nothing else: no steps, no estimate, no priority of its own.
        """
        from booksynth.advice import Strength, quotes

        kept: list[Advice] = []
        too_long = 0
        for paragraph in chapter.paragraphs:
            for quote in quotes(paragraph.text, self.following_sentences):
                if len(quote.sentence) > self.max_sentence_chars:
                    too_long += 1
                    continue
                record = {
                    "title": quote.sentence,
                    "description": f"“{quote.text}”",
                    "source_chapter": paragraph.chapter,
                    "kind": QUOTE,
                }
                kept.append(Advice("important" if quote.strength is Strength.STRONG else "nice_to_have", record))
        return Findings(kept, too_long)


@contextmanager
def analyser_of(config: Settings) -> Iterator[Analyser]:
    """Open who analyses the chapters, by the settings.

    Raises:
        MissingExtra: A model is set, and booksynth[models] is not installed.
        RunLocked: Another process asks the model for the same output folder.
    """
    if asks_model(config):
        from booksynth.models import opening

        with opening.client(config) as client:
            from booksynth.models.advising import Advising

            yield Advising(client, config.models)
        return
    yield quoting(config.phases.phase_2)


def quoting(settings: Phase2Settings) -> Quoting:
    """Return who quotes advice, by the settings."""
    return Quoting(settings.following_sentences, settings.max_sentence_chars, settings.chapters_per_batch)


def asks_model(config: Settings) -> bool:
    """Tell whether a model is asked for the advice of the books."""
    return config.models.model is not None and config.models.analyse_books


def parts_of_results(config: Settings) -> dict[str, Any]:
    """Return the settings that have a part in the analyses."""
    settings = config.phases.phase_2.model_dump(mode="json")
    if not asks_model(config):
        return settings
    models = config.models
    limits = {name: getattr(models, name) for name in ("max_input_chars", "max_corrections", "max_iterations")}
    return settings | {"models": models.parts_of_results() | limits}


def analyse(
    phase: milepost.Phase, found: Found, analyser: Analyser, settings: Phase2Settings
) -> tuple[Analysis, Problem | None]:
    """Return the analysis of one book, and what keeps it from being whole, if anything does.

    Each chapter is an item of a loop of the book's own, so the item of the book must be recorded by its key.
    """
    try:
        draft = books.read(found, settings)
    except UnreadableError as error:
        return Analysis(None, []), error.problem
    if isinstance(draft, Analysis):
        return draft, None
    chapters = dict(keyed(draft))
    loop = f"chapters of {found.name}"
    failed: dict[str, ChapterFailedError] = {}
    batches = phase.each(
        chapters.items(),
        name=loop,
        key=lambda item: item[0],
        version=lambda item: [analyser.method, *item[1].content()],
        batch=analyser.chapters_per_batch,
    )
    for batch in batches:
        findings: dict[str, Findings] = {}
        analyser.prepare([chapter for _, chapter in batch])
        for key, chapter in batch:
            try:
                findings[key] = analyser.analyse(chapter)
            except ChapterFailedError as error:
                failed[key] = error
                phase.fail(f"{error.code}: {error.reason}", key=key, name=loop)
        if len(findings) == len(batch):
            phase.record([one.dump() for one in findings.values()])
            continue
        for key, one in findings.items():
            phase.record(one.dump(), key=key, name=loop)
    results = {key: Findings.load(one) for key, one in phase.results(loop).items()}
    analysis = put_together(draft, analyser.method, list(results.values()), settings.max_sentence_chars)
    return analysis, _incomplete(found.name, failed, len(chapters))


def at_once(found: Found, analyser: Analyser, settings: Phase2Settings) -> Analysis:
    """Return the analysis of one book, made in one piece: for a worker elsewhere, which records nothing.

    Raises:
        UnreadableError: The book cannot be read now.
        ChapterFailedError: A chapter cannot be analysed now.
    """
    draft = books.read(found, settings)
    if isinstance(draft, Analysis):
        return draft
    findings = [analyser.analyse(chapter) for _, chapter in keyed(draft)]
    return put_together(draft, analyser.method, findings, settings.max_sentence_chars)


def keyed(draft: Draft) -> Iterable[tuple[str, Chapter]]:
    """Yield the chapters of a book in order, each with a name of its own: paragraphs below one heading of the top."""
    seen: dict[str, int] = {}
    for name, paragraphs in groupby(draft.book.paragraphs, lambda one: one.chapter.split(SEPARATOR)[0]):
        seen[name] = seen.get(name, 0) + 1
        # A tab never stands in a name, so no two keys are alike.
        yield f"{name}\t{seen[name]}" if seen[name] > 1 else name or "\t", Chapter(draft.title, name, list(paragraphs))


def put_together(draft: Draft, method: str, findings: Collection[Findings], max_sentence_chars: int) -> Analysis:
    """Return the analysis that the findings of all chapters make, in their order. Pure."""
    problems = list(draft.problems)
    iterations: dict[int, dict[str, list[dict[str, Any]]]] = {}
    seen: set[tuple[int, str, str]] = set()
    too_long = total = 0
    for one in findings:
        too_long += one.too_long
        total += one.too_long + len(one.advice)
        problems += [replace(problem, file=draft.name) for problem in one.problems]
        for advice in one.advice:
            place = (advice.iteration, advice.bucket, json.dumps(advice.record, sort_keys=True))
            if place not in seen:
                seen.add(place)
                buckets = iterations.setdefault(advice.iteration, {name: [] for name in BUCKETS})
                buckets.setdefault(advice.bucket, []).append(advice.record)
    if too_long:
        reason = (
            f"{too_long} of {total} sentences of advice are longer than {max_sentence_chars} characters and left out"
        )
        problems.append(Problem(draft.name, "", "long-sentence", reason))
    if not total and not any(one.problems for one in findings):
        problems.append(Problem(draft.name, "", "no-advice", "read to its end; no sentence of it gives advice"))
    if not iterations:
        return Analysis(None, problems)
    document = {
        "book_title": draft.title,
        "source_file": draft.name,
        "source_sha256": draft.digest,
        "method": method,
        "iterations": [{"iteration": n, "recommendations": iterations[n]} for n in sorted(iterations)],
    }
    return Analysis((json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode(), problems)


def _incomplete(name: str, failed: dict[str, ChapterFailedError], count: int) -> Problem | None:
    if not failed:
        return None
    first, error = next(iter(failed.items()))
    reason = f"{len(failed)} of {count} chapters failed; {first.strip() or 'the first'}: {error.code}: {error.reason}"
    return Problem(name, "", "chapters-failed", reason)
