"""Jobs in processes of their own, killed and gone on with, on a database file and on a server; nothing is told twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import milepost
from milepost import upkeep
from milepost.run.place import VARIABLE
from tests.support.commands import ITEMS, job, managed, run

if TYPE_CHECKING:
    from tests.support.postgres import Server

WORKFLOW = """
import pathlib, sys, time
import milepost

HERE = pathlib.Path(__file__).parent
workflow = milepost.Workflow("letters", store=HERE / "checkpoints")

@workflow.phase(items=["a", "b", "c", "d", "e", "f"])
def read(phase, letters, *, config):
    for letter in phase.each(letters):
        with open(HERE / "log.txt", "a") as log:
            log.write(letter + "\\n")
        phase.record(letter.upper())
        if letter == "c" and not (HERE / "again").exists():
            (HERE / "stands").touch()
            time.sleep(60)
    return dict(phase.results())

@workflow.phase(after="read")
def join(phase, results, *, config):
    milepost.write_durably(HERE / "out.txt", "".join(results.values()).encode())
    return len(results)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty store that several processes can open."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/kept.db"
    server: Server = request.getfixturevalue("postgres")
    return server.fresh()


def test_a_workflow_that_was_killed_is_carried_on(tmp_path: Path, url: str) -> None:
    """SIGKILL in the middle of an item: the next process goes on at once, runs nothing again, and gives the output."""
    (tmp_path / "letters_job.py").write_text(WORKFLOW)
    command = [sys.executable, "-m", "milepost.cli", "run", "letters_job.py:workflow", "--quiet"]
    environment = {**os.environ, VARIABLE: url}
    first = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _wait(lambda: (tmp_path / "stands").exists() or first.poll() is not None)
    assert [one["state"] for one in run("status", "read", "--store", url, "--json").json] == ["running"]
    assert run("clear", "read", "--yes", "--store", url, code=75).err
    first.send_signal(signal.SIGKILL)
    first.communicate()
    (tmp_path / "again").touch()
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.txt").read_text() == "ABCDEF"
    assert (tmp_path / "log.txt").read_text().split() == ["a", "b", "c", "d", "e", "f"]
    assert not (tmp_path / "checkpoints").exists()
    assert run("verify", "--store", url).code == 0


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not until() and time.monotonic() < end:
        time.sleep(0.02)


def test_a_copy_that_was_killed_goes_on(tmp_path: Path, url: str) -> None:
    """SIGKILL at any moment of a copy: the same command finishes, and verify finds the very records there."""
    many = [f"{number:05d}" for number in range(3000)]
    job(tmp_path / "here", items=many)
    managed(tmp_path / "here")
    command = [sys.executable, "-m", "milepost.cli", "copy", str(tmp_path / "here"), url]
    for seconds in (0.9, 1.3):
        copying = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(seconds)
        copying.kill()
        copying.communicate()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    witness = tmp_path / "witness"
    witness.write_text(run("verify", "--dir", tmp_path / "here").out)
    assert run("verify", "--store", url, "--witness", witness).code == 0
    with milepost.open("items", store=url) as reader:
        assert list(reader.results()) == many


def test_runs_move_between_machines_stores_and_back(tmp_path: Path, postgres: Server) -> None:
    """From a folder to a server, to a database file, and to a folder again: each job goes on where it stands."""
    places = [str(tmp_path / "here"), postgres.fresh(), f"sqlite:///{tmp_path}/there.db", str(tmp_path / "back")]
    managed(places[0])
    for source, target, item in zip(places, places[1:], ITEMS, strict=False):
        job(source, items=[item], complete=False)
        upkeep.copy_runs(source, target, ["items", "states"])
        assert job(target, items=[item], complete=False) == []
    latest = milepost.CheckpointManager("states", places[-1]).get_latest_checkpoint()
    assert latest is not None
    assert latest["state"] == {"books": [0, 1, 2, 3], "pair": (1, 2)}


def test_no_command_prints_a_password(tmp_path: Path, postgres: Server) -> None:
    """Whatever a command prints about a store whose URL has a password, that is not in it."""
    url = postgres.fresh(timeout_seconds="1").replace("owner@", "owner:hush-hush@")
    (tmp_path / "letters_job.py").write_text(WORKFLOW)
    (tmp_path / "again").touch()
    target = f"{tmp_path}/letters_job.py:workflow"
    told = [
        run("run", target, "--store", url),
        run("plan", target, "--store", url),
        run("list", "--store", url, "--json"),
        run("show", "none", "--store", url, code=None),
        run("verify", "none", "--store", url, code=None),
        run("copy", url, tmp_path / "folder"),
        run("copy", url, url.replace("owner:", "nobody-here:"), code=None),
        run("clear", "read", "--store", url, code=None),
        run("list", "--store", url.replace("127.0.0.1", "127.0.0.1:1").replace(f":{postgres.port}", "", 1), code=None),
    ]
    command = [sys.executable, "-m", "milepost.cli", "run", target, "--store", url, "--fresh"]
    (tmp_path / "again").unlink()
    (tmp_path / "stands").unlink(missing_ok=True)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _wait(lambda: (tmp_path / "stands").exists() or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert "--store" in err
    everything = [text for one in told for text in (one.out, one.err)] + [out, err]
    assert [text for text in everything if "hush" in text] == []
