"""PDF, by way of PDFium: the lines of each page with their places, and the outline. It runs in a process of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ctypes import byref, c_int, create_string_buffer
from typing import Any

from booksynth.json_reader import FileError
from booksynth.reading import pages
from booksynth.reading.kinds import Limits, Note, Reading
from booksynth.reading.pages import Line, Mark

# Error codes of PDFium for a document that does not open.
_ERRORS = {
    3: ("broken-pdf", "no PDF, or a broken one"),
    4: ("encrypted", "it is encrypted, and opens only with a password"),
    5: ("encrypted", "it is encrypted in a way that cannot be opened"),
}
_FIXED_PITCH = 1
_FIXED_NAMES = re.compile(rb"mono|courier|consol|typewriter|menlo|cmtt|sftt|nimbusmon", re.IGNORECASE)
_NO_TITLE = re.compile(r"untitled|microsoft word|\.(docx?|tex|dvi|indd|fm|qxd|ps|pdf|rtf|odt)\b", re.IGNORECASE)
# What may be the mark of a footnote, and is one where it is smaller than its line.
_RAISED = re.compile(r"(?:(?<=\A)|(?<=[^\W\d_]|[.,;:!?)”’\"']))\d{1,3}(?=\s|\Z)")
_SMALLER = 0.85
_SAMPLES = 6
_IMAGE = 3
# A page with less is a picture with a stamp on it, or a page number.
_LEAST_CHARS = 12
_LISTED = 12


def read(data: bytes, limits: Limits) -> Reading:
    """Return a PDF as a book; a page that cannot be read is noted, and stops nothing.

    Raises:
        FileError: It is encrypted, broken, a scan without text, or has too many pages.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise FileError(*_ERRORS.get(error.err_code or 0, _ERRORS[3])) from error
    count = len(document)
    if count > limits.pages:
        raise FileError("too-many-pages", f"{count} pages; max_pages is {limits.pages}")
    read_pages: list[list[Line]] = []
    images: list[int] = []
    broken: list[int] = []
    for number in range(count):
        lines: list[Line] = []
        try:
            page = document[number]
            lines = list(_lines(page))
            if sum(len(line.text) for line in lines) < _LEAST_CHARS and _has_image(page):
                images.append(number + 1)
            page.close()
        except pypdfium2.PdfiumError:
            broken.append(number + 1)
        read_pages.append(lines)
    if not any(read_pages) or len(images) + len(broken) == count:
        raise _nothing(count, images, broken)
    return Reading(
        pages.book(_title(document), read_pages, list(_outline(document, count))), _notes(count, images, broken)
    )


def _nothing(count: int, images: list[int], broken: list[int]) -> FileError:
    if len(broken) == count:
        return FileError("broken-pdf", f"not one of its {count} pages can be read")
    if images:
        reason = f"a scan: {len(images)} of its {count} pages are pictures, and no page holds text; it needs OCR first"
        return FileError("scanned", reason)
    return FileError("no-text", f"no text on any of its {count} pages, and no picture of one")


def _notes(count: int, images: list[int], broken: list[int]) -> list[Note]:
    kinds = (
        (images, "scanned-pages", "are pictures without text; what stands there is not read"),
        (broken, "broken-pages", "cannot be read"),
    )
    return [
        Note("pages " + _listed(numbers), code, f"{len(numbers)} of {count} pages {what}")
        for numbers, code, what in kinds
        if numbers
    ]


def _listed(numbers: list[int]) -> str:
    more = ", …" if len(numbers) > _LISTED else ""
    return ", ".join(map(str, numbers[:_LISTED])) + more


def _title(document: Any) -> str:
    title = " ".join(pages.cleaned(document.get_metadata_dict().get("Title", "")).split())
    return "" if _NO_TITLE.search(title) else title


def _outline(document: Any, count: int) -> Iterator[Mark]:
    for mark in document.get_toc():
        target = mark.get_dest()
        number = None if target is None else target.get_index()
        title = " ".join(pages.cleaned(mark.get_title() or "").split())
        if number is not None and 0 <= number < count and title:
            yield Mark(title, mark.level, number, _top(document, number, target))


def _top(document: Any, number: int, target: Any) -> float | None:
    """Return how far down its page an entry of the outline points, where it says so."""
    _, view = target.get_view()
    # XYZ gives left, top, zoom; FitH gives the top alone.
    tops = {3: view[1:2], 1: view}.get(len(view), [])
    return document.get_page_size(number)[1] - tops[0] if tops and tops[0] else None


def _has_image(page: Any) -> bool:
    return next(iter(page.get_objects(filter=[_IMAGE], max_depth=3)), None) is not None


def _lines(page: Any) -> Iterator[Line]:
    """Yield the lines of a page in the order in which they were set."""
    height = page.get_height()
    text_page = page.get_textpage()
    text = text_page.get_text_range()
    # PDFium counts in halves of UTF-16, and counts marks that are no text.
    begin = 0
    for raw in text.split("\r\n"):
        units = len(raw.encode("utf-16-le", "surrogatepass")) // 2
        if _plain(raw):
            yield _line(text_page, raw, begin, height)
        begin += units + 2
    text_page.close()


def _line(text_page: Any, raw: str, begin: int, height: float) -> Line:
    inked = [place for place, mark in enumerate(raw) if mark.isprintable() and not mark.isspace()] or [0]
    samples = [inked[len(inked) * part // _SAMPLES] for part in range(_SAMPLES)] + [inked[-1]]
    indexes = [_index(text_page, begin + place) for place in samples]
    boxes = [text_page.get_charbox(index, loose=True) for index in indexes]
    # A bullet, a drop cap or a word of code has a font of its own: most of the line has the say.
    fixed = [_is_fixed(text_page, index) for index in indexes]
    sizes = [round(box[3] - box[1], 1) for box in boxes]
    voting = [size for size, is_fixed in zip(sizes, fixed, strict=True) if not is_fixed] or sizes
    size = max(voting, key=lambda one: (voting.count(one), one))
    for mark in reversed(list(_RAISED.finditer(raw))):
        box = text_page.get_charbox(_index(text_page, begin + mark.start()), loose=True)
        if box[3] - box[1] < _SMALLER * size:
            # The mark of a footnote: left there, it would join two sentences.
            raw = raw[: mark.start()] + raw[mark.end() :]
    return Line(
        text=_plain(raw),
        left=round(boxes[0][0], 1),
        right=round(boxes[-1][2], 1),
        top=round(height - boxes[sizes.index(size)][3], 1),
        size=size,
        is_code=all(fixed),
    )


def _plain(raw: str) -> str:
    return pages.cleaned(raw).strip()


def _index(text_page: Any, place: int) -> int:
    from pypdfium2 import raw as pdfium

    index: int = pdfium.FPDFText_GetCharIndexFromTextIndex(text_page.raw, place)
    return max(0, index)


def _is_fixed(text_page: Any, index: int) -> bool:
    from pypdfium2 import raw as pdfium

    flags = c_int()
    name = create_string_buffer(128)
    pdfium.FPDFText_GetFontInfo(text_page.raw, index, name, 128, byref(flags))
    return bool(flags.value & _FIXED_PITCH) or bool(_FIXED_NAMES.search(name.value))
