"""A job that is stopped with SIGSTOP for longer than its lease, superseded, and woken up again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.postgres import Server
from tests.support.s3 import CREDENTIALS, S3Server

JOB = """
import sys, time
import milepost
from milepost.errors import Fenced

url, slow = sys.argv[1], float(sys.argv[2])
try:
    with milepost.Phase("work", store=url, lease_seconds=1) as phase:
        for item in phase.each([str(number) for number in range(8)]):
            print("at", item, flush=True)
            time.sleep(slow if item == "3" else 0)
            phase.record(item * 3)
            print("kept", item, flush=True)
        print("result", phase.complete(lambda results: "".join(results.values()), phase.results()), flush=True)
except Fenced as error:
    print("fenced:", error, flush=True)
    sys.exit(9)
"""
RESULT = "result " + "".join(str(number) * 3 for number in range(8))


def _sqlite(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'a.db'}"


def _postgresql(request: pytest.FixtureRequest, _: Path) -> str:
    server: Server = request.getfixturevalue("postgres")
    return server.fresh()


def _s3(request: pytest.FixtureRequest, _: Path) -> str:
    server: S3Server = request.getfixturevalue("moto")
    return server.fresh()


@pytest.mark.parametrize("place", [_sqlite, _postgresql, _s3])
def test_a_writer_that_slept_is_refused(
    place: Callable[[pytest.FixtureRequest, Path], str], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Who was asleep longer than its lease is told so in words when it wakes, and no record is lost or there twice."""
    url = place(request, tmp_path)
    (tmp_path / "job.py").write_text(JOB)

    def start(slow: float) -> subprocess.Popen[str]:
        words = [sys.executable, "job.py", url, str(slow)]
        return subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=os.environ | CREDENTIALS)

    asleep = start(4.0)
    assert asleep.stdout is not None
    before = []
    for line in asleep.stdout:
        before.append(line.strip())
        if line == "at 3\n":
            break
    asleep.send_signal(signal.SIGSTOP)
    time.sleep(1.2)
    awake = start(0.0)
    told, _ = awake.communicate(timeout=60)
    asleep.send_signal(signal.SIGCONT)
    late, _ = asleep.communicate(timeout=60)
    assert awake.returncode == 0
    assert told.splitlines()[-1] == RESULT
    assert told.splitlines()[0] == f"at {sum(line.startswith('kept') for line in before)}"
    assert asleep.returncode == 9
    assert "kept" not in late
    assert "took this run over" in late
