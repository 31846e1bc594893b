"""The laws of reading in a process of its own: whatever a book does to its reader, the run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from apps.booksynth.tests.bookmaking import LIMITS, epub, page, pdf, text
from booksynth import books
from booksynth.inputs import UnreadableError
from booksynth.json_reader import FileError
from booksynth.reading import confined
from booksynth.reading import pdf as pdf_reader
from booksynth.reading.confined import ReadingFailedError
from booksynth.reading.kinds import Kind, Limits
from booksynth.settings import Phase2Settings

BOOK = pdf(text("You must close every file."), title="Café 𝄞")


def test_a_reading_comes_back_as_it_was() -> None:
    """What the process reads is what its reader gives, letter for letter."""
    there = confined.read(Kind.PDF, BOOK, LIMITS)
    assert there == pdf_reader.read(BOOK, LIMITS)
    assert there.book.title == "Café 𝄞"


def test_a_refusal_comes_back_as_it_was() -> None:
    """What a reader refuses is refused in the same words."""
    with pytest.raises(FileError, match="no PDF, or a broken one") as caught:
        confined.read(Kind.PDF, b"%PDF", LIMITS)
    assert caught.value.code == "broken-pdf"


def test_memory_is_bounded() -> None:
    """A book that needs more memory than the limit is refused with it, and nothing else is hurt."""
    large = epub({"a.xhtml": page("<p>a b c d</p>" * 1_500_000)})
    with pytest.raises(FileError, match="300 MB") as caught:
        confined.read(Kind.EPUB, large, Limits(500, 60, 300, 64))
    assert caught.value.code in {"needs-memory", "reader-crashed"}


def test_time_is_bounded() -> None:
    """A book that takes longer than the limit has failed, and may be tried again."""
    slow = epub({f"{n}.xhtml": page("<p>a b c d <b>e</b></p>" * 60_000) for n in range(20)})
    with pytest.raises(ReadingFailedError, match=r"not read within 1 seconds") as caught:
        confined.read(Kind.EPUB, slow, Limits(500, 1, 4096, 4096))
    assert caught.value.code == "too-slow"


def struck(kill: Callable[[psutil.Process], None]) -> threading.Thread:
    """Begin to watch for the process that reads, and do *kill* to it."""

    def watch() -> None:
        for _ in range(2000):
            for child in psutil.Process().children():
                try:
                    if "booksynth.reading.child" in child.cmdline():
                        kill(child)
                        return
                except psutil.Error:
                    continue
            time.sleep(0.002)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("number", "expected", "code"),
    [(signal.SIGSEGV, FileError, "reader-crashed"), (signal.SIGKILL, ReadingFailedError, "unreadable")],
)
def test_a_crash_is_a_problem_of_the_book(number: int, expected: type[Exception], code: str) -> None:
    """A reader that crashes is a refusal of that book; one that was killed from outside is a failure, tried again."""
    slow = epub({"a.xhtml": page("<p>a b c d</p>" * 400_000)})
    thread = struck(lambda child: child.send_signal(number))
    with pytest.raises(expected) as caught:
        confined.read(Kind.EPUB, slow, LIMITS)
    thread.join()
    assert getattr(caught.value, "code", "") == code


def test_what_failed_is_tried_again(tmp_path: Path) -> None:
    """A reader that was killed makes the book a failure, as a file that cannot be read now does."""
    (tmp_path / "a.epub").write_bytes(epub({"a.xhtml": page("<p>a b c d</p>" * 400_000)}))
    (found,) = books.find(tmp_path, 64)
    thread = struck(psutil.Process.kill)
    with pytest.raises(UnreadableError):
        books.read(found, Phase2Settings())
    thread.join()


def test_the_current_folder_lends_no_modules(tmp_path: Path) -> None:
    """A file beside the run that is called like a module has no part in reading."""
    (tmp_path / "json.py").write_text("raise SystemExit(7)")
    (tmp_path / "lxml.py").write_text("raise SystemExit(7)")
    code = (
        "from booksynth.reading import confined\nfrom booksynth.reading.kinds import *\n"
        "print(confined.read(Kind.HTML, b'<p>Hello.', Limits(9, 9, 512, 9)).book.paragraphs[0].text)"
    )
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False)
    assert done.stdout == "Hello.\n", done.stderr


def test_parsers_are_not_loaded_here() -> None:
    """The process of the run loads no parser of PDF, HTML or XML: nothing native of theirs can end it."""
    code = (
        "import sys, booksynth.phases; print([name for name in sys.modules if name.startswith(('lxml', 'pypdfium2'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
