"""The laws of analysing books by a language model: asked until nothing is new, each answer with words of the book."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import milepost
from apps.booksynth.tests.model_server import INPUT_USD, OUTPUT_USD, ModelServer, asked, model_server
from apps.booksynth.tests.support import standing
from apps.booksynth.tests.test_models_workflow import owed, run
from booksynth.analysing import Chapter, ChapterFailedError, Findings
from booksynth.chapters import Paragraph
from booksynth.models import ledger
from booksynth.models.advising import Advising, parts
from booksynth.models.client import Client
from booksynth.models.settings import CostLimits, ModelsSettings
from booksynth.trackers import SUFFIX

BOOK = """# A Small Book

## Saving

Always save before you close. It hurts otherwise.

Never trust the last backup. Try it.

## Naming

A name is a promise. Always name things for their readers.

## Ending

It was nice to have you here.
"""


def advice_of(body: dict[str, Any]) -> dict[str, Any]:
    """Answer with the first sentence of advice that is not known yet."""
    shown = asked(body)
    found = re.findall(r"(?:Always|Never) [^.]*\.", shown["text"])
    new = [one for one in found if one not in shown["found_so_far"]][:1]
    empty = {"technical_details": "", "implementation_steps": [], "expected_impact": "", "time_estimate": ""}
    bucket = {"A": "important", "N": "critical"}
    return {
        "recommendations": [
            {"title": one, "description": f"Said: {one}", "priority": bucket[one[0]], "quote": one, "dependencies": []}
            | empty
            for one in new
        ]
    }


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        running.answer = advice_of
        yield running


def chapter(*paragraphs: str, name: str = "Saving") -> Chapter:
    return Chapter("A Small Book", name, [Paragraph(name, one) for one in paragraphs])


def analysed(server: ModelServer, folder: Path, *chapters: Chapter, **settings: Any) -> list[Findings]:
    given = {"provider": "compatible", "model": "loop-1", "base_url": server.base_url, "requests_per_minute": 100_000}
    prices = {"input_usd_per_million": INPUT_USD, "output_usd_per_million": OUTPUT_USD}
    models = ModelsSettings(**{**given, **prices, **settings})
    with (
        milepost.Phase(ledger.NAME, store=folder) as phase,
        Client(models, ledger.Ledger(phase, CostLimits())) as client,
    ):
        analyser = Advising(client, models)
        analyser.prepare(chapters)
        return [analyser.analyse(one) for one in chapters]


def test_until_nothing_is_new(server: ModelServer, tmp_path: Path) -> None:
    """A chapter is asked until an answer brings nothing new; each recommendation says in which iteration it came."""
    text = "Always save. Never trust it. Always try."
    (found,) = analysed(server, tmp_path, chapter(text), max_iterations=9)
    assert [(one.record["title"], one.iteration) for one in found.advice] == [
        ("Always save.", 1),
        ("Never trust it.", 2),
        ("Always try.", 3),
    ]
    assert len(server.received) == 4
    assert [one.bucket for one in found.advice] == ["important", "critical", "important"]
    assert found.advice[0].record["quote"] == "Always save."
    assert "time_estimate" not in found.advice[0].record


def test_one_chapter_in_two_books(server: ModelServer, tmp_path: Path) -> None:
    """A chapter that stands twice is paid for once, also where both are asked for at the same time."""
    first, second = analysed(server, tmp_path, chapter("Always save."), chapter("Always save."), parallel_calls=2)
    assert first == second
    assert len(server.received) == len(set(server.keys)) == 2


def test_two_of_one_title_are_both_kept(server: ModelServer, tmp_path: Path) -> None:
    """Two recommendations of one answer that have one title and quotes of their own are both kept."""

    def twice(body: dict[str, Any]) -> dict[str, Any]:
        answer = advice_of(body)
        found = [{**one, "title": "Always save."} for one in answer["recommendations"]]
        quotes = ("Always save files.", "Always save data.")
        return {"recommendations": [{**one, "quote": quote} for one in found[:1] for quote in quotes]}

    server.answer = twice
    (found,) = analysed(server, tmp_path, chapter("Always save files. Always save data."))
    assert [one.record["quote"] for one in found.advice] == ["Always save files.", "Always save data."]


def test_no_more_than_so_often(server: ModelServer, tmp_path: Path) -> None:
    """The loop ends at its limit, and what was found stays."""
    (found,) = analysed(server, tmp_path, chapter("Always a. Always b. Always c."), max_iterations=2)
    assert len(found.advice) == len(server.received) == 2


def test_words_that_no_book_says(server: ModelServer, tmp_path: Path) -> None:
    """A recommendation whose quote is not in the chapter is refused, and a model that insists gives none."""

    def inventing(body: dict[str, Any]) -> dict[str, Any]:
        answer = advice_of(body)
        for one in answer["recommendations"]:
            one["quote"] = "Nobody ever wrote this."
        return answer

    server.answer = inventing
    (found,) = analysed(server, tmp_path, chapter("Always save."), max_corrections=1)
    assert found.advice == []
    assert [one.code for one in found.problems] == ["model-unusable"]
    assert "quote is not in the text: Always save." in found.problems[0].reason
    assert len(server.received) == 2


def test_failed_empty_and_refused(server: ModelServer, tmp_path: Path) -> None:
    """A failed chapter is tried again, a refused and a wordless one are told, and one without advice is well."""
    silent = chapter("It was nice.", name="Ending")
    (nothing,) = analysed(server, tmp_path / "a", silent)
    assert (nothing.advice, nothing.problems) == ([], [])
    for word, code in (("refusal", "model-refused"), ("empty", "model-empty")):
        server.script = [word]
        (found,) = analysed(server, tmp_path / word, chapter("Always save."), max_corrections=0)
        assert [one.code for one in found.problems] == [code]
    server.script = ["500"]
    with pytest.raises(ChapterFailedError) as caught:
        analysed(server, tmp_path / "b", chapter("Always save."), max_retries=0)
    assert caught.value.code == "failed"
    (again,) = analysed(server, tmp_path / "b", chapter("Always save."))
    assert len(again.advice) == 1


@given(st.lists(st.text("ab \u00e9.", max_size=40), max_size=12), st.integers(5, 60))
def test_parts_lose_nothing(paragraphs: list[str], max_chars: int) -> None:
    """A chapter in parts has all of its words, and no part is longer than allowed."""
    found = parts(chapter(*paragraphs), max_chars)
    assert all(0 < len(one) <= max_chars for one in found)
    assert "".join("".join(found).split()) == "".join("".join(paragraphs).split())


def test_a_book_by_the_model(server: ModelServer, tmp_path: Path) -> None:
    """Killed in a chapter and run again, no chapter is paid for twice, and tracker and plans are the undisturbed ones."""
    shelf, output, now = tmp_path / "shelf", tmp_path / "out", tmp_path / "now"
    shelf.mkdir()
    (shelf / "small.md").write_text(BOOK)
    server.script = ["ok", "ok", "hang"]
    server.moment = lambda word: now.touch() if word == "hang" else None
    assert run(server, shelf, output, kill=str(now)).code == -9
    sent = server.keys
    done = run(server, shelf, output)
    assert done.code == 0, done.err
    again = server.keys[len(sent) :]
    assert again[0] == sent[-1]
    assert set(again[1:]).isdisjoint(sent)
    assert done.report["models"]["usd"] == owed(server)
    tracker = json.loads((output / "analyses" / f"small{SUFFIX}").read_bytes())
    assert tracker["method"].startswith("language model loop-1 (")
    titles = [one["title"] for lap in tracker["iterations"] for own in lap["recommendations"].values() for one in own]
    assert sorted(titles) == [
        "Always name things for their readers.",
        "Always save before you close.",
        "Never trust the last backup.",
    ]
    with model_server() as other:
        other.answer = advice_of
        assert run(other, shelf, tmp_path / "plain").code == 0
        assert len(other.received) == len(set(server.keys)) == 6
    assert standing(output) == standing(tmp_path / "plain")
    assert run(server, shelf, output, analyse_books=False).code == 0
    assert len(server.keys) == len(sent) + len(again)
    tracker = json.loads((output / "analyses" / f"small{SUFFIX}").read_bytes())
    assert tracker["method"] == "quoted advice"
