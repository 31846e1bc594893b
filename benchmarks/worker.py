"""The resident process of one contender: takes turns from standard input, answers with seconds and facts.

Standard library only; see `benchmarks.subject`.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import IO, Any

from benchmarks.subject import Subject, named

BEGIN, END = "benchmark-turn-begins", "benchmark-turn-ends"


def main() -> None:
    """Serve turns until the input ends."""
    answers = _private_output()
    order = json.loads(sys.argv[1])
    subject: Subject = named(order["subject"])(Path(order["folder"]), order["settings"])
    _answer(answers, {"ready": True})
    for line in sys.stdin:
        _answer(answers, _turn(subject, int(line), traced=order["traced"]))
    subject.close()


def _turn(subject: Subject, number: int, *, traced: bool) -> dict[str, Any]:
    subject.prepare(number)
    # Garbage of the preparation is not the contender's; the collector stays on, as it is for a user.
    gc.collect()
    if traced:
        os.access(BEGIN, os.F_OK)
    begun = time.perf_counter()
    own = subject.run()
    seconds = time.perf_counter() - begun if own is None else own
    if traced:
        os.access(END, os.F_OK)
    return {"seconds": seconds, "facts": subject.settle()}


def _private_output() -> IO[str]:
    """Keep standard output for the answers alone: what a library prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _answer(answers: IO[str], content: dict[str, Any]) -> None:
    answers.write(json.dumps(content) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
