"""Every setting of the workflow has an effect, which a change of the YAML alone shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import booksynth as package
from apps.booksynth.tests import support
from apps.booksynth.tests.support import booksynth, standing
from apps.booksynth.tests.test_settings import yaml_of
from booksynth import settings
from milepost.errors import ConfigError

BOOK = "# A Book\n\nNever guess the format. It is written down. It is short. It is good.\n\n"
BOOK += f"You must {'very ' * 30}soon go home.\n"


class Case:
    """Runs the workflow with one setting changed in the YAML, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "shelf").mkdir()
        (folder / "shelf" / "book.md").write_text(BOOK)

    def run(self, path: str, value: Any, *more: str | Path) -> support.Done:
        config = self.folder / "changed.yaml"
        config.write_text(yaml_of(path, value))
        where: list[str | Path] = ["--shelf-dir", self.folder / "shelf", "--output-dir", self.output]
        return booksynth("run", "--config", config, "--json", *(more or where))

    @property
    def output(self) -> Path:
        return self.folder / "out"

    def advice(self) -> dict[str, str]:
        (found,) = self.output.glob("analyses/*_convergence_tracker.json")
        buckets = json.loads(found.read_bytes())["iterations"][0]["recommendations"].values()
        return {one["title"]: one["description"] for bucket in buckets for one in bucket}


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_phases_phase_2_max_file_mb(case: Case) -> None:
    """phases.phase_2.max_file_mb leaves a larger book unread and reports it."""
    done = case.run("phases.phase_2.max_file_mb", 0.0001)
    assert [problem["code"] for problem in done.report["problems"]] == ["too-large"]
    assert case.run("phases.phase_2.max_file_mb", 1).report["problems"] == []


def test_phases_phase_2_max_sentence_chars(case: Case) -> None:
    """phases.phase_2.max_sentence_chars leaves out and reports what is longer."""
    case.run("phases.phase_2.max_sentence_chars", 400)
    assert len(case.advice()) == 2
    done = case.run("phases.phase_2.max_sentence_chars", 100)
    assert len(case.advice()) == 1
    assert [problem["code"] for problem in done.report["problems"]] == ["long-sentence"]


def test_phases_phase_2_following_sentences(case: Case) -> None:
    """phases.phase_2.following_sentences decides how much is quoted behind the advice."""
    case.run("phases.phase_2.following_sentences", 0)
    assert case.advice()["Never guess the format."] == "“Never guess the format.”"
    case.run("phases.phase_2.following_sentences", 1)
    assert case.advice()["Never guess the format."] == "“Never guess the format. It is written down.”"


def test_execution_workers(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """execution.workers starts processes, and changes no result."""
    for number in range(3):
        (case.folder / "shelf" / f"other {number}.md").write_text(BOOK.replace("format", f"format of file {number}"))
    (tmp_path / "noted").mkdir()
    (tmp_path / "noted" / "sitecustomize.py").write_text(
        f"import os, pathlib\npathlib.Path({str(tmp_path / 'noted')!r}, str(os.getpid())).touch()\n"
    )
    path = os.pathsep.join([str(tmp_path / "noted"), os.environ.get("PYTHONPATH", "")])
    found = []
    for workers in (1, 2):
        config = tmp_path / f"{workers}.yaml"
        config.write_text(yaml_of("execution.workers", workers))
        words: list[str | Path] = [
            "run",
            case.folder / "shelf",
            "--output",
            tmp_path / f"out {workers}",
            "--config",
            config,
        ]
        assert booksynth(*words, env={"PYTHONPATH": path}).code == 0
        processes = [one for one in (tmp_path / "noted").iterdir() if one.name.isdigit()]
        found.append((len(processes), standing(tmp_path / f"out {workers}")))
        for one in processes:
            one.unlink()
    assert found[1][0] >= found[0][0] + 2
    assert found[0][1] == found[1][1]


def test_phases_phase_4_max_slug_chars(case: Case) -> None:
    """phases.phase_4.max_slug_chars shortens the folders of the plans, and the longer ones go."""
    case.run("phases.phase_4.max_slug_chars", 60)
    assert len(list(case.output.glob("plans/*-never-guess-the-format"))) == 1
    case.run("phases.phase_4.max_slug_chars", 12)
    assert len(list(case.output.glob("plans/*-never-guess"))) == 1
    assert len(list(case.output.glob("plans/*/PLAN.md"))) == 2


def test_phases_phase_4_low_cohesion(case: Case) -> None:
    """phases.phase_4.low_cohesion decides which merged wordings are said to be not much alike."""
    other = BOOK.replace("Never guess the format. It is written down.", "Never guess the format twice. It changes.")
    (case.folder / "shelf" / "other.md").write_text(other)
    config = case.folder / "both.yaml"
    for limit, words in ((0.0, "see whether they mean the same"), (1.0, "not much alike")):
        # So little is asked of what is merged that two titles are; only the other setting changes.
        phases = {"phase_3": {"similarity_threshold": 0.05}, "phase_4": {"low_cohesion": limit}}
        config.write_text(json.dumps({"phases": phases}))
        booksynth("run", case.folder / "shelf", "--output", case.output, "--config", config)
        (plan,) = case.output.glob("plans/*-never-guess-the-format*/PLAN.md")
        assert words in plan.read_text()


def test_phases_phase_4_plans_per_batch(case: Case) -> None:
    """phases.phase_4.plans_per_batch decides how many plans share a sync, and changes no result."""
    case.run("phases.phase_4.plans_per_batch", 1)
    before = standing(case.output)
    done = case.run("phases.phase_4.plans_per_batch", 16)
    assert {told["state"] for told in done.report["phases"].values()} == {"reused"}
    case.run(
        "phases.phase_4.plans_per_batch",
        16,
        "--shelf-dir",
        case.folder / "shelf",
        "--output-dir",
        case.output,
        "--fresh",
    )
    assert standing(case.output) == before


def test_paths_shelf_dir(case: Case) -> None:
    """paths.shelf_dir is used where the flag is absent."""
    done = case.run("paths.shelf_dir", str(case.folder / "shelf"), "--output-dir", case.output)
    assert done.report["analyses"] == 1


def test_parameters_name_the_file_and_win_over_it(tmp_path: Path) -> None:
    """The parameter config names the file, and any other wins over it."""
    file = tmp_path / "own.yaml"
    file.write_text("phases:\n  phase_3:\n    min_confidence: 0.5\n    max_field_chars: 99\n")
    loaded = settings.load({"config": str(file), "phases.phase_3.min_confidence": "0.75"})
    assert (loaded.phases.phase_3.min_confidence, loaded.phases.phase_3.max_field_chars) == (0.75, 99)
    with pytest.raises(ConfigError, match=r"parameter phases\.phase_2\.max_fil_mb: .* did you mean"):
        settings.load({"phases.phase_2.max_fil_mb": "1"})


def test_the_workflow_is_had_from_the_package() -> None:
    """`booksynth:workflow` is the workflow, and a bare import of the package loads none of it."""
    assert package.workflow.phases == ["phase_2", "phase_3", "phase_4"]
    with pytest.raises(AttributeError):
        _ = package.nothing_of_that_name
    code = "import sys, booksynth; print([name for name in sys.modules if name.startswith(('pydantic', 'milepost'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_loads_no_settings() -> None:
    """The help of a command comes without loading what the command works with."""
    code = (
        "import sys; sys.argv = ['booksynth', 'run', '--help']\n"
        "from booksynth.cli import main; main()\n"
        "print([name for name in sys.modules if name.startswith(('milepost', 'scipy', 'booksynth.settings'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "booksynth run books --output results" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
