"""Workflows in files of their own, for tests of the commands that run them."""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import uuid4

from milepost import Workflow
from milepost.cli.target import workflow_of

SHELF = """
import pathlib, sys
import milepost

HERE = pathlib.Path(__file__).parent
FACTOR = 2

def note(text):
    with open(HERE / "log.txt", "a") as file:
        file.write(text + "\\n")

def books():
    return sorted((HERE / "books").glob("*.txt"))

workflow = milepost.Workflow("shelf", store=HERE / "checkpoints", config={"deep": {"threshold": 1}, "price": 0.25})

@workflow.phase(items=books, key=lambda book: book.stem, params=lambda config: {"price": config["price"]})
def read(phase, books, *, config):
    for book in phase.each(books):
        note(f"read {book.stem}")
        text = book.read_text().strip()
        if text == "bad":
            phase.fail("it is bad")
            continue
        if text == "boom":
            raise RuntimeError("the body broke")
        phase.record(phase.call(f"ask:{book.stem}:{text}", lambda call_id: text.upper(), cost_usd=config["price"]))
    return dict(phase.results())

@workflow.phase(after="read", params=lambda config: config["deep"])
def merge(phase, texts, *, config):
    note("merge")
    return {"all": " ".join(texts.values()), "factor": FACTOR, "threshold": config["deep"]["threshold"]}
"""


class Shelf:
    """A workflow over a folder of books, in a file whose name no other test has."""

    def __init__(self, folder: Path, **books: str) -> None:
        """Write the file, and a book for each keyword."""
        self.folder = folder
        self.file = folder / f"job_{uuid4().hex}.py"
        self.store = folder / "checkpoints"
        self.target = f"{self.file}:workflow"
        self.file.write_text(SHELF)
        (folder / "books").mkdir()
        for name, text in (books or {"a": "alpha", "b": "beta"}).items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Write one book."""
        (self.folder / "books" / f"{name}.txt").write_text(text)

    def edit(self, old: str, new: str) -> str:
        """Change the file's code, in a new file, since this process has the old one loaded; return its target."""
        text = self.file.read_text()
        assert old in text
        self.file = self.folder / self.file.name
        self.file.write_text(text.replace(old, new))
        return self.target

    @staticmethod
    def load(file: Path) -> Workflow:
        """Return the workflow of a file as it is now."""
        sys.modules.pop(file.stem, None)
        return workflow_of(f"{file}:workflow")

    def log(self) -> list[str]:
        """Return what bodies did since the last look."""
        path = self.folder / "log.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines
