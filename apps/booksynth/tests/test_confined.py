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


# Root may raise a limit that others may not: here it may not either, as any user.
LIMITED = """
import ctypes, resource, sys
from apps.booksynth.tests.bookmaking import epub, page
from booksynth.json_reader import FileError
from booksynth.reading import confined
from booksynth.reading.kinds import Kind, Limits
ctypes.CDLL(None).prctl(24, 24, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_SYS_RESOURCE
name, wanted = sys.argv[1], int(sys.argv[2])
resource.setrlimit(getattr(resource, name), (wanted, wanted))
book = epub({"a.xhtml": page("<p>a b c d</p>" * int(sys.argv[3]))})
try:
    print(len(confined.read(Kind.EPUB, book, Limits(500, 60, 1024, 4096)).book.paragraphs))
except (confined.ReadingFailedError, FileError) as error:
    print(type(error).__name__, error.code, error.reason)
"""


def limited(name: str, wanted: int, paragraphs: int) -> str:
    """Read an EPUB where the operator has set a hard limit; return how many paragraphs it has, or what failed."""
    command = [sys.executable, "-c", LIMITED, name, str(wanted), str(paragraphs)]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, cwd=root, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("RLIMIT_CPU", 30), ("RLIMIT_CPU", 62), ("RLIMIT_AS", 900_000_000), ("RLIMIT_FSIZE", 0), ("RLIMIT_CORE", 0)],
)
def test_a_lower_limit_of_the_operator_is_kept(name: str, wanted: int) -> None:
    """A book is read where less is allowed to the run than to a book, as long as that is enough."""
    assert limited(name, wanted, 3) == "3"


@pytest.mark.parametrize(
    ("name", "wanted", "reason"),
    [
        ("RLIMIT_CPU", 1, "ended from outside by signal 9"),
        ("RLIMIT_AS", 300_000_000, "not read within 300 MB of memory"),
    ],
)
def test_a_lower_limit_of_the_operator_is_no_fault_of_the_book(name: str, wanted: int, reason: str) -> None:
    """Where the operator's limit is too little for a book, it has failed, and is tried again."""
    answer = limited(name, wanted, 1_500_000)
    assert answer.startswith("ReadingFailedError unreadable ")
    assert reason in answer


@pytest.mark.parametrize(
    ("module", "code", "expected", "reason"),
    [
        ("lxml", "raise ImportError('no such library')", ReadingFailedError, "ImportError: no such library"),
        ("lxml", "raise OSError(24, 'Too many open files')", ReadingFailedError, "Too many open files"),
        ("resource", "raise ImportError('no resource')", ReadingFailedError, "ImportError: no resource"),
        (
            "resource",
            "RLIMIT_AS = RLIM_INFINITY = 0\ngetrlimit = lambda _: (0, 0)\ndef setrlimit(*_): raise ValueError('not allowed')",
            ReadingFailedError,
            "cannot be confined: ValueError: not allowed",
        ),
        ("lxml", "raise KeyError('odd book')", FileError, "the reader failed: KeyError: 'odd book'"),
    ],
)
def test_only_what_a_reader_says_of_a_book_is_its_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, code: str, expected: type[Exception], reason: str
) -> None:
    """A reader that cannot be loaded or confined has failed; one that is not prepared for a book refuses it."""
    (tmp_path / f"{module}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    with pytest.raises(expected) as caught:
        confined.read(Kind.HTML, b"<p>Hello.", LIMITS)
    assert reason in str(caught.value)
    assert getattr(caught.value, "code", "") == ("unreadable" if expected is ReadingFailedError else "reader-failed")


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
