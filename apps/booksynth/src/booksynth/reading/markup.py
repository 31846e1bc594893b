"""HTML and XHTML: the bytes to a tree, the tree to headings and paragraphs. No entity is expanded, nothing fetched."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from html.entities import html5
from typing import Any

from lxml import etree

from booksynth.json_reader import FileError

_CHARSET = re.compile(rb"""<(?:meta\b[^>]*\bcharset|\?xml\b[^>]*\bencoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_XML_ENTITIES = {"amp", "lt", "gt", "quot", "apos"}
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_HEAD_BYTES = 2048
# Huge: a long text is read whole. What bounds memory and time is the process, and no entity is ever expanded.
_OPTIONS = {"remove_comments": True, "remove_pis": True, "no_network": True, "huge_tree": True}
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What is no running text: code, what moves about the page, what a machine reads. The first of them end a paragraph.
_BREAKS = _names("head pre nav textarea iframe object audio video noscript")
_SKIPPED = _BREAKS | _names("script style template select button svg")
_SKIPPED_CLASSES = _names(
    "headerlink link-target footnote-reference sphinxsidebar related navheader navfooter docnav toc toctree-wrapper"
    " breadcrumbs"
)
_SKIPPED_ROLES = _names("navigation search banner contentinfo doc-toc")
_CELLS = _names("td th")
_BLOCKS = _CELLS | _names(
    "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form"
    " header hr html li main ol p section summary table tbody tfoot thead tr ul"
)
_HEADINGS = {f"h{n}": n for n in range(1, 7)}
_CLOSED = re.compile(r"[.!?:…][\"'”’)\]]*\Z")
_MARK = re.compile(r"[\s\d*†‡\[\](),]*\Z")


def text_of(data: bytes) -> str:
    """Return the text of a page: by its byte order mark, by what it declares, or as UTF-8.

    Raises:
        FileError: It is empty, binary, or not in the encoding that it declares.
    """
    declared = _CHARSET.search(data[:_HEAD_BYTES])
    marked = next((name for mark, name in _BOMS if data.startswith(mark)), None)
    name = marked or (declared[1].decode("ascii") if declared else "utf-8")
    try:
        text = data.decode(name)
    except LookupError:
        raise FileError("bad-encoding", f"it declares an encoding that nobody knows: {name!a}") from None
    except UnicodeError as error:
        at = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
        if not declared and not marked and _CONTROL.search(data.decode("latin-1")):
            raise FileError("not-text", f"not text: it is binary{at}") from None
        raise FileError(
            "bad-encoding", f"not {name}{at}, which is its encoding by what it says or by default"
        ) from None
    control = _CONTROL.search(text)
    if control:
        raise FileError("not-text", f"not text: a control character stands at character {control.start()}")
    if not text.strip():
        raise FileError("empty-file", "the file is empty")
    return text


def page(data: bytes) -> Any:
    """Return the root of a page of HTML or XHTML, whatever its faults.

    Raises:
        FileError: It is no text, or no markup.
    """
    text = text_of(data)
    head = text[:_HEAD_BYTES].lstrip()
    if head.startswith("<?xml") or "http://www.w3.org/1999/xhtml" in head:
        root, is_sound = _xml(text)
        # What looks like XML and is broken is read as a browser would.
        if root is not None and is_sound:
            return root
    if not re.search(r"<[a-zA-Z!]", text):
        raise FileError("not-html", "no HTML: not one element in it")
    root, _ = _parsed(text, etree.HTMLParser(encoding="utf-8", **_OPTIONS))
    if root is None:
        raise FileError("not-html", "no HTML: not one element in it")
    return root


def xml(data: bytes) -> Any:
    """Return the root of an XML document, None where nothing of it can be read. Entities of HTML are known.

    Raises:
        FileError: It is no text, or declares entities of its own: those can grow without bound, or name files.
    """
    return _xml(text_of(data))[0]


def _xml(text: str) -> tuple[Any, bool]:
    if "<!ENTITY" in text:
        raise FileError("own-entities", "it declares entities of its own, and they are never expanded")
    text = _ENTITY.sub(_named, re.sub(r"\A\s*<\?xml[^>]*\?>", "", text))
    return _parsed(text, etree.XMLParser(recover=True, resolve_entities=False, load_dtd=False, **_OPTIONS))


def _parsed(text: str, parser: Any) -> tuple[Any, bool]:
    """Return the root, None where there is none, and whether nothing is wrong with it.

    Raises:
        FileError: It is nested too deeply; the rest would be missing.
        MemoryError: There is no memory for all of it.
    """
    root = None
    with suppress(etree.XMLSyntaxError):
        root = etree.fromstring(text.encode(), parser)
    errors = {error.type for error in parser.error_log}
    if etree.ErrorTypes.ERR_NO_MEMORY in errors:
        raise MemoryError
    if etree.ErrorTypes.ERR_RESOURCE_LIMIT in errors:
        raise FileError("too-deep", "its elements are nested too deeply")
    return root, not errors


def _named(entity: re.Match[str]) -> str:
    return entity[0] if entity[1] in _XML_ENTITIES else html5.get(f"{entity[1]};", entity[0])


def local(element: Any) -> str:
    """Return the name of an element without its namespace; empty for an entity and the like."""
    return element.tag.rpartition("}")[2].lower() if isinstance(element.tag, str) else ""


def title(root: Any) -> str:
    """Return what a page is called: by its first heading of the first level, or else by its head."""
    heading = next((text for level, text in parts(root) if level == 1), "")
    found = next((one for one in root.iter() if local(one) == "title"), None)
    return heading or ("" if found is None else " ".join("".join(found.itertext()).split()))


def main_parts(root: Any) -> list[Any]:
    """Return the elements that a page says hold its text; the page itself where it says nothing."""
    found: list[Any] = []
    for element in root.iter():
        is_main = local(element) == "main" or (local(element) and element.get("role") == "main")
        if is_main and not any(above in found for above in element.iterancestors()):
            found.append(element)
    return found or [root]


def parts(root: Any) -> Iterator[tuple[int, str]]:
    """Yield headings (level 1 to 6) and paragraphs (level 0) of a page, in order.

    A list item is a paragraph, and so is a cell of a table that ends like a sentence.
    """
    for element in main_parts(root):
        yield from _walked(element)


def _walked(root: Any) -> Iterator[tuple[int, str]]:
    run: list[str] = []
    blocks = [""]
    walker = etree.iterwalk(root, events=("start", "end"))
    for event, element in walker:
        name = local(element)
        is_block = name in _BLOCKS or name in _HEADINGS
        if is_block or name in _BREAKS:
            yield from _flushed(run, blocks[-1])
        if event == "start":
            if _is_skipped(element, name):
                walker.skip_subtree()
                continue
            blocks += [name] if is_block else []
            run.append(" " if name in {"br", "img"} else element.text or "")
        else:
            if is_block and not _is_skipped(element, name):
                blocks.pop()
            if element is not root:
                run.append(element.tail or "")
    yield from _flushed(run, blocks[-1])


def _flushed(run: list[str], block: str) -> Iterator[tuple[int, str]]:
    text = " ".join("".join(run).split())
    run.clear()
    if text and (block not in _CELLS or _CLOSED.search(text)):
        yield _HEADINGS.get(block, 0), text


def _is_skipped(element: Any, name: str) -> bool:
    if not name or name in _SKIPPED or element.get("role") in _SKIPPED_ROLES:
        return True
    if not _SKIPPED_CLASSES.isdisjoint((element.get("class") or "").split()):
        return True
    # The mark of a footnote would stand between the end of its sentence and the next.
    return name == "sup" and bool(_MARK.match("".join(element.itertext())))
