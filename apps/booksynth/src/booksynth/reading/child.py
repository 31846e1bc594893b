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
    _confine(limits)
    answer: dict[str, Any]
    try:
        answer = _read(kind, sys.stdin.buffer.read(), limits).dump()
    except FileError as error:
        answer = {"error": [error.code, error.reason]}
    except MemoryError:
        reason = f"reading it needs more than {limits.memory_mb:,.0f} MB of memory (max_memory_mb)"
        answer = {"error": ["needs-memory", reason]}
    # Half of a surrogate pair, which a broken book may hold, becomes a mark of its own and no failure.
    text = json.dumps(answer, ensure_ascii=False)
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))


def _confine(limits: Limits) -> None:
    seconds = max(1, round(limits.seconds))
    resource.setrlimit(resource.RLIMIT_AS, (round(limits.memory_mb * 1_000_000),) * 2)
    # Past the first the kernel sends SIGXCPU; past the second, SIGKILL.
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    # It has nothing to write but its answer.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


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
