"""The whole phase over real trackers, where they are at hand."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from apps.booksynth.tests import support
from apps.booksynth.tests.support import booksynth, phase_3, results

LABELS = Path(__file__).parents[4] / "shared" / "data" / "labels.jsonl"
TRACKERS = Path(__file__).parents[4] / "shared" / "data" / "trackers"

pytestmark = pytest.mark.skipif(
    not TRACKERS.is_dir(), reason="the real trackers (../shared/data/trackers) are not here"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[support.Done, Path]:
    output = tmp_path_factory.mktemp("real")
    return phase_3(TRACKERS, output), output


def test_counts(run: tuple[support.Done, Path]) -> None:
    """The counts are those that were measured on the files by other means."""
    done, output = run
    assert done.code == 0
    document = json.loads(results(output)[support.RESULTS[0]])
    totals = document["totals"]
    assert totals["files"] == 36
    assert totals["books"] == 26
    assert totals["books_with_content"] == 18
    # 3,939 in all files; two pairs of files say the same, and count once.
    assert totals["raw"] == 3939 - 345 - 405
    assert totals["unique"] == 1257
    # Equal titles alone leave 1,079, of which 59 stand in several books.
    assert 550 < totals["recommendations"] < 750
    assert totals["in_several_books"] > 90
    assert 80 < totals["themes"] < 200


def test_what_is_reported(run: tuple[support.Done, Path]) -> None:
    """Stubs and files with the same content are reported, and nothing else is wrong."""
    done, _ = run
    codes = Counter(problem["code"] for problem in done.report["problems"])
    assert codes == {"stub": 16, "identical": 2}


def records() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for path in TRACKERS.glob("*_convergence_tracker.json"):
        for iteration in json.loads(path.read_bytes())["iterations"]:
            for bucket in iteration["recommendations"].values():
                found.setdefault(path.name, []).extend(bucket)
    return found


def test_every_record_is_a_source(run: tuple[support.Done, Path]) -> None:
    """Every recommendation of every file is a source, with its words kept as they were."""
    _, output = run
    document = json.loads(results(output)[support.RESULTS[0]])
    counted: Counter[tuple[str, str]] = Counter()
    for entry in document["recommendations"]:
        for source in entry["sources"]:
            counted[source["file"], source["title"]] += len(source["iterations"])
    expected = Counter((file, one["title"]) for file, some in records().items() for one in some)
    # A list may hold the same record twice within one iteration: that is one place of it.
    assert set(counted) == set(expected)
    assert all(counted[key] <= expected[key] for key in expected)
    texts = {
        json.dumps(variant["fields"], sort_keys=True)
        for entry in document["recommendations"]
        for variant in entry["variants"]
    }
    assert texts == {json.dumps(one, sort_keys=True) for some in records().values() for one in some}


def test_killed_and_resumed(run: tuple[support.Done, Path], tmp_path: Path) -> None:
    """Killed half way over the real books and resumed, the results are the same bytes."""
    _, output = run
    phase_3(TRACKERS, tmp_path / "out", stop_at=20)
    again = phase_3(TRACKERS, tmp_path / "out")
    assert again.report["books_restored"] == 19
    assert len(again.opened) == again.report["books_read"] == 17
    assert results(tmp_path / "out") == results(output)


def test_as_judged(run: tuple[support.Done, Path]) -> None:
    """By pairs that a person judged, at least 0.90 of what is merged should be, and at least 0.60 of what should is."""
    score = json.loads(booksynth("evaluate", "--labels", LABELS, "--analysis-dir", TRACKERS, "--json").out)
    assert score["left_out"] == 0
    assert score["precision"] >= 0.9
    assert score["recall"] >= 0.6


@pytest.mark.soak
def test_as_judged_with_the_model(tmp_path: Path) -> None:
    """With the model, by the same pairs and threshold, precision is at least 0.90 and recall at least 0.75."""
    env = {"BOOKSYNTH_PHASES__PHASE_3__MATCHING": "embeddings"}
    score = json.loads(booksynth("evaluate", "--labels", LABELS, "--analysis-dir", TRACKERS, "--json", env=env).out)
    assert score["precision"] >= 0.9
    assert score["recall"] >= 0.75


def test_threshold_takes_no_source_away(run: tuple[support.Done, Path], tmp_path: Path) -> None:
    """At 1.0 only equal titles are one, and every source is still there."""
    _, output = run
    env = {"BOOKSYNTH_PHASES__PHASE_3__SIMILARITY_THRESHOLD": "1.0"}
    done = phase_3(TRACKERS, tmp_path / "out", env=env)
    assert done.report["totals"]["recommendations"] == 1079
    assert done.report["totals"]["in_several_books"] == 59
    count = {}
    for name, folder in (("alike", output), ("equal", tmp_path / "out")):
        document = json.loads(results(folder)[support.RESULTS[0]])
        count[name] = sum(len(entry["sources"]) for entry in document["recommendations"])
    assert count["equal"] == count["alike"]


def test_both_ways_agree(run: tuple[support.Done, Path], tmp_path: Path) -> None:
    """The workflow over the real trackers gives the bytes of `phase-3`, and a plan for each recommendation."""
    _, output = run
    done = support.run(TRACKERS, tmp_path / "out")
    assert done.code == 0
    assert results(tmp_path / "out") == results(output)
    assert done.report["plans"] == len(list((tmp_path / "out" / "plans").glob("*/PLAN.md")))
