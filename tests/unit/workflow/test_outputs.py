"""Files that a phase wrote and declared: looked at before the phase counts as finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost.errors import InvalidArgument, PhaseFailed
from milepost.workflow.deciding import ReasonKind


class Writer:
    """A phase that writes a file for each item, in its loop or behind it."""

    def __init__(self, tmp_path: Path, *, in_loop: bool = False) -> None:
        self.folder = tmp_path / "out"
        self.folder.mkdir()
        self.store = tmp_path / "store"
        self.in_loop = in_loop
        self.worked: list[str] = []

    def path(self, item: str) -> Path:
        """Return where the file of *item* stands."""
        return self.folder / f"{item}.txt"

    def built(self) -> milepost.Workflow:
        """Return the workflow."""
        flow = milepost.Workflow("w", store=self.store)

        @flow.phase(items=["a", "b"])
        def writes(phase: milepost.Phase, items: list[str]) -> list[str]:
            for item in phase.each(items):
                self.worked.append(item)
                if self.in_loop:
                    self.write(phase, item, item)
                phase.record(item.upper())
            if not self.in_loop:
                for item, text in phase.results().items():
                    self.write(phase, item, text)
            return list(phase.results())

        return flow

    def write(self, phase: milepost.Phase, item: str, text: str) -> None:
        """Write a file and declare it."""
        self.path(item).write_text(text)
        phase.output(self.path(item))

    def reasons(self) -> list[tuple[str, str]]:
        """Return which outputs a plan misses, and what of them."""
        found = self.built().plan().phases[0].reasons
        return [(Path(one.name).name, str(one.new)) for one in found if one.kind is ReasonKind.OUTPUT]


def test_a_missing_or_altered_output_has_its_phase_entered_again(tmp_path: Path) -> None:
    """A file that is gone or altered is named by the plan and written again, without working on an item again."""
    writer = Writer(tmp_path)
    writer.built().run()
    writer.path("a").unlink()
    writer.path("b").write_text("altered")
    (first, gone), (second, digest) = writer.reasons()
    assert (first, gone, second) == ("a.txt", "missing", "b.txt")
    assert len(digest) == 12
    outputs = writer.built().run()
    assert (outputs.ran, outputs["writes"]) == (["writes"], ["a", "b"])
    assert [writer.path(one).read_text() for one in "ab"] == ["A", "B"]
    assert writer.worked == ["a", "b"]
    assert writer.built().run().ran == []


def test_an_output_that_is_not_written_again_is_an_error(tmp_path: Path) -> None:
    """A phase whose body wrote a file only where items are worked on does not count as finished without that file."""
    writer = Writer(tmp_path, in_loop=True)
    writer.built().run()
    writer.path("a").unlink()
    for _ in range(2):
        with pytest.raises(PhaseFailed, match=r"did not write again: .*a\.txt: written -> missing.* alone and fresh"):
            writer.built().run()
    writer.built().run(fresh=True, only="writes")
    assert writer.path("a").read_text() == "a"
    assert writer.built().run().ran == []


def test_a_touched_output_and_a_folder_count_by_content(tmp_path: Path) -> None:
    """A declared folder is compared by what it holds, and new times alone make nothing stale."""
    flow = milepost.Workflow("w", store=tmp_path / "store")
    folder = tmp_path / "out"

    @flow.phase
    def writes(phase: milepost.Phase) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "x").write_text("x")
        phase.output(folder)

    flow.run()
    (folder / "x").write_text("x")
    assert flow.run().ran == []
    (folder / "x").unlink()
    assert flow.run().ran == ["writes"]
    assert (folder / "x").read_text() == "x"


def test_what_is_not_there_cannot_be_declared(tmp_path: Path) -> None:
    """Declaring a file that was not written is refused by name."""
    flow = milepost.Workflow("w", store=tmp_path / "store")

    def declares(phase: milepost.Phase) -> Any:
        phase.output(tmp_path / "nothing")

    flow.phase(name="p")(declares)
    with pytest.raises(InvalidArgument, match="nothing': there is no such file; write it, then declare it"):
        flow.run()


def test_a_reused_phase_is_not_asked_for_outputs_of_runs_set_aside(tmp_path: Path) -> None:
    """What an earlier run declared is no output of the run that followed it."""
    for number in (1, 2):
        flow = milepost.Workflow("w", store=tmp_path / "store", on_change="restart")
        path = tmp_path / f"{number}.txt"

        @flow.phase(params={"number": number})
        def writes(phase: milepost.Phase, path: Path = path) -> str:
            path.write_text("text")
            phase.output(path)
            return path.name

        assert flow.run().ran == ["writes"]
    (tmp_path / "1.txt").unlink()
    assert flow.run().ran == []
