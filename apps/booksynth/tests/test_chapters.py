"""The laws of taking a text apart into chapters and paragraphs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booksynth.chapters import Book, Paragraph, from_markdown, from_text


def parts(book: Book) -> list[tuple[str, str]]:
    return [(one.chapter, one.text) for one in book.paragraphs]


def test_markdown_headings_make_chapters() -> None:
    """A paragraph stands below the headings above it, and the first of level one is the title."""
    book = from_markdown("# Title\n\nFront.\n\n## One\n\nA\nb.\n\n### Deep\n\nC.\n\n## Two\n\nD.\n\n# Part\n\nE.\n")
    assert book.title == "Title"
    assert parts(book) == [("", "Front."), ("One", "A b."), ("One › Deep", "C."), ("Two", "D."), ("Part", "E.")]


def test_markdown_without_title() -> None:
    """A text that begins with a paragraph or a lower heading has no title."""
    assert from_markdown("Hello.\n\n# Late\n").title == from_markdown("## Low\n\n# Late\n").title == ""


@pytest.mark.parametrize(
    "piece",
    [
        "```\nNever run this.\n```",
        "    Never run this.",
        "| You must |\n|---|\n| never read this |",
        "<div>\nNever read this.\n</div>",
        "<!-- Never read this. -->",
        "[1]: https://example.org/never",
    ],
)
def test_markdown_without_code(piece: str) -> None:
    """Code, tables, HTML, comments and link targets are no paragraphs."""
    assert parts(from_markdown(f"Before.\n\n{piece}\n\nAfter.\n")) == [("", "Before."), ("", "After.")]


def test_front_matter_is_left_out() -> None:
    """What stands between dashes at the top describes the file and is not read."""
    assert parts(from_markdown("---\na: Never.\n---\n\nText.\n")) == [("", "Text.")]


def test_markdown_marks_are_taken_off() -> None:
    """Emphasis, links, code marks and images leave their words."""
    text = "Use *one* [link](x) of `code`, **really** ![an image](y)  \nagain.\n\n> Quoted.\n\n1. First\n2. Second\n"
    words = [text for _, text in parts(from_markdown(text))]
    assert words == ["Use one link of code, really an image again.", "Quoted.", "First", "Second"]


def test_text_headings() -> None:
    """Underlined, numbered and capital lines are headings of a plain text, and its first line is the title."""
    text = "The Title\n\nFront.\n\n1. One\n\nA.\nb.\n\nTWO\n\nB.\n\nThree\n-----\nC.\n\nChapter IV\n\nD.\n\nNot one, though\n"
    book = from_text(text)
    assert book.title == "The Title"
    assert parts(book) == [
        ("", "Front."),
        ("1. One", "A. b."),
        ("TWO", "B."),
        ("Three", "C."),
        ("Chapter IV", "D."),
        ("Chapter IV", "Not one, though"),
    ]


def test_text_items_are_paragraphs() -> None:
    """Bullets and numbers begin a paragraph, and the lines below them belong to it."""
    book = from_text("Intro to a list:\n- One\n  goes on.\n* Two.\n3) Three.\n")
    assert [text for _, text in parts(book)] == ["Intro to a list:", "One goes on.", "Two.", "Three."]


def test_text_that_is_set_in_is_code() -> None:
    """What is set in further than most lines is code, and a book that is set in as a whole is not."""
    body = "First line,\nsecond line.\n\n    rm -r all\n    never mind\n\nThird.\n"
    expected = [("", "First line, second line."), ("", "Third.")]
    assert parts(from_text(body)) == expected
    assert parts(from_text(re.sub("^(?=.)", "   ", body, flags=re.MULTILINE))) == expected


@given(st.text(alphabet="aB.#-=* \n\t`|>1\f\x85\u2028", max_size=200))
def test_any_text_is_taken_apart(text: str) -> None:
    """Any text gives paragraphs on one line, none of them empty."""
    for book in (from_markdown(text), from_text(text)):
        for paragraph in book.paragraphs:
            assert isinstance(paragraph, Paragraph)
            assert paragraph.text == " ".join(paragraph.text.split()) != ""
