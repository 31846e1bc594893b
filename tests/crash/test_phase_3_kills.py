"""The main job, really killed: at every operation that changes the disk, and at random moments."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from apps.booksynth.tests import support

KILLED = -signal.SIGKILL
BOOKS = 5
MANY_BOOKS = 12
RANDOM_KILLS = 100
COMMAND_KILLS = 12
SOAK_KILLS = 10_000


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a few books, old enough to be known by their signatures."""
    folder = tmp_path_factory.mktemp("shelf")
    _write_books(folder, BOOKS, recommendations=4)
    time.sleep(2.1)
    return folder


def _write_books(folder: Path, books: int, recommendations: int) -> None:
    for n in range(books):
        records = [support.record(f"Advice {i} of {n // 2}", description="why " * 20) for i in range(recommendations)]
        support.write(folder, f"book_{n:02d}", support.tracker(f"Book {n}", {"important": records}, {"critical": []}))


class Runs:
    """Phase 3, run again and again in forked children of one prepared process."""

    def __init__(self, process: subprocess.Popen[str], shelf: Path, folder: Path) -> None:
        self._process = process
        self._shelf = shelf
        self._log = folder / "opened"

    def __call__(self, output: Path, kill: tuple[int, str] | float | None = None) -> tuple[int, list[str]]:
        """Run to the end or to the kill; return the exit code and which trackers were opened, in order."""
        self._log.unlink(missing_ok=True)
        arguments = ["phase-3", "--analysis-dir", str(self._shelf), "--output-dir", str(output), "--json"]
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"arguments": arguments, "log": str(self._log), "kill": kill}) + "\n")
        self._process.stdin.flush()
        code = json.loads(self._process.stdout.readline())["code"]
        return code, self._log.read_text().splitlines() if self._log.exists() else []


@contextmanager
def _prepared(shelf: Path, folder: Path) -> Iterator[Runs]:
    server = Path(__file__).with_name("killed_phase_3.py")
    with subprocess.Popen(
        [sys.executable, str(server)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Runs(process, shelf, folder)
        assert process.stdin
        process.stdin.close()


def _results(output: Path) -> list[bytes]:
    return [(output / name).read_bytes() for name in support.RESULTS]


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_operation_the_run_goes_on_where_it_stood(shelf: Path, tmp_path: Path, when: str) -> None:
    """Killed at any operation and run again, phase 3 gives the uninterrupted bytes and reads no finished book again."""
    with _prepared(shelf, tmp_path) as run:
        code, opened = run(tmp_path / "whole")
        assert code == 0
        assert len(opened) == BOOKS
        whole = _results(tmp_path / "whole")
        kills = 0
        for n in range(1, 1000):
            output = tmp_path / "killed"
            code, before = run(output, (n, when))
            if code == 0:
                break
            assert code == KILLED
            kills += 1
            code, after = run(output)
            assert code == 0
            assert _results(output) == whole
            finished = before[:-1]  # the next book is opened only when the one before it is saved
            assert not set(finished) & set(after), f"killed {when} operation {n}"
            assert len(before) + len(after) <= BOOKS + 1
            shutil.rmtree(output)
    assert kills > 3 * BOOKS


def assert_survives_random_kills(shelf: Path, tmp_path: Path, kills: int, seed: int) -> None:
    """Kill forked runs from outside at random moments, over and over, until *kills* of them died."""
    moments = random.Random(seed)
    with _prepared(shelf, tmp_path) as run:
        begun = time.monotonic()
        assert run(tmp_path / "whole")[0] == 0
        longest = time.monotonic() - begun
        expected = _results(tmp_path / "whole")
        output = tmp_path / "killed"
        landed, restored = 0, 0
        while landed < kills:
            code, opened = run(output, moments.uniform(0, longest))
            restored += code == 0 and len(opened) < MANY_BOOKS
            if code == KILLED:
                landed += 1
                if moments.random() < 0.7:
                    continue  # killed again where it stands
                code, opened = run(output)
                assert code == 0
                restored += 0 < len(opened) < MANY_BOOKS
            assert _results(output) == expected
            shutil.rmtree(output)
        assert restored > kills // 20, "too few kills came in the middle of the work"


@pytest.fixture(scope="module")
def large_shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return enough books that a run takes a while."""
    folder = tmp_path_factory.mktemp("large")
    _write_books(folder, MANY_BOOKS, recommendations=10)
    time.sleep(2.1)
    return folder


@pytest.mark.timeout(300)
def test_killed_at_random_moments_the_result_is_the_same(large_shelf: Path, tmp_path: Path) -> None:
    """However often a real SIGKILL ends it at random moments, the run in the end gives the uninterrupted bytes."""
    assert_survives_random_kills(large_shelf, tmp_path, RANDOM_KILLS, seed=random.SystemRandom().randrange(2**32))


@pytest.mark.timeout(300)
def test_the_command_itself_killed_at_random_moments_goes_on(large_shelf: Path, tmp_path: Path) -> None:
    """The command as a person starts it, killed at random moments, in the end gives the uninterrupted bytes."""
    output = tmp_path / "killed"
    begun = time.monotonic()
    assert support.phase_3(large_shelf, tmp_path / "whole").code == 0
    longest = time.monotonic() - begun
    command = [sys.executable, "-m", "booksynth", "phase-3", "--analysis-dir", str(large_shelf)]
    codes = []
    for _ in range(COMMAND_KILLS):
        with subprocess.Popen(
            [*command, "--output-dir", str(output)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(longest * random.uniform(0.4, 1.0))
            process.kill()
        codes.append(process.returncode)
    assert KILLED in codes
    done = support.phase_3(large_shelf, output)
    assert done.code == 0
    assert _results(output) == _results(tmp_path / "whole")


@pytest.mark.soak
@pytest.mark.timeout(6 * 3600)
def test_killed_thousands_of_times_the_result_is_the_same(large_shelf: Path, tmp_path: Path) -> None:
    """Ten thousand real kills at random moments lose nothing."""
    assert_survives_random_kills(large_shelf, tmp_path, SOAK_KILLS, seed=int(os.environ.get("MILEPOST_SEED", "1")))
