"""Work that tests hand to workers, importable by any process, and a record that remembers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from milepost.phase.work import Finished, Pending


class Recorder:
    """A record that keeps every batch, and knows how many items were asked for and not recorded."""

    def __init__(self, *, seconds: float = 0.0) -> None:
        self.batches: list[list[Finished]] = []
        self.taken = 0
        self.most_open = 0
        self.threads: set[int] = set()
        self._seconds = seconds

    def __call__(self, batch: Sequence[Finished]) -> None:
        time.sleep(self._seconds)
        self.threads.add(threading.get_ident())
        self.batches.append(list(batch))

    @property
    def all(self) -> list[Finished]:
        return [finished for batch in self.batches for finished in batch]

    @property
    def keys(self) -> list[str]:
        return [finished.key for finished in self.all]

    @property
    def values(self) -> dict[str, Any]:
        return {finished.key: finished.value for finished in self.all if finished.error is None}

    @property
    def errors(self) -> dict[str, BaseException | str]:
        return {finished.key: finished.error for finished in self.all if finished.error is not None}

    def pending(self, items: Any) -> Iterator[Pending]:
        """Hand out *items* one by one, counting those not yet recorded."""
        for item in items:
            self.taken += 1
            self.most_open = max(self.most_open, self.taken - len(self.all))
            yield Pending(str(item), item)


def children_like(word: str) -> list[psutil.Process]:
    """List the living processes below this one whose command line contains *word*."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # also a zombie, which has no command line
            if word in " ".join(child.cmdline()):
                found.append(child)
    return found


def double(number: int) -> int:
    return 2 * number


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def where(_item: object) -> tuple[int, int]:
    time.sleep(0.05)
    return os.getpid(), threading.get_ident()


def fail_at_three(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number


def plus(number: int, *, more: int = 0) -> int:
    return number + more


class Hostile(Exception):
    """Can be pickled, and cannot be loaded again."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def raise_hostile(_item: object) -> None:
    raise Hostile("this", "that")


class DiesWhenPickled:
    """Stands for a process that is killed while its result is pickled, as when memory runs out."""

    def __reduce__(self) -> Any:
        os._exit(9)


class DiesWhenLoaded:
    def __reduce__(self) -> Any:
        return raise_hostile, (None,)


def trouble(what: tuple[str, str]) -> Any:
    """Do what the first word says; the second is a file that counts how often."""
    word, counter = what
    if counter:
        with Path(counter).open("a") as file:
            file.write("x")
    if word == "once" and Path(counter).stat().st_size > 1:
        return word
    return TROUBLES.get(word, lambda: word)()


def _exit() -> None:
    os._exit(7)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang() -> None:
    time.sleep(600)


def _leave_a_child() -> None:
    """Die and leave a child that holds every pipe open."""
    if os.fork() == 0:
        time.sleep(600)
    os._exit(7)


def start_a_child_and_hang(told: str) -> None:
    child = subprocess.Popen(["sleep", "600"])
    Path(told).write_text(str(child.pid))
    child.wait()


TROUBLES: dict[str, Any] = {
    "exit": _exit,
    "once": _exit,
    "kill": _kill,
    "pickle": DiesWhenPickled,
    "load": DiesWhenLoaded,
    "lambda": lambda: lambda: None,
    "huge": lambda: b"x" * 50_000_000,
    "hang": _hang,
    "fork": _leave_a_child,
    "sys.exit": sys.exit,
}
