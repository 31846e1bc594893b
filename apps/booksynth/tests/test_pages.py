"""The laws of putting the lines of pages together."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booksynth.chapters import Book
from booksynth.reading.pages import Line, Mark, book, cleaned, joined


def page(*lines: str | Line, top: float = 100.0) -> list[Line]:
    """Return lines below one another, from the left margin to the right one."""
    found = []
    for line in lines:
        one = line if isinstance(line, Line) else Line(line, 50, 350, top, 10)
        found.append(Line(one.text, one.left, one.right, one.top or top, one.size, one.is_code))
        top += 12
    return found


def line(text: str, **fields: float) -> Line:
    whole = {"left": 50.0, "right": 350.0, "top": 0.0, "size": 10.0, **fields}
    return Line(text, whole["left"], whole["right"], whole["top"], whole["size"], bool(fields.get("is_code")))


def texts(found: Book) -> list[str]:
    return [one.text for one in found.paragraphs]


def read(*pages: list[Line], outline: tuple[Mark, ...] = ()) -> Book:
    return book("", pages, outline)


def test_lines_make_paragraphs() -> None:
    """Lines of one distance are a paragraph until a short line ends it, or a gap, or one that is set in."""
    made = read(
        page(
            "One goes",
            "on here",
            line("and ends.", right=120),
            "Two is long and full to its end.",
            line("Three.", left=65),
        )
    )
    assert texts(made) == ["One goes on here and ends.", "Two is long and full to its end.", "Three."]


def test_a_sentence_goes_on_over_the_page() -> None:
    """A sentence that is open at the end of a page goes on where the next begins in small letters."""
    made = read(page("You must close", "the file"), page("before you leave.", "New."), page("Begins anew."))
    assert texts(made) == ["You must close the file before you leave. New.", "Begins anew."]


@pytest.mark.parametrize(
    ("text", "following", "words", "expected"),
    [
        ("a configu-", "ration file", "configuration", "a configuration file"),
        ("a well-", "known file", "well-known", "a well-known file"),
        ("a configu\u00ad", "ration", "", "a configuration"),
        ("an anti-", "European", "", "an anti-European"),
        ("a rare-", "word", "", "a rareword"),
        ("from 1990-", "2000", "", "from 1990- 2000"),
        ("plain", "words", "", "plain words"),
    ],
)
def test_broken_words(text: str, following: str, words: str, expected: str) -> None:
    """A word that was broken over two lines is whole again, with its hyphen where the book has it elsewhere."""
    assert joined(text, following, Counter(words.split())) == expected


def test_ligatures_and_marks() -> None:
    """Ligatures are letters, odd hyphens and spaces are plain ones, and control characters are no text."""
    assert cleaned("e\ufb03cient \ufb02ow, a\u2010b\xa0c\x07") == "efficient flow, a-b c "


def test_page_numbers_and_running_heads() -> None:
    """Page numbers go; a running head goes but once, where it stands first; and nothing in the middle goes."""
    pages = [
        page(
            f"{number} The Book of Care",
            f"Never skip step {number}.",
            "Never skip it.",
            "The end.",
            "Fin.",
            str(number),
        )
        for number in range(1, 6)
    ]
    made = read(*pages)
    whole = " ".join(texts(made))
    assert whole.count("The Book of Care") == 1
    assert whole.count("Never skip it.") == 5
    assert "5" not in {*texts(made)}


def test_sentences_at_the_edge_that_differ_in_a_number_stay() -> None:
    """A sentence at the edge of a page is no running head for being like another but for a number."""
    made = " ".join(texts(read(*[page(f"Use {number} of the disks.", "Text.") for number in range(4)])))
    assert all(f"Use {number} of the disks." in made for number in range(4))


def test_advice_in_a_running_foot_stays_once() -> None:
    """What stands at the foot of every page is still read, once."""
    made = read(
        *[
            page(f"Text of a page {'x' * number}.", "More.", "And more.", "Never lose this sheet.")
            for number in range(5)
        ]
    )
    assert " ".join(texts(made)).count("Never lose this sheet.") == 1


def test_a_table_of_contents_is_no_text() -> None:
    """A line with its dots and its number is no paragraph."""
    assert texts(read(page("Use of locks . . . . . . . 12", "Never guess......... iv", "Text."))) == ["Text."]


def test_code_is_not_read_unless_all_is_code() -> None:
    """Lines in a font of one width are code, but not where the whole book is set in it."""
    code = line("rm -r all", is_code=True)
    assert texts(read(page("You must run", "this.", code, "Then wait."))) == ["You must run this.", "Then wait."]
    typed = [line(text, is_code=True) for text in ("All of it", "is typed.")]
    assert texts(read(page(*typed))) == ["All of it is typed."]


def test_items_are_paragraphs() -> None:
    """A bullet or a number begins a paragraph, and lines that are set in below it belong to it."""
    made = read(page("Do this:", line("• Close the file,", left=60), line("all of it", left=70), "1) Go."))
    assert texts(made) == ["Do this:", "Close the file, all of it", "Go."]


def test_chapters_by_outline() -> None:
    """The outline names the chapters; where its title stands on the page the heading is, with or without a number."""
    outline = (Mark("Care", 0, 0, None), Mark("More", 1, 0, 130.0), Mark("Last", 0, 1, None))
    made = read(page("Before.", line("1 Care", size=14), "Text.", "Below."), page("Fin."), outline=outline)
    assert [(one.chapter, one.text) for one in made.paragraphs] == [
        ("", "Before."),
        ("Care", "Text."),
        ("Care › More", "Below."),
        ("Last", "Fin."),
    ]


def test_chapters_by_size() -> None:
    """Without an outline larger lines are headings, the largest the title; without those, runs of ten pages."""
    made = read(
        page(line("The Title", size=20), line("One", size=14), "Text", "of it."), page(line("Two", size=14), "End.")
    )
    assert made.title == "The Title"
    assert [(one.chapter, one.text) for one in made.paragraphs] == [("One", "Text of it."), ("Two", "End.")]
    plain = read(*[page(f"Page {'x' * number}.") for number in range(1, 12)])
    assert {one.chapter for one in plain.paragraphs} == {"Pages 1–10", "Pages 11–11"}


SOME = st.builds(
    Line,
    st.sampled_from(["Never guess.", "a-", "b", "• c", "12", "Head", "X . . . . 3", "ünï", "\u00ad", "“Go"]),
    st.sampled_from([50.0, 60.0]),
    st.sampled_from([100.0, 350.0]),
    st.floats(0, 600),
    st.sampled_from([10.0, 14.0]),
    st.booleans(),
)


@given(st.lists(st.lists(SOME, max_size=6), max_size=4), st.booleans())
def test_any_pages_are_read(pages: list[list[Line]], has_outline: bool) -> None:
    """Any lines make paragraphs on one line, none empty; and no sentence is lost that is no code."""
    marks = [Mark("Head", 0, 0, 300.0), Mark("Never guess.", 2, len(pages) - 1, None)] if has_outline and pages else []
    made = book("T", pages, marks)
    assert all(one.text == " ".join(one.text.split()) != "" for one in made.paragraphs)
    plain = [one for some in pages for one in some if not one.is_code and one.size == 10]
    if any(one.text == "Never guess." for one in plain) and not has_outline:
        everything = " ".join([*texts(made), *(one.chapter for one in made.paragraphs), made.title])
        assert "Never guess." in everything or len({one.size for some in pages for one in some}) > 1


def test_titles_with_and_without_numbers() -> None:
    """A title of the outline is found on its page whatever number stands before it, and whatever it begins with."""
    for shown in ("6.6.1 Do not abuse it", "Chapter 3. Do not abuse it", "Do not abuse it", "A.1 Do not abuse it"):
        made = read(page(line(shown, size=14), "Text."), outline=(Mark("Do not abuse it", 0, 0, 0.0),))
        assert [(one.chapter, one.text) for one in made.paragraphs] == [("Do not abuse it", "Text.")]


def test_a_sentence_goes_on_behind_footnotes_and_feet() -> None:
    """A sentence goes on over a page whose end holds footnotes in small letters and a foot with the chapter's name."""
    first = page("You must close", "every single", line("1 A small note.", size=7), "4.6. Care of files 21")
    made = read(first, page("file before you leave."), outline=(Mark("Care of files", 0, 0, None),))
    assert texts(made) == ["You must close every single file before you leave.", "1 A small note."]
    more = read(first, page("file before", "you leave the", "house."), outline=(Mark("Care of files", 0, 0, None),))
    assert texts(more)[0] == "You must close every single file before you leave the house."


def test_a_term_stands_apart() -> None:
    """A short line before one that is set in is a term, and no part of the sentence that explains it."""
    made = read(
        page(
            "A line of all the width.",
            line("And one.", right=200),
            line("Source Code", right=120),
            line("Include it.", left=80),
        )
    )
    assert texts(made)[1:] == ["Source Code", "Include it."]


def test_pieces_of_one_line() -> None:
    """Pieces side by side are one line, and a small raised number between them is the mark of a footnote."""
    left, right = line("You must close", right=150, top=100), line("every file", left=156, right=250, top=100)
    mark = line("12", left=250, right=256, top=98, size=6)
    below = line("at once.", top=112, right=300)
    assert texts(read([left, right, mark, below])) == ["You must close every file at once."]
