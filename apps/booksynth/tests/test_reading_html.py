"""The laws of reading HTML: a page, and a folder of pages as one book."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.booksynth.tests.bookmaking import LIMITS, page
from booksynth import books
from booksynth.inputs import UnreadableError
from booksynth.json_reader import FileError
from booksynth.reading import folders, html, site
from booksynth.reading.kinds import Limits, Reading
from booksynth.settings import Phase2Settings

SETTINGS = Phase2Settings()


def parts(reading: Reading) -> list[tuple[str, str]]:
    return [(one.chapter, one.text) for one in reading.book.paragraphs]


def texts(body: str) -> list[str]:
    return [text for _, text in parts(html.read(page(body).encode()))]


def test_headings_and_paragraphs() -> None:
    """Headings make chapters, the first is the title; paragraphs, items and quotes are read, entities are letters."""
    body = "<h1>Title</h1><p>A &amp; b</p><h2>One</h2><ul><li>C</li><li>D<p>E</p></li></ul><blockquote>F</blockquote>"
    reading = html.read(page(body).encode())
    assert reading.book.title == "Title"
    assert parts(reading) == [("", "A & b"), ("One", "C"), ("One", "D"), ("One", "E"), ("One", "F")]


@pytest.mark.parametrize(
    "piece",
    [
        "<pre>Never run this.</pre>",
        "<script>Never.run(this)</script>",
        "<style>never{}</style>",
        "<nav>Never go there.</nav>",
        '<div role="navigation"><p>Never go there.</p></div>',
        '<div class="sphinxsidebar x"><p>Never go there.</p></div>',
        "<!-- Never read this. -->",
        "<table><tr><td>never a sentence</td></tr></table>",
    ],
)
def test_what_is_no_text(piece: str) -> None:
    """Code, scripts, what leads about the page, comments and bare cells are not read, and end a paragraph or not."""
    assert " ".join(texts(f"<div>Before. {piece} After.</div>")) == "Before. After."


def test_marks_are_taken_off() -> None:
    """Emphasis and links leave their words; marks of footnotes and of headings go; a cell that is a sentence stays."""
    body = '<p>Use <b>one</b> <a href="x">link</a>.<sup>[1]</sup> Then<br>go.</p><h2>H<a class="headerlink">¶</a></h2>'
    assert texts(f"{body}<table><td>Never guess it.</td><td>x</td></table>") == [
        "Use one link. Then go.",
        "Never guess it.",
    ]


def test_the_main_part_alone_is_read_where_a_page_names_one() -> None:
    """What stands beside the main part moves about the page."""
    assert texts("<div>Never click here.</div><main><p>Text.</p></main><p>Never again here.</p>") == ["Text."]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x89PNG\x00\xff\xfe", "not-text"),
        (b"<p>a\x00b</p>", "not-text"),
        (b"<p>caf\xe9</p>", "bad-encoding"),
        (b'<meta charset="nobody-knows"><p>a</p>', "bad-encoding"),
        (b" \n", "empty-file"),
        (b"plain words", "not-html"),
        (b"<!-- nothing -->", "not-html"),
        (b"<div>" * 5000 + b"<p>Never.", "too-deep"),
    ],
)
def test_what_cannot_be_read(data: bytes, code: str) -> None:
    """What is binary, empty, no HTML or in another encoding than it says is refused."""
    with pytest.raises(FileError) as caught:
        html.read(data)
    assert caught.value.code == code


def test_nothing_is_cut() -> None:
    """A long text is read to its end, and so is one that is nested as no author would."""
    assert len(texts(f"<p>{'long ' * 3_000_000}</p><p>Text.</p>")) == 2
    assert texts("<div>" * 900 + "<p>Text.</p>" + "</div>" * 900) == ["Text."]


def test_broken_xhtml_is_read_as_a_browser_does() -> None:
    """Where a page says that it is XML and is not, all of its text is read still."""
    assert parts(html.read(b'<?xml version="1.0"?><html><p>You & I<p>Text.<br>More. <q></html>'))[0][1] == "You & I"
    empty = page('<p><a id="x"/>Text.</p><title/><p>More.</p>').encode()
    assert [text for _, text in parts(html.read(empty))] == ["Text.", "More."]


def test_encodings() -> None:
    """The encoding is the one of the byte order mark, the declared one, or UTF-8."""
    latin = '<meta http-equiv="Content-Type" content="text/html; charset=ISO-8859-1"><p>café</p>'.encode("latin-1")
    for data in (latin, "\ufeff<p>café</p>".encode("utf-16"), "<p>café</p>".encode()):
        assert parts(html.read(data)) == [("", "café")]


@given(st.text(alphabet="<>/ptdhr1b&;ae\"'=! \n", max_size=120))
def test_any_markup_is_read_or_refused(text: str) -> None:
    """Any markup gives paragraphs on one line, none empty, or is refused."""
    try:
        reading = html.read(f"<p>a{text}".encode())
    except FileError:
        return
    assert all(one.text == " ".join(one.text.split()) != "" for one in reading.book.paragraphs)


PAGES = {
    "index.html": page('<h1>Book</h1><a href="z.html#top">Z</a><a href="sub/a.html">A</a><a href="http://b/c">C</a>'),
    "z.html": page('<h1>Zed</h1><p>Never guess.</p><h2>Deep</h2><p>You must.</p><a href="late.html">L</a>'),
    "sub/a.html": page('<p>Text.</p><a href="../index.html">up</a><a href="../../../etc/passwd">out</a>', "Ay"),
    "late.html": page("<h1>Late</h1><p>Behind.</p>"),
    "alone.html": page("<h1>Alone</h1><p>Last.</p>"),
}


def folder(place: Path, pages: dict[str, str | bytes]) -> Path:
    for name, content in pages.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return place


def test_a_folder_is_a_book(tmp_path: Path) -> None:
    """The pages of a folder are one book, in the order of their links, each below its title; a bad page is noted."""
    folder(
        tmp_path / "shelf" / "Some Book", {**PAGES, "bad.html": b"\x00\xff", "sub/c.epub": b"x", ".x/h.html": "<p>H"}
    )
    (tmp_path / "shelf" / "Some Book" / "link.html").symlink_to("z.html")
    (found,) = books.find(tmp_path / "shelf", 1)
    draft = books.read(found, SETTINGS)
    assert isinstance(draft, books.Draft)
    assert draft.title == "Book"
    assert [(one.chapter, one.text) for one in draft.book.paragraphs if one.text != "L"] == [
        ("", "ZAC"),
        ("Zed", "Never guess."),
        ("Zed › Deep", "You must."),
        ("Late", "Behind."),
        ("Ay", "Text."),
        ("Ay", "upout"),
        ("Alone", "Last."),
    ]
    assert [(one.file, one.where, one.code) for one in draft.problems] == [
        ("Some Book", "bad.html", "not-text"),
        ("Some Book", "sub/c.epub", "not-read-here"),
    ]


def test_names_of_a_folder_that_are_no_text(tmp_path: Path) -> None:
    """A name that is not UTF-8 is told in letters that every file can hold; a page of such a name is a problem."""
    odd = os.fsdecode(b"\xff")
    folder(tmp_path / "a", {"x.html": "<p>You must.", f"{odd}.md": "x", f"{odd}/y.epub": "x"})
    folder(tmp_path / "b", {"x.html": "<p>You must.", f"{odd}/y.html": "<p>Never."})
    one, two = (books.read(found, SETTINGS) for found in books.find(tmp_path, 1))
    assert isinstance(one, books.Draft)
    assert [(problem.where, problem.code) for problem in one.problems] == [
        ("\\xff/y.epub", "not-read-here"),
        ("\\xff.md", "not-read-here"),
    ]
    assert isinstance(two, books.Analysis)
    assert [(problem.where, problem.code) for problem in two.problems] == [("\\xff/y.html", "bad-name")]


def test_the_version_of_a_folder(tmp_path: Path) -> None:
    """The version of a folder depends on its pages and their names alone."""
    for name, more in (("a", {}), ("b", {"picture.png": b"x"}), ("c", {"late.html": b"<p>Other."})):
        folder(tmp_path / "shelf" / name, {**PAGES, **more})
    one, two, three = (books.version(found) for found in books.find(tmp_path / "shelf", 1))
    assert one == two != three


def test_folders_that_are_no_book(tmp_path: Path) -> None:
    """A folder without pages, one of too many, one too large and one with a page that cannot be read are problems."""
    folder(tmp_path / "a", {"x.txt": "x"})
    folder(tmp_path / "b", {"x.html": "<p>" + "x" * 2000})
    folder(tmp_path / "c", {"x.html": "<p>x", "y.html": "<p>y"})
    none, large, many = books.find(tmp_path, 0.001)
    assert [found.problem.code if found.problem else "" for found in (none, large, many)] == [
        "not-a-file",
        "too-large",
        "",
    ]
    refused = books.read(many, Phase2Settings(max_pages=1))
    assert isinstance(refused, books.Analysis)
    assert [one.code for one in refused.problems] == ["too-many-pages"]
    (tmp_path / "c" / "y.html").unlink()
    (tmp_path / "c" / "y.html").mkdir()
    with pytest.raises(UnreadableError) as caught:
        folders.read(books.find(tmp_path, 0.000_001)[2], 0.000_001)
    assert caught.value.problem.code == "changed-while-read"


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefx")), max_size=6))
def test_every_page_is_read_once(links: dict[str, list[str]]) -> None:
    """Whatever links to whatever, each page has one place."""
    assert sorted(site.ordered(links)) == sorted(links)


def test_a_site_that_unpacks_to_too_much() -> None:
    """Pages that are larger than the limit together are refused."""
    data = folders.packed({"a.html": b"<p>" + b"a" * 600_000, "b.html": b"<p>" + b"a" * 600_000})
    with pytest.raises(FileError) as caught:
        site.read(data, Limits(500, 60, 1024, 1))
    assert caught.value.code == "too-large"
    assert len(site.read(data, LIMITS).book.paragraphs) == 2
