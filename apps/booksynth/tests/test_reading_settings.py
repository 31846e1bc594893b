"""Every setting of reading has an effect, which a change of the YAML alone shows."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from apps.booksynth.tests.bookmaking import epub, page, pdf, text
from apps.booksynth.tests.support import booksynth, standing
from apps.booksynth.tests.test_settings import yaml_of

PAGES = [text("You must close every file."), text("Never guess the format.")]


def codes(folder: Path, name: str, book: bytes, setting: str, value: Any) -> list[str]:
    """Return the codes of the problems of a run over one book, with one setting changed."""
    (folder / "shelf").mkdir(exist_ok=True)
    (folder / "shelf" / name).write_bytes(book)
    config = folder / "changed.yaml"
    config.write_text(yaml_of(f"phases.phase_2.{setting}", value))
    where: list[str | Path] = ["--shelf-dir", folder / "shelf", "--output-dir", folder / "out"]
    done = booksynth("run", "--config", config, "--json", *where)
    assert done.code == 0, done.err
    return [problem["code"] for problem in done.report["problems"]]


def test_phases_phase_2_max_pages(tmp_path: Path) -> None:
    """phases.phase_2.max_pages leaves a longer book unread and reports it."""
    assert codes(tmp_path, "a.pdf", pdf(*PAGES), "max_pages", 1) == ["too-many-pages"]
    assert codes(tmp_path, "a.pdf", pdf(*PAGES), "max_pages", 2) == []


def test_phases_phase_2_max_seconds(tmp_path: Path) -> None:
    """phases.phase_2.max_seconds makes a book that takes longer a failure."""
    slow = epub({f"{n}.xhtml": page("<p>a b c d <b>e</b></p>" * 60_000) for n in range(12)})
    assert codes(tmp_path, "a.epub", slow, "max_seconds", 1) == ["too-slow"]


def test_phases_phase_2_max_memory_mb(tmp_path: Path) -> None:
    """phases.phase_2.max_memory_mb leaves a book that needs more unread and reports it."""
    large = epub({"a.xhtml": page("<p>a b c d</p>" * 1_500_000)})
    (code,) = codes(tmp_path, "a.epub", large, "max_memory_mb", 300)
    assert code in {"needs-memory", "reader-crashed"}


def test_phases_phase_2_max_unpacked_mb(tmp_path: Path) -> None:
    """phases.phase_2.max_unpacked_mb leaves a book that unpacks to more unread and reports it."""
    book = epub({"a.xhtml": page("<p>You must close every file.</p>" + " " * 2_000_000)})
    assert codes(tmp_path, "a.epub", book, "max_unpacked_mb", 1) == ["too-large"]
    assert codes(tmp_path, "a.epub", book, "max_unpacked_mb", 3) == []


def test_phases_phase_2_chapters_per_batch(tmp_path: Path) -> None:
    """phases.phase_2.chapters_per_batch decides how many chapters share a sync, and changes no result."""
    book = epub({f"{n}.xhtml": page(f"<h1>Part {n}</h1><p>You must close file {n}.</p>") for n in range(9)})

    assert codes(tmp_path, "a.epub", book, "chapters_per_batch", 1) == []
    before = standing(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    assert codes(tmp_path, "a.epub", book, "chapters_per_batch", 9) == []
    assert standing(tmp_path / "out") == before
