"""The documents do not lie: their code runs, and what they list is what there is."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import get_overloads

import pytest

import milepost
from milepost import errors
from milepost.events import Event, EventKind
from milepost.workflow.deciding import Action
from milepost.workflow.planning import PhasePlan, Plan

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def _pages_with_code() -> list[Path]:
    return [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", _pages_with_code(), ids=lambda page: page.name)
def test_code_on_the_pages_runs(page: Path, tmp_path: Path) -> None:
    """Every Python example of a page runs, in order, in one fresh process, from an empty folder, and runs again."""
    code = "\n".join(BLOCK.findall(page.read_text(encoding="utf-8")))
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_every_error_is_documented() -> None:
    """The page of errors lists each class with its code, and none that is not there."""
    page = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`([a-z.-]+)`\*{0,2} \| `(\w+)`", page))
    classes = {
        (one.code, name)
        for name, one in inspect.getmembers(errors, inspect.isclass)
        if issubclass(one, errors.MilepostError)
    }
    assert listed == classes


def test_every_public_name_is_documented() -> None:
    """Whatever ``import milepost`` offers stands on some page."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in milepost.__all__ if name not in text] == []


def test_every_argument_of_a_workflow_is_documented() -> None:
    """Each argument of a workflow, its phases, runs and plans, each action and each event stands on its page."""
    page = (ROOT / "docs/reference/workflow.md").read_text(encoding="utf-8")
    (declaring, *_) = get_overloads(milepost.Workflow.phase)[1:]
    parts = (milepost.Workflow, declaring, milepost.Workflow.run, milepost.Workflow.plan)
    arguments = {name for part in parts for name in inspect.signature(part).parameters} - {"self", "function"}
    fields = [*Plan.__dataclass_fields__, *PhasePlan.__dataclass_fields__, *Event._fields]
    words = [*arguments, *Action, *EventKind, *fields]
    assert len(arguments) > 25
    assert [word for word in words if not re.search(rf"\b{word}\b", page)] == []


def test_every_argument_of_the_manager_is_documented() -> None:
    """Each argument of the constructor and each public method stands on the manager's page."""
    page = (ROOT / "docs/reference/manager.md").read_text(encoding="utf-8")
    arguments = [name for name in inspect.signature(milepost.CheckpointManager).parameters if name not in page]
    methods = [
        name
        for name, _ in inspect.getmembers(milepost.CheckpointManager, inspect.isfunction)
        if not name.startswith("_") and name not in page
    ]
    assert arguments + methods == []
