"""The advice of a chapter by a language model: asked again until it brings nothing new, each with words of the book."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from booksynth import texts
from booksynth.analysing import Advice, Chapter, ChapterFailedError, Findings
from booksynth.models.client import Question
from booksynth.models.errors import FailedError, NoAnswerError
from booksynth.models.prompts import ADVICE
from booksynth.shards import Problem

if TYPE_CHECKING:
    from booksynth.models.client import Client
    from booksynth.models.settings import ModelsSettings

KIND = "model"
MAX_PER_ANSWER = 50

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Body = Annotated[str, StringConstraints(strip_whitespace=True, max_length=8_000)]


class Recommendation(BaseModel):
    """One recommendation of a chapter."""

    model_config = ConfigDict(extra="forbid")
    title: Line
    description: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8_000)]
    technical_details: Body
    implementation_steps: Annotated[list[Line], Field(max_length=20)]
    expected_impact: Body
    priority: Literal["critical", "important", "nice_to_have"]
    time_estimate: Body
    dependencies: Annotated[list[Line], Field(max_length=20)]
    quote: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


class Recommendations(BaseModel):
    """What a chapter recommends and was not found before."""

    model_config = ConfigDict(extra="forbid")
    recommendations: Annotated[list[Recommendation], Field(max_length=MAX_PER_ANSWER)]


class Advising:
    """An analyser of chapters that asks a model."""

    def __init__(self, client: Client, settings: ModelsSettings) -> None:
        """Ask through *client*."""
        self._client = client
        self._settings = settings
        self._prepared: dict[int, Findings | BaseException] = {}
        self.chapters_per_batch = settings.parallel_calls

    @property
    def method(self) -> str:
        """How, with a digest of all that has a part in the answers."""
        return method_of(self._settings)

    def prepare(self, chapters: Sequence[Chapter]) -> None:
        """Ask for several chapters at once; `analyse` then gives what came of each."""
        pool = ThreadPoolExecutor(self._settings.parallel_calls, thread_name_prefix="chapter")
        try:
            found = list(pool.map(self._outcome, chapters))
        finally:
            # Whoever is stopped in here does not wait for answers: closing the client ends what is under way.
            pool.shutdown(wait=False, cancel_futures=True)
        self._prepared = {id(chapter): one for chapter, one in zip(chapters, found, strict=True)}

    def analyse(self, chapter: Chapter) -> Findings:
        """Return what *chapter* recommends.

        Raises:
            ChapterFailedError: A request failed after all its tries; the next run makes it again.
            NotAllowedError: No request can succeed.
            BudgetReached: A request could exceed a limit.
        """
        outcome = self._prepared.pop(id(chapter), None) or self._outcome(chapter)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _outcome(self, chapter: Chapter) -> Findings | BaseException:
        try:
            return self._findings(chapter)
        except BaseException as error:  # noqa: BLE001 -- raised by `analyse`, in the thread that records
            return error

    def _findings(self, chapter: Chapter) -> Findings:
        advice: list[Advice] = []
        problems: list[Problem] = []
        known: dict[str, str] = {}
        for text in parts(chapter, self._settings.max_input_chars):
            try:
                advice += self._converged(chapter, text, known)
            except FailedError as error:
                raise ChapterFailedError(error.code, error.reason) from None
            except NoAnswerError as error:
                problems.append(Problem("", chapter.name, f"model-{error.code}", error.reason))
        return Findings(advice, 0, problems)

    def _converged(self, chapter: Chapter, text: str, known: dict[str, str]) -> Iterator[Advice]:
        """Yield what one part of a chapter recommends; *known* are the titles found so far in it, by key."""
        for iteration in range(1, self._settings.max_iterations + 1):
            answer = self._client.ask(question(chapter, text, list(known.values())))
            # Two of one answer may have one title: both have a quote of their own, and both are kept.
            new = [one for one in answer.recommendations if texts.key(one.title) not in known]
            if not new:
                return
            known.update({texts.key(one.title): one.title for one in new})
            for one in new:
                yield Advice(one.priority, _record(one, chapter), iteration)


def method_of(settings: ModelsSettings) -> str:
    """Return what stands in a tracker: the model, and a digest that another prompt or parameter changes."""
    decides = [settings.parts_of_results(), ADVICE, settings.max_input_chars, settings.max_iterations]
    return f"language model {settings.model} ({texts.digest([*decides, settings.max_corrections])[:8]})"


def parts(chapter: Chapter, max_chars: int) -> list[str]:
    """Return the text of a chapter in parts of *max_chars* at most, cut between paragraphs or within a longer one."""
    found = [""]
    for paragraph in chapter.paragraphs:
        pieces = [paragraph.text[at : at + max_chars] for at in range(0, len(paragraph.text), max_chars)]
        for piece in pieces:
            if found[-1] and len(found[-1]) + len(piece) + 2 > max_chars:
                found.append("")
            found[-1] += f"\n\n{piece}" if found[-1] else piece
    return [one for one in found if one.strip()]


def question(chapter: Chapter, text: str, known: Sequence[str]) -> Question[Recommendations]:
    """Return what a model is asked of one part of a chapter; *known* are titles that it need not give again."""
    import json

    shown = {"book": chapter.book, "chapter": chapter.name, "text": text, "found_so_far": list(known)}
    words = json.dumps(shown, ensure_ascii=False, indent=1)
    return Question("phase_2", ADVICE, words, Recommendations, partial(_check, texts.key(text)))


def _check(text: str, answer: Recommendations) -> None:
    invented = [one.title for one in answer.recommendations if texts.key(one.quote) not in text]
    if invented:
        message = (
            f"the quote is not in the text: {'; '.join(invented[:5])}. Copy each quote word for word, or leave it out"
        )
        raise ValueError(message)


def _record(one: Recommendation, chapter: Chapter) -> dict[str, Any]:
    quoted = texts.key(one.quote)
    places = (paragraph.chapter for paragraph in chapter.paragraphs if quoted in texts.key(paragraph.text))
    record: dict[str, Any] = {
        **one.model_dump(exclude={"priority"}),
        "priority": one.priority.upper(),
        "source_chapter": next(places, chapter.name),
        "kind": KIND,
    }
    return {name: value for name, value in record.items() if value not in ("", [])}
