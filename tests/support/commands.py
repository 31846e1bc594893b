"""Runs the command ``milepost`` in this process: starting Python for each would cost more than the test."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import milepost
from milepost.cli.app import main

ITEMS = ["a", "b", "c", "d"]
CODES = {0, 1, 2, 3, 4, 65, 74, 75, 130}


class Ran(NamedTuple):
    """What a command did: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, parsed."""
        return json.loads(self.out)


def run(*arguments: str | Path, code: int | None = 0) -> Ran:
    """Run ``milepost ARGUMENTS`` and return what it did; it must leave with *code*, or with any documented one."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        left = main(list(map(str, arguments)))
    ran = Ran(left, out.getvalue(), err.getvalue())
    assert "Traceback" not in ran.out + ran.err
    assert left in CODES, ran
    assert code is None or left == code, ran
    return ran


def job(root: Path | str, name: str = "items", items: list[str] | None = None, *, complete: bool = True) -> list[str]:
    """Run a job of a `Phase` over *items*; return those that it worked on."""
    worked = []
    with milepost.Phase(name, store=root) as phase:
        for item in phase.each(items or ITEMS):
            worked.append(item)
            phase.record({"title": item.upper(), "parts": [1, (2, 3)]})
        phase.state["cursor"] = len(worked)
        phase.save()
        if complete:
            phase.complete({"count": len(phase.results())})
    return worked


def managed(root: Path | str, name: str = "states") -> Path:
    """Save three checkpoints with a manager, and a change behind them that is in the journal only."""
    with milepost.CheckpointManager(name, root) as manager:
        for iteration in (1, 2, 3):
            manager.save_checkpoint(iteration, {"books": list(range(iteration)), "pair": (1, 2)}, force=True)
        manager.save_checkpoint(4, {"books": list(range(4)), "pair": (1, 2)}, {"note": "later"})
    return Path(root) / name


def files_of(root: Path) -> dict[Path, bytes]:
    """Return every file below *root* with its bytes."""
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def flipped(path: Path, offset: int) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)
