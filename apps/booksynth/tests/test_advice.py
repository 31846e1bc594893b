"""The laws of what counts as advice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booksynth.advice import Strength, quotes, sentences, strength


@pytest.mark.parametrize(
    "sentence",
    [
        "You must close the file.",
        "Never deploy on a Friday evening.",
        "Always keep the key apart.",
        "The caller shall not wait for ever.",
        "Please do not restart the node.",
        "Don’t restart the old node.",
        "A timeout is essential here today.",
        "When in doubt, never guess the format.",
        "“Never trust the clock,” she said.",
        "But never guess the format.",
    ],
)
def test_strong(sentence: str) -> None:
    """Must, shall, do not, and an emphatic never or always are strong advice."""
    assert strength(sentence) is Strength.STRONG


@pytest.mark.parametrize(
    "sentence",
    [
        "You should read the log.",
        "Avoid clever names in code.",
        "We prefer a small change.",
        "It is better to wait a day.",
        "Make sure that the disk is local.",
        "Use one lock for each table.",
        "Note the time of each failure.",
        "Tip Use one lock for each table.",
        "Note: It is better to wait.",
        "Then measure the result again.",
        "(Keep the old file around.)",
        "Set up the machine first.",
    ],
)
def test_plain(sentence: str) -> None:
    """Should and its like, and an imperative at the beginning, are plain advice."""
    assert strength(sentence) is Strength.PLAIN


@pytest.mark.parametrize(
    "sentence",
    [
        "The file is closed at the end.",
        "Why should we close the file?",
        "Should it be closed at all?",
        "Never again!",
        "Use it.",
        "It must have been the cache.",
        "They should have closed the file.",
        "A key that must be changed is old.",
        "The backup was never restored by anyone.",
        "It works as it should, mostly.",
        "Use of locks is common there.",
        "Time is short on most days.",
        "cut(1) selects parts of lines.",
        "Tag: a mark of some kind.",
        "Note that it is short and good.",
        "Note: The disk is local and small.",
        "Warning The disk is local and small.",
        "He always knew the old answer.",
        "A mustard seed is small enough.",
        "",
    ],
)
def test_none(sentence: str) -> None:
    """Statements, questions, short cries and what only looks like advice are none."""
    assert strength(sentence) is None


def test_case_and_quotes_do_not_matter() -> None:
    """Advice is advice in capitals and with any apostrophe."""
    assert strength("YOU MUST CLOSE THE FILE.") is strength("don't close the file") is Strength.STRONG


def test_sentences_end_where_they_end() -> None:
    """A sentence ends at its mark before a capital or a digit, and not behind an abbreviation, initial or number."""
    text = 'Use e.g. Redis. It is v1.2 of it, etc. and so on! "Why?" 3 reasons. Ask J. Smith. Done'
    assert sentences(text) == [
        "Use e.g. Redis.",
        "It is v1.2 of it, etc. and so on!",
        '"Why?"',
        "3 reasons.",
        "Ask J. Smith.",
        "Done",
    ]


@given(st.lists(st.sampled_from(["Never do it.", "a b", "e.g. X", "Why?", "(So.)", "1.5", "“Go!”", "…"]), max_size=12))
def test_no_word_is_lost(pieces: list[str]) -> None:
    """The sentences of a text are the text, whatever it holds."""
    text = " ".join(pieces)
    assert " ".join(sentences(text)) == text


def test_following_sentences_are_quoted_with_it() -> None:
    """Up to so many sentences behind the advice are quoted with it, and the next advice ends them."""
    text = "Hello there. Never guess it all. It is wrong. It is slow. It is late. You should ask me. Then fine."
    found = {quote.sentence: quote.following for quote in quotes(text, 2)}
    assert found == {"Never guess it all.": ["It is wrong.", "It is slow."], "You should ask me.": ["Then fine."]}
    assert [quote.following for quote in quotes("You must go now. Never stop it here.", 2)] == [[], []]
    assert next(quotes(text, 0)).text == "Never guess it all."


@given(st.text(max_size=100), st.integers(0, 3))
def test_quotes_are_word_for_word(text: str, following: int) -> None:
    """A quote is a piece of the text, as it stands there."""
    line = " ".join(text.split()) + " You must quote this. Because so."
    found = list(quotes(line, following))
    assert found
    assert all(quote.text in line for quote in found)
