"""booksynth's phase 2 on a Dask cluster, recorded in PostgreSQL, while workers and the coordinator are killed."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import milepost
from milepost.errors import InvalidArgument
from tests.support.postgres import Server, free_port

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "apps" / "booksynth" / "examples" / "cluster.py"
BOOKS = 24


@contextmanager
def _running(*words: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as told:
        process = subprocess.Popen(words, stdout=told, stderr=told, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Cluster:
    """A scheduler and two workers, each a process of its own; a killed worker is started again."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        """Start them."""
        self._stack, self._folder = stack, folder
        port = free_port()
        self.address = f"tcp://127.0.0.1:{port}"
        words = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
        stack.enter_context(
            _running(sys.executable, "-m", "distributed.cli.dask_scheduler", *words, log=folder / "s.log")
        )
        self.workers = [self._worker(), self._worker()]

    def _worker(self) -> subprocess.Popen[bytes]:
        words = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self._folder))
        program = (sys.executable, "-m", "distributed.cli.dask_worker", self.address, *words, "--host", "127.0.0.1")
        return self._stack.enter_context(_running(*program, log=self._folder / "w.log"))

    def kill_one(self, chance: random.Random) -> None:
        """Kill a worker, and start another in its place."""
        place = chance.randrange(2)
        self.workers[place].kill()
        self.workers[place].wait()
        self.workers[place] = self._worker()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Run a cluster."""
    with ExitStack() as stack:
        yield Cluster(stack, tmp_path)


def _shelf(folder: Path) -> Path:
    shelf = folder / "shelf"
    shelf.mkdir()
    for number in range(BOOKS):
        lines = [f"# Chapter {part}\n\nYou should write test {number} before part {part}.\n" for part in range(3)]
        (shelf / f"Book_{number:02d}.md").write_text(f"# Book {number}\n\n" + "\n".join(lines))
    return shelf


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _recorded(store: str) -> int:
    """Return how many books are recorded, looked at from outside."""
    try:
        return len(milepost.open("phase_2", store=store).results())
    except InvalidArgument:
        return 0


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kills", [3, pytest.param(60, marks=[pytest.mark.soak, pytest.mark.timeout(0)])])
def test_whoever_is_killed_the_analyses_are_the_same(
    cluster: Cluster, postgres: Server, tmp_path: Path, kills: int
) -> None:
    """However often workers and the coordinator die, the files are those of an undisturbed run."""
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    chance, shelf = random.Random(seed), _shelf(tmp_path)

    def words(name: str, store: str, seconds: float) -> list[str]:
        return [sys.executable, str(SCRIPT), str(shelf), str(tmp_path / name), cluster.address, store, str(seconds)]

    subprocess.run(words("undisturbed", postgres.fresh(), 0.0), check=True, timeout=120, capture_output=True)
    store = postgres.fresh()
    for _ in range(kills):
        coordinator = subprocess.Popen(
            words("killed", store, 0.25), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        before, until = _recorded(store), time.monotonic() + 60
        while _recorded(store) == before < BOOKS and time.monotonic() < until:
            time.sleep(0.05)
        cluster.kill_one(chance)
        time.sleep(chance.uniform(0.0, 0.8))
        coordinator.send_signal(signal.SIGKILL)
        coordinator.wait()
    assert _recorded(store) > 0  # the kills came in the middle
    done = subprocess.run(words("killed", store, 0.25), timeout=120, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(rf"{BOOKS} books read", done.stdout)
    assert _files(tmp_path / "killed") == _files(tmp_path / "undisturbed")
    assert len(_files(tmp_path / "killed")) == BOOKS
