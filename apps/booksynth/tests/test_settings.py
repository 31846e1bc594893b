"""Every setting has an effect, which a change of the YAML alone shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from apps.booksynth.tests import support
from apps.booksynth.tests.support import RESULTS, booksynth, record, results, tracker
from booksynth import settings
from booksynth.settings import Settings
from milepost import CheckpointManager

THRESHOLD = "BOOKSYNTH_PHASES__PHASE_3__SIMILARITY_THRESHOLD"
CONFIG = Path(__file__).parents[1] / "config" / "workflow_config.yaml"


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from leaves(annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_file_holds_the_defaults() -> None:
    """The committed file says what the packaged defaults say."""
    assert settings.manager(CONFIG).load() == Settings() == settings.manager().load()


def test_file_names_every_setting() -> None:
    """The committed file names every setting."""
    text = CONFIG.read_text()
    for path in leaves(Settings):
        assert f"{path.split('.')[-1]}:" in text


def test_file_names_its_schema() -> None:
    """The first line tells editors where the schema is."""
    first = CONFIG.read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=workflow_config.schema.json"
    assert (CONFIG.parent / "workflow_config.schema.json").exists()


def yaml_of(path: str, value: Any) -> str:
    lines = [f"{'  ' * depth}{part}:" for depth, part in enumerate(path.split("."))]
    return "\n".join(lines) + f" {json.dumps(value)}\n"


class Case:
    """Runs the command with one setting changed in the YAML, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        records = [
            record("Use cross validation", description="d" * 150),
            record("Cross validation: use!"),
            record("Alone"),
        ]
        support.write(folder / "in", "a", tracker("A", {"critical": records[:1]}))
        support.write(folder / "in", "b", tracker("B", {"important": records[1:]}))
        support.write(folder / "in", "c", "{")

    def run(self, path: str, value: Any, *more: str | Path, **options: Any) -> support.Done:
        config = self.folder / "changed.yaml"
        config.write_text(yaml_of(path, value))
        where: list[str | Path] = ["--analysis-dir", self.folder / "in", "--output-dir", self.output]
        return booksynth("phase-3", "--config", config, "--json", *(more or where), **options)

    @property
    def output(self) -> Path:
        return self.folder / "out"

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(results(self.output)[support.RESULTS[0]])
        return document

    def titles(self, key: str = "recommendations") -> list[str]:
        return sorted(one["title"] for one in self.document[key])

    def checkpoints(self) -> list[Path]:
        return sorted((self.output / "checkpoints").rglob("checkpoint_*.json"))


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_checkpoints_enabled(case: Case) -> None:
    """checkpoints.enabled: false makes no checkpoint file."""
    case.run("checkpoints.enabled", False)
    assert len(results(case.output)) == len(RESULTS)
    assert not (case.output / "checkpoints").exists()


def test_checkpoints_checkpoint_dir(case: Case, tmp_path: Path) -> None:
    """checkpoints.checkpoint_dir moves the checkpoints, relative to the output or absolute."""
    case.run("checkpoints.checkpoint_dir", "elsewhere/deep")
    assert list((case.output / "elsewhere" / "deep").rglob("checkpoint_*.json"))
    case.run("checkpoints.checkpoint_dir", str(tmp_path / "absolute"))
    assert list((tmp_path / "absolute").rglob("checkpoint_*.json"))
    assert not (case.output / "checkpoints").exists()


def test_checkpoints_store(case: Case, tmp_path: Path) -> None:
    """checkpoints.store keeps progress in a database, where both commands go on from it, and makes no folder."""
    case.run("checkpoints.store", f"sqlite:///{tmp_path}/kept.db")
    assert not (case.output / "checkpoints").exists()
    where = ["--store", f"sqlite:///{tmp_path}/kept.db"]
    with CheckpointManager("phase_3", where[1]) as manager:
        assert manager.get_latest_checkpoint() is not None
    again = booksynth("phase-3", "--analysis-dir", case.folder / "in", "--output-dir", case.output, *where, "--json")
    assert json.loads(again.out)["cached"] is True


def checkpoint_counts(case: Case, setting: str, *values: float) -> list[int]:
    """Return how many checkpoint files a run of nine books, killed at the last, has made."""
    for n in range(6):
        document = tracker(f"D{n}", {"critical": [record(f"D{n}")]})
        support.write(case.folder / "in", f"d{n}", document)
    where: list[str | Path] = ["--analysis-dir", case.folder / "in", "--output-dir", case.output, "--fresh"]
    always = {"save_interval_seconds": 0.000001, "max_checkpoints": 100}
    counts = []
    for value in values:
        chosen = json.dumps({"checkpoints": {**always, setting: value}})
        (case.folder / "changed.yaml").write_text(chosen)
        booksynth("phase-3", "--config", case.folder / "changed.yaml", *where, stop_at=9)
        counts.append(len(case.checkpoints()))
    return counts


def test_checkpoints_save_interval_seconds(case: Case) -> None:
    """checkpoints.save_interval_seconds decides how often a checkpoint file appears."""
    assert checkpoint_counts(case, "save_interval_seconds", 0.000001, 300) == [8, 1]


def test_checkpoints_ttl_hours(case: Case) -> None:
    """checkpoints.ttl_hours decides when the older files of a run that is on are removed."""
    assert checkpoint_counts(case, "ttl_hours", 24, 0.0000001) == [8, 2]


def test_checkpoints_max_checkpoints(case: Case) -> None:
    """checkpoints.max_checkpoints bounds the checkpoint files of a run that is on."""
    assert checkpoint_counts(case, "max_checkpoints", 2, 4) == [2, 4]


def test_similarity_threshold(case: Case) -> None:
    """phases.phase_3.similarity_threshold below 1.0 merges titles that are alike."""
    case.run("phases.phase_3.similarity_threshold", 1.0)
    assert len(case.titles()) == 3
    case.run("phases.phase_3.similarity_threshold", 0.9)
    assert case.titles() == ["Alone", "Cross validation: use!"]


def test_matching(case: Case) -> None:
    """phases.phase_3.matching asks the model beside the words, which moves how alike recommendations are."""
    cohesion = {}
    for matching in ("words", "embeddings"):
        assert case.run("phases.phase_3.matching", matching).code == 0
        cohesion[matching] = [one["cohesion"] for one in case.document["recommendations"]]
    assert cohesion["words"] != cohesion["embeddings"]


def test_theme_threshold(case: Case) -> None:
    """phases.phase_3.theme_threshold decides which recommendations belong together."""
    case.run("phases.phase_3.theme_threshold", 0.9, env={THRESHOLD: "1.0"})
    assert len(case.document["themes"]) == 1
    case.run("phases.phase_3.theme_threshold", 1.0, env={THRESHOLD: "1.0"})
    assert case.document["themes"] == []


def test_min_confidence(case: Case) -> None:
    """phases.phase_3.min_confidence moves what is below it to its own list."""
    case.run("phases.phase_3.min_confidence", 0.6)
    assert case.titles() == ["Cross validation: use!"]
    assert case.titles("below_min_confidence") == ["Alone"]


def test_max_field_chars(case: Case) -> None:
    """phases.phase_3.max_field_chars leaves out and reports what is longer."""
    done = case.run("phases.phase_3.max_field_chars", 100)
    assert case.titles() == ["Alone", "Cross validation: use!"]
    assert "too-long" in [problem["code"] for problem in done.report["problems"]]


def test_max_file_mb(case: Case, tmp_path: Path) -> None:
    """phases.phase_3.max_file_mb leaves a larger tracker unread and reports it."""
    support.write(case.folder / "in", "large", tracker("L", {"critical": [record("x" * 3000)]}))
    done = case.run("phases.phase_3.max_file_mb", 0.002)
    codes = {problem["file"].split("_")[0]: problem["code"] for problem in done.report["problems"]}
    assert codes == {"large": "too-large", "c": "truncated"}
    assert not [name for name in done.opened if name.startswith("large")]
    assert "large_convergence" not in str(case.run("phases.phase_3.max_file_mb", 1).report["problems"])


def test_paths_analysis_dir(case: Case) -> None:
    """paths.analysis_dir is used where the flag is absent."""
    folder = str(case.folder / "in")
    done = case.run("paths.analysis_dir", folder, "--output-dir", case.output)
    assert done.report["books_total"] == 3


def test_paths_output_dir(case: Case) -> None:
    """paths.output_dir is used where the flag is absent."""
    case.run("paths.output_dir", str(case.output), "--analysis-dir", case.folder / "in")
    assert len(results(case.output)) == len(RESULTS)


def test_flags_win_over_paths(case: Case) -> None:
    """A flag wins over the setting of the same folder."""
    flags: list[str | Path] = ["--analysis-dir", case.folder / "in", "--output-dir", case.output]
    assert case.run("paths.analysis_dir", "/no/such", *flags).code == 0


def test_logging_level(case: Case) -> None:
    """logging.level decides what is shown."""
    assert "checkpoint" not in case.run("logging.level", "ERROR").err
    assert "INFO milepost" in case.run("logging.level", "INFO").err
    assert "DEBUG" in case.run("logging.level", "DEBUG", "--analysis-dir", case.folder / "in",
                               "--output-dir", case.output, "--fresh").err  # fmt: skip


def test_logging_file(case: Case) -> None:
    """logging.file also takes the messages, and a relative one begins at the output folder."""
    config = case.folder / "log.yaml"
    config.write_text("logging:\n  level: INFO\n  file: logs/run.log\n")
    where: list[str | Path] = ["--analysis-dir", case.folder / "in", "--output-dir", case.output]
    booksynth("phase-3", "--config", config, *where)
    assert "INFO milepost" in (case.output / "logs" / "run.log").read_text()


def test_log_file_cannot_be_opened(case: Case) -> None:
    """A log file that cannot be opened exits 74 and names it."""
    done = case.run("logging.file", str(case.folder / "in"))
    assert done.code == 74
    assert "log file" in done.err


def test_environment_wins(case: Case) -> None:
    """A variable wins over the file."""
    env = {"BOOKSYNTH_PHASES__PHASE_3__MIN_CONFIDENCE": "0.0"}
    case.run("phases.phase_3.min_confidence", 0.6, env=env)
    assert len(case.titles()) == 2


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("checkpoint.ttl_hours", 5, "changed.yaml:1:1: checkpoint: unknown key; did you mean"),
        ("phases.phase_3.min_confidense", 5, ":3:5: phases.phase_3.min_confidense: unknown key; did"),
        ("phases.phase_3.min_confidence", 5, ":3:5: phases.phase_3.min_confidence: Input should be"),
        ("logging.level", "loud", ":2:3: logging.level: Input should be 'DEBUG'"),
    ],
)
def test_wrong_setting(case: Case, path: str, value: Any, expected: str) -> None:
    """A wrong setting exits 2 with file, line, key and the nearest valid name."""
    done = case.run(path, value)
    assert done.code == 2
    assert expected in done.err
    assert "Traceback" not in done.err
    assert not case.output.exists()


def test_every_setting_has_its_test() -> None:
    """No setting is without a test that is named after it."""
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*settings.py"))
    for path in leaves(Settings):
        if path.startswith("cost_limits."):
            assert f'"{path.removeprefix("cost_limits.")}"' in tests, path  # one test, of all of them
            continue
        parts = path.replace("phases.phase_3.", "").split(".")
        assert f"def test_{'_'.join(parts)}(" in tests, path
