"""The process that reads one book: its bytes on standard input, the reading as JSON on standard output."""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

from booksynth.json_reader import FileError
from booksynth.reading.kinds import Kind, Limits, Reading


def main() -> None:
    """Read the book of the kind and within the limits that the command line gives."""
    kind, limits = Kind(sys.argv[1]), Limits(**json.loads(sys.argv[2]))
    try:
        _confine(limits)
    except (OSError, ValueError) as error:
        answer = _encoded({"failed": f"its reader cannot be confined: {_told(error)}"})
    else:
        answer = _answer(kind, limits)
    sys.stdout.buffer.write(answer)


def _answer(kind: Kind, limits: Limits) -> bytes:
    try:
        return _encoded(_read(kind, sys.stdin.buffer.read(), limits).dump())
    except FileError as error:
        return _encoded({"error": [error.code, error.reason]})
    except MemoryError:
        reason = f"reading it needs more than {limits.memory_mb:,.0f} MB of memory (max_memory_mb)"
        return _encoded({"error": ["needs-memory", reason]})
    except (ImportError, OSError) as error:
        # The book is in memory: this is about what is installed, or what the system grants now.
        return _encoded({"failed": f"its reader cannot work here: {_told(error)}"})
    except Exception as error:  # noqa: BLE001  a reader that is not prepared for this book: it would fail again
        return _encoded({"error": ["reader-failed", f"the reader failed: {_told(error)}"]})


def _told(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _encoded(answer: dict[str, Any]) -> bytes:
    # Half of a surrogate pair, which a broken book may hold, becomes a mark of its own and no failure.
    return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")


def _confine(limits: Limits) -> None:
    seconds = max(1, round(limits.seconds))
    _lower(resource.RLIMIT_AS, limits.memory_bytes, limits.memory_bytes)
    # Past the first the kernel sends SIGXCPU; past the second, SIGKILL.
    _lower(resource.RLIMIT_CPU, seconds, seconds + 5)
    # It has nothing to write but its answer.
    _lower(resource.RLIMIT_FSIZE, 0, 0)
    _lower(resource.RLIMIT_CORE, 0, 0)


def _lower(limit: int, soft: int, hard: int) -> None:
    """Set a limit, to no more than whoever started us allows: only root may raise a hard limit."""
    allowed = resource.getrlimit(limit)[1]
    if allowed != resource.RLIM_INFINITY:
        soft, hard = min(soft, allowed), min(hard, allowed)
    resource.setrlimit(limit, (soft, hard))


def _read(kind: Kind, data: bytes, limits: Limits) -> Reading:
    if kind is Kind.PDF:
        from booksynth.reading import pdf

        return pdf.read(data, limits)
    if kind is Kind.EPUB:
        from booksynth.reading import epub

        return epub.read(data, limits)
    if kind is Kind.SITE:
        from booksynth.reading import site

        return site.read(data, limits)
    from booksynth.reading import html

    return html.read(data)


if __name__ == "__main__":
    main()
