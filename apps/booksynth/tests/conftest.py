"""Folders of trackers that the tests share."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from apps.booksynth.tests import support
from booksynth.inputs import RACY_SECONDS

BOOKS = 6


def settle() -> None:
    """Wait until files that were just written are old enough for their signatures to be trusted."""
    time.sleep(RACY_SECONDS + 0.1)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("BOOKSYNTH_"):
            monkeypatch.delenv(name)


def make_shelf(folder: Path) -> Path:
    """Write six books that share some recommendations and keep some for themselves."""
    for n in range(BOOKS):
        records = [
            support.record("Measure before you change"),
            support.record(f"Only book {n} says this", dependencies=["measure BEFORE you change!"]),
            support.record(f"Said by {n // 2}", description="x" * (n + 1)),
        ]
        replayed = [{"critical": records[:1], "important": records[1:]}] * 3
        support.write(folder, f"book_{n}", support.tracker(f"Book {n}", *replayed))
    return folder


@pytest.fixture(scope="session")
def settled_shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return six books, old enough to be known by their signatures. Read only."""
    folder = make_shelf(tmp_path_factory.mktemp("settled"))
    settle()
    return folder


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Return six books of the test's own."""
    return make_shelf(tmp_path / "analyses")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Return where results go; it is not there yet."""
    return tmp_path / "out" / "deep"
