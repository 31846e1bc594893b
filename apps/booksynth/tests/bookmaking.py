"""Small books of every kind, made to measure."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from booksynth.reading.kinds import Limits

LIMITS = Limits(pages=500, seconds=60, memory_mb=1024, unpacked_mb=64)
CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
XHTML = "application/xhtml+xml"

Draw = Callable[[Any], None]


def pdf(*pages: Draw, title: str = "", outline: Mapping[str, int] | None = None, password: str = "") -> bytes:
    """Return a PDF of pages, each drawn by a function that is given the canvas; outline: title to page from 0."""
    from reportlab.pdfgen.canvas import Canvas

    whole = io.BytesIO()
    canvas = Canvas(whole, pagesize=(400, 600), encrypt=password or None, invariant=1)
    if title:
        canvas.setTitle(title)
    for number, draw in enumerate(pages):
        for name, page in (outline or {}).items():
            if page == number:
                canvas.bookmarkPage(name)
                canvas.addOutlineEntry(name, name, level=0)
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return whole.getvalue()


def text(*lines: str | tuple[str, dict[str, Any]]) -> Draw:
    """Return what draws lines from the top down; a line may come with size, font, left and gap (points)."""

    def draw(canvas: Any) -> None:
        top = 560.0
        for line in lines:
            words, options = (line, {}) if isinstance(line, str) else line
            top -= options.get("gap", 0)
            canvas.setFont(options.get("font", "Helvetica"), options.get("size", 11))
            canvas.drawString(options.get("left", 50), options.get("at", top), words)
            top -= 14

    return draw


def picture(canvas: Any) -> None:
    """Draw a page that is a picture."""
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    canvas.drawImage(ImageReader(Image.new("RGB", (40, 60), "grey")), 0, 0, 400, 600)


def page(body: str, title: str = "") -> str:
    """Return a page of XHTML."""
    head = f"<head><title>{title}</title></head>"
    return f'<html xmlns="http://www.w3.org/1999/xhtml">{head}<body>{body}</body></html>'


def epub(
    parts: Mapping[str, str | bytes],
    *,
    title: str = "A Book",
    spine: Sequence[str] | None = None,
    nav: str | None = None,
    ncx: str | None = None,
    extra: Mapping[str, str | bytes] | None = None,
) -> bytes:
    """Return an EPUB whose spine is the parts in their order, or those of *spine*."""
    items = {name: f'<item id="i{n}" href="{name}" media-type="{XHTML}"/>' for n, name in enumerate(parts)}
    numbers = {name: n for n, name in enumerate(parts)}
    listed = [*items.values()]
    files: dict[str, str | bytes] = {f"OPS/{name}": content for name, content in parts.items()}
    if nav is not None:
        files["OPS/nav.xhtml"] = page(f'<nav xmlns:epub="http://www.idpf.org/2007/ops" epub:type="toc">{nav}</nav>')
        listed.append(f'<item id="nav" href="nav.xhtml" media-type="{XHTML}" properties="nav"/>')
    if ncx is not None:
        files["OPS/toc.ncx"] = f'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>{ncx}</navMap></ncx>'
        listed.append('<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>')
    order = "".join(f'<itemref idref="i{numbers[name]}"/>' for name in (spine or parts))
    toc = ' toc="ncx"' if ncx else ""
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
        f'<metadata><dc:title xmlns:dc="http://purl.org/dc/elements/1.1/">{title}</dc:title></metadata>'
        f"<manifest>{''.join(listed)}</manifest><spine{toc}>{order}</spine></package>"
    )
    return archive({"META-INF/container.xml": CONTAINER, "OPS/book.opf": package, **files, **(extra or {})})


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """Return a ZIP file."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return whole.getvalue()
