"""The laws of the command that scores the merging."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from apps.booksynth.tests import support
from apps.booksynth.tests.support import booksynth, record, tracker
from booksynth.evaluate import label_of, read_labels
from booksynth.request import InputError

CACHE = record("Cache the index", description="Keep the index in memory.")
ALIKE = record("Cache the index!", description="Hold it.")
OTHER = record("Rotate the keys", description="Change secrets often.", technical_details="")
LINE = {"a": "0" * 16, "b": "1" * 16, "same": 1, "weight": 2.5}


def label(one: dict[str, Any], other: dict[str, Any], same: int, weight: float) -> str:
    return json.dumps({"a": label_of(one), "b": label_of(other), "same": same, "weight": weight})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    support.write(tmp_path / "in", "a", tracker("A", {"critical": [CACHE, OTHER]}))
    support.write(tmp_path / "in", "b", tracker("B", {"critical": [ALIKE]}))
    return tmp_path


def evaluate(folder: Path, *labels: str) -> support.Done:
    (folder / "labels.jsonl").write_text("\n".join(labels) + "\n")
    return booksynth("evaluate", "--labels", folder / "labels.jsonl", "--analysis-dir", folder / "in", "--json")


def test_score(folder: Path) -> None:
    """Precision and recall go by the weights of the pairs, and pairs that are not in the folder are counted apart."""
    done = evaluate(
        folder,
        label(CACHE, ALIKE, 1, 6),
        label(ALIKE, CACHE, 0, 2),
        label(CACHE, OTHER, 1, 4),
        label(ALIKE, OTHER, 0, 100),
        label(CACHE, record("Nowhere"), 1, 7),
    )
    assert done.code == 0
    assert done.report == {
        "precision": 0.75,
        "recall": 0.6,
        "f1": 0.666667,
        "pairs": 5,
        "used": 4,
        "left_out": 1,
        "true_positive": 6,
        "false_positive": 2,
        "false_negative": 4,
        "true_negative": 100,
    }


def test_nothing_to_take_a_share_of(folder: Path) -> None:
    """Where no judged pair is in the folder the score is null, and never a made-up number."""
    report = evaluate(folder, label(CACHE, record("Nowhere"), 1, 7)).report
    assert (report["precision"], report["recall"], report["f1"], report["left_out"]) == (None, None, None, 1)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{", "line 2: the line: Invalid JSON"),
        ('"x"', "line 2: the line: Input should be"),
        (json.dumps({**LINE, "same": 2}), "line 2: same: Input should be 0 or 1"),
        (json.dumps({**LINE, "a": "xyz"}), "line 2: a: "),
        (json.dumps({**LINE, "weight": 0}), "line 2: weight: "),
        (json.dumps({**LINE, "weight": float("nan")}), "line 2: weight: "),
        (json.dumps({name: LINE[name] for name in ("a", "b")}), "line 2: same: Field required"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, expected: str) -> None:
    """A line that is no label is refused with its number and what is wrong with it."""
    path = tmp_path / "labels.jsonl"
    path.write_text(f"{json.dumps(LINE)}\n{line}\n")
    with pytest.raises(InputError, match=expected):
        read_labels(path)


@pytest.mark.parametrize(
    ("data", "expected"),
    [(None, "cannot be read"), (b"\xff\n", "not UTF-8"), (b"\n\n", "no label in")],
)
def test_unusable_labels(folder: Path, data: bytes | None, expected: str) -> None:
    """Labels that cannot be read at all end the command with exit code 2 and a reason."""
    path = folder / "labels.jsonl"
    if data is not None:
        path.write_bytes(data)
    done = booksynth("evaluate", "--labels", path, "--analysis-dir", folder / "in")
    assert done.code == 2
    assert expected in done.err
    assert "Traceback" not in done.err


def test_for_people_and_with_a_bad_file(folder: Path) -> None:
    """Without --json the score is told in words; a file that cannot be used is named and stops nothing."""
    support.write(folder / "in", "c", "{")
    (folder / "labels.jsonl").write_text(label(CACHE, ALIKE, 1, 6))
    done = booksynth("evaluate", "--labels", folder / "labels.jsonl", "--analysis-dir", folder / "in")
    assert "precision  100.0%" in done.out
    assert "c_convergence_tracker.json" in done.err
    missing = booksynth("evaluate", "--labels", folder / "labels.jsonl", "--analysis-dir", folder / "no")
    assert missing.code == 2
