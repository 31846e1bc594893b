"""The laws of reading EPUB."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from apps.booksynth.tests.bookmaking import CONTAINER, LIMITS, archive, epub, page
from booksynth.json_reader import FileError
from booksynth.reading import epub as reader
from booksynth.reading.kinds import Limits, Reading

ONE = page("<h1>1. Care</h1><p>Never guess&nbsp;it.</p><h2>More</h2><p>You must<br/>close it.</p><p/><p>End.</p>")
TWO = page("<p>Then go on.</p>")
ENCRYPTED = (
    '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" xmlns:e="http://www.w3.org/2001/04/xmlenc#">'
    '<e:EncryptedData><e:EncryptionMethod Algorithm="{}"/></e:EncryptedData></encryption>'
)


def parts(reading: Reading) -> list[tuple[str, str]]:
    return [(one.chapter, one.text) for one in reading.book.paragraphs]


def refusal(data: bytes, limits: Limits = LIMITS) -> FileError:
    with pytest.raises(FileError) as caught:
        reader.read(data, limits)
    return caught.value


def test_spine_order_and_names_of_the_contents() -> None:
    """Parts are read in the order of the spine; the contents name them, and a heading that repeats a name counts once."""
    nav = (
        '<ol><li><a href="b.xhtml">Start</a></li><li><span>Part I</span><ol><li><a href="a.xhtml#x">Care</a></li></ol>'
        "</li></ol>"
    )
    reading = reader.read(epub({"a.xhtml": ONE, "b.xhtml": TWO}, spine=["b.xhtml", "a.xhtml"], nav=nav), LIMITS)
    assert reading.book.title == "A Book"
    assert reading.notes == []
    assert parts(reading) == [
        ("Start", "Then go on."),
        ("Part I › 1. Care", "Never guess it."),
        ("Part I › 1. Care › More", "You must close it."),
        ("Part I › 1. Care › More", "End."),
    ]


def test_names_of_an_ncx() -> None:
    """The table of contents of EPUB 2 names the parts as well."""
    ncx = (
        '<navPoint><navLabel><text>Part</text></navLabel><content src="none.xhtml"/><navPoint><navLabel><text>Deep'
        '</text></navLabel><content src="b.xhtml"/></navPoint></navPoint>'
    )
    assert parts(reader.read(epub({"b.xhtml": TWO}, ncx=ncx), LIMITS)) == [("Part › Deep", "Then go on.")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (epub({"a.xhtml": ONE})[:-80], "truncated"),
        (b"no zip at all", "not-zip"),
        (archive({"a.txt": "x"}), "not-epub"),
        (archive({"META-INF/container.xml": CONTAINER}), "not-epub"),
        (epub({}), "not-epub"),
        (archive({"META-INF/container.xml": b"\x00"}), "not-text"),
        (epub({"a.xhtml": ONE}, extra={"META-INF/rights.xml": "<r/>"}), "drm"),
        (epub({"a.xhtml": ONE}, extra={"META-INF/encryption.xml": ENCRYPTED.format("urn:aes")}), "drm"),
    ],
)
def test_what_cannot_be_read(data: bytes, code: str) -> None:
    """A book that is cut off, is no EPUB, or is protected is refused, each with its own code."""
    assert refusal(data).code == code


def test_a_refusal_names_the_part() -> None:
    """Where a document without which there is no book cannot be read, the reason names it."""
    assert refusal(archive({"META-INF/container.xml": b"\x00"})).reason.startswith("META-INF/container.xml: not text")


def test_scrambled_fonts_are_no_protection() -> None:
    """A book whose fonts alone are scrambled is read."""
    scrambled = ENCRYPTED.format("http://www.idpf.org/2008/embedding")
    assert len(parts(reader.read(epub({"a.xhtml": ONE}, extra={"META-INF/encryption.xml": scrambled}), LIMITS))) == 3


def test_a_zip_bomb() -> None:
    """A book that unpacks to more than the limit is refused when the limit is reached."""
    bomb = epub({"a.xhtml": ONE, "b.xhtml": b"<p>" + b"a" * 3_000_000})
    assert len(bomb) < 10_000
    assert refusal(bomb, Limits(500, 60, 1024, 1)).code == "too-large"


def test_a_member_that_lies_about_its_size() -> None:
    """What comes out of a member counts, whatever it says of its size."""
    data = bytearray(epub({"a.xhtml": "<p>" + "a" * 3_000_000}))
    with zipfile.ZipFile(io.BytesIO(data)) as made:
        size = made.getinfo("OPS/a.xhtml").file_size
    lied = bytes(data).replace(struct.pack("<L", size), struct.pack("<L", 50))
    assert refusal(lied, Limits(500, 60, 1024, 1)).code in {"broken-part", "too-large"}


def test_too_many_parts() -> None:
    """A spine of more parts than the limit is refused."""
    assert refusal(epub({f"{n}.xhtml": TWO for n in range(4)}), Limits(3, 60, 1024, 64)).code == "too-many-pages"


def test_entities_are_not_expanded() -> None:
    """A part that declares entities of its own is left out and named; the others are read."""
    bomb = '<!DOCTYPE html [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + page("<p>You must &b; it.</p>")
    leak = '<!DOCTYPE html [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + page("<p>You must &a; it.</p>")
    reading = reader.read(
        epub({f"{n}.xhtml": f'<?xml version="1.0"?>{one}' for n, one in enumerate((bomb, leak, TWO))}), LIMITS
    )
    assert [(note.where, note.code) for note in reading.notes] == [
        ("OPS/0.xhtml", "own-entities"),
        ("OPS/1.xhtml", "own-entities"),
    ]
    assert [text for _, text in parts(reading)] == ["Then go on."]


def test_one_bad_part_stops_no_other() -> None:
    """A part that is missing, damaged, binary or outside of the book is noted, and the others are read."""
    data = bytearray(epub({"a.xhtml": ONE, "b.xhtml": b"\x00\x01", "../../out.xhtml": TWO, "d.xhtml": TWO}))
    place = data.index(b"OPS/a.xhtml") + len("OPS/a.xhtml")
    data[place + 20 : place + 60] = bytes(40)
    reading = reader.read(bytes(data), LIMITS)
    assert {note.where: note.code for note in reading.notes} == {
        "OPS/a.xhtml": "broken-part",
        "OPS/b.xhtml": "not-text",
        "../../out.xhtml": "bad-path",
    }
    assert [text for _, text in parts(reading)] == ["Then go on."]
    assert refusal(epub({"b.xhtml": b"\x00\x01"})).code == "not-text"


def test_a_missing_part() -> None:
    """A part that the book names and does not hold is noted."""
    whole = epub({"a.xhtml": ONE, "b.xhtml": TWO})
    with zipfile.ZipFile(io.BytesIO(whole)) as made:
        files = {name: made.read(name) for name in made.namelist() if not name.endswith("a.xhtml")}
    reading = reader.read(archive(files), LIMITS)
    assert [(note.where, note.code) for note in reading.notes] == [("OPS/a.xhtml", "missing-part")]
