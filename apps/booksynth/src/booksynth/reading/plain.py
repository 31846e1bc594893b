"""Markdown and plain text: the bytes to a text, the text to paragraphs."""

from __future__ import annotations

from booksynth import chapters
from booksynth.json_reader import FileError
from booksynth.reading.kinds import Kind, Reading


def read(kind: Kind, data: bytes) -> Reading:
    """Return a Markdown or plain text as a book.

    Raises:
        FileError: The content is not text in UTF-8, or is empty.
    """
    text = decoded(data)
    return Reading(chapters.from_markdown(text) if kind is Kind.MARKDOWN else chapters.from_text(text))


def decoded(data: bytes) -> str:
    """Return the text that *data* holds.

    Raises:
        FileError: It is not text in UTF-8, or is empty.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError("not-utf8", f"not UTF-8 (byte {error.start})") from None
    if "\0" in text:
        raise FileError("not-text", f"not text: a NUL stands at character {text.index(chr(0))}")
    if not text.strip():
        raise FileError("empty-file", "the file is empty")
    return text
