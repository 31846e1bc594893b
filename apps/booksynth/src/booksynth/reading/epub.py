"""EPUB, of version 2 and 3: the spine in its order, chapters by the table of contents and the headings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urldefrag

from booksynth.chapters import SEPARATOR, Book, Paragraph, gathered, path
from booksynth.json_reader import FileError
from booksynth.reading import markup
from booksynth.reading.archive import Archive, TooLargeError, resolved
from booksynth.reading.kinds import Limits, Note, Reading

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
# Whose mark each of these is.
_DRM = {
    "META-INF/rights.xml": "Adobe",
    "META-INF/sinf.xml": "Apple",
    "META-INF/license.lcpl": "Readium LCP",
}
# Fonts may be scrambled so that they are of no use outside the book; that hides no text.
_FONTS = {"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"}
_PAGES = {"application/xhtml+xml", "text/html", "application/xml", "text/x-oeb1-document"}


@dataclass
class Package:
    """What the package document of a book says: its parts by id, in which order to read them, its contents."""

    path: str
    title: str = ""
    spine: list[tuple[str, str]] = field(default_factory=list)
    contents: str | None = None


def read(data: bytes, limits: Limits) -> Reading:
    """Return an EPUB as a book; a part of it that cannot be read is noted, and stops nothing.

    Raises:
        FileError: It is no EPUB, is cut off, protected (`drm`), too large, or has too many parts.
    """
    archive = Archive(data, limits)
    _refuse_protected(archive)
    package = _package(archive)
    if len(package.spine) > limits.pages:
        raise FileError("too-many-pages", f"{len(package.spine)} parts; max_pages is {limits.pages}")
    notes: list[Note] = []
    names = _contents(archive, package, notes)
    paragraphs: list[Paragraph] = []
    above: list[str] = []
    for reference, kind in package.spine:
        part = resolved(package.path, reference)
        if part is None:
            notes.append(Note(reference, "bad-path", "it leads out of the book, and is not read"))
            continue
        above = names.get(part, above)
        try:
            paragraphs += _part(archive, part, kind, above if part in names else above[:1])
        except TooLargeError:
            raise
        except FileError as error:
            notes.append(Note(part, error.code, error.reason))
    if not paragraphs and notes:
        raise FileError(notes[0].code, f"no part of it can be read; {notes[0].where}: {notes[0].reason}")
    return Reading(Book(package.title, paragraphs), notes)


def _refuse_protected(archive: Archive) -> None:
    scheme = next((whose for name, whose in _DRM.items() if name in archive), "")
    if _ENCRYPTION in archive:
        root = _document(archive, _ENCRYPTION)
        methods = {
            element.get("Algorithm", "")
            for element in (() if root is None else root.iter())
            if markup.local(element) == "encryptionmethod"
        }
        if root is None or methods - _FONTS:
            scheme = scheme or "unknown"
    if scheme:
        raise FileError("drm", f"it is protected against being read (DRM, scheme: {scheme})")


def _package(archive: Archive) -> Package:
    if _CONTAINER not in archive:
        raise FileError("not-epub", f"no EPUB: {_CONTAINER} is missing")
    named = next((element.get("full-path") for element in _elements(archive, _CONTAINER, "rootfile")), None)
    inside = None if named is None else resolved("", named)
    if inside is None or inside not in archive:
        raise FileError("not-epub", f"no EPUB: its package document {named or ''!a} is not there")
    package = Package(inside)
    root = _document(archive, inside)
    elements = [] if root is None else list(root.iter())
    items = {one.get("id"): one for one in elements if markup.local(one) == "item" and one.get("href")}
    titles = (" ".join((one.text or "").split()) for one in elements if markup.local(one) == "title")
    package.title = next(titles, "")
    for element in elements:
        item = items.get(element.get("idref")) if markup.local(element) == "itemref" else None
        if item is not None:
            package.spine.append((_href(item.get("href")), item.get("media-type", "")))
    spine: Any = next((one for one in elements if markup.local(one) == "spine"), None)
    contents = [one for one in items.values() if "nav" in (one.get("properties") or "").split()]
    contents += [items[toc] for toc in [None if spine is None else spine.get("toc")] if toc in items]
    package.contents = _href(contents[0].get("href")) if contents else None
    if not package.spine:
        raise FileError("not-epub", "no EPUB: its package document names no part to read")
    return package


def _elements(archive: Archive, part: str, name: str) -> Iterator[Any]:
    root = _document(archive, part)
    return (one for one in (() if root is None else root.iter()) if markup.local(one) == name)


def _document(archive: Archive, part: str) -> Any:
    """Return the root of a document without which there is no book.

    Raises:
        FileError: It cannot be read; the reason names it.
    """
    try:
        return markup.xml(archive.read(part))
    except TooLargeError:
        raise
    except FileError as error:
        raise FileError(error.code, f"{part}: {error.reason}") from error


def _href(reference: str) -> str:
    return unquote(urldefrag(reference).url)


def _contents(archive: Archive, package: Package, notes: list[Note]) -> dict[str, list[str]]:
    """Return the titles that lead to each part, by the table of contents; a broken one is noted."""
    source = None if package.contents is None else resolved(package.path, package.contents)
    if source is None:
        return {}
    try:
        root = markup.xml(archive.read(source))
    except TooLargeError:
        raise
    except FileError as error:
        notes.append(Note(source, error.code, f"the table of contents: {error.reason}"))
        return {}
    found: dict[str, list[str]] = {}
    for reference, titles in () if root is None else _entries(root):
        part = resolved(source, reference)
        if part is not None:
            found.setdefault(part, titles)
    return found


def _entries(root: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield each entry of a navigation document (EPUB 3) or an NCX (EPUB 2), with the titles that lead to it."""
    for element in root.iter():
        if markup.local(element) == "navpoint":
            target = next((one.get("src") for one in element if markup.local(one) == "content"), None)
        elif markup.local(element) == "a" and _is_toc(element):
            target = element.get("href")
        else:
            continue
        steps = [element, *(one for one in element.iterancestors() if markup.local(one) in {"navpoint", "li"})]
        if markup.local(element) == "a":
            steps = steps[1:]
        titles = [text for text in map(_label, reversed(steps)) if text]
        if target and titles:
            yield _href(target), titles


def _is_toc(link: Any) -> bool:
    nav = next((one for one in link.iterancestors() if markup.local(one) == "nav"), None)
    kinds = [] if nav is None else [value for name, value in nav.attrib.items() if name.rpartition("}")[2] == "type"]
    return nav is not None and (not kinds or "toc" in kinds[0].split())


def _label(entry: Any) -> str:
    found = next((one for one in entry if markup.local(one) in {"navlabel", "a", "span"}), None)
    return "" if found is None else " ".join("".join(found.itertext()).split())


def _part(archive: Archive, part: str, kind: str, above: list[str]) -> list[Paragraph]:
    data = archive.read(part)
    if kind and kind not in _PAGES:
        raise FileError("not-a-page", f"the book names it as a part to read, and it is {kind}")
    book = gathered(markup.parts(markup.page(data)))
    # The first heading of a part mostly is its title in the table of contents, and counts once.
    return [Paragraph(path([*above, book.title, *one.chapter.split(SEPARATOR)]), one.text) for one in book.paragraphs]
