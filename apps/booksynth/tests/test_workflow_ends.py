"""The laws of how a run of the workflow ends where it cannot go on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import milepost
from apps.booksynth.tests.support import run

SHELF = Path(__file__).parents[1] / "examples" / "shelf"


def test_another_process_is_at_it(output: Path) -> None:
    """While another process holds a phase the run exits 75 and names the holder."""
    with milepost.Phase("phase_2", store=output / "checkpoints"):
        done = run(SHELF, output)
    assert done.code == 75
    assert f"process {os.getpid()}" in done.err
    assert run(SHELF, output).code == 0


def test_the_output_cannot_be_made(tmp_path: Path) -> None:
    """An output folder that is a file exits 74, says so, and leaves the file as it is."""
    (tmp_path / "file").write_text("x")
    done = run(SHELF, tmp_path / "file")
    assert done.code == 74
    assert str(tmp_path / "file") in done.err
    assert "Traceback" not in done.err
    assert (tmp_path / "file").read_text() == "x"


def test_the_reader_leaves(output: Path) -> None:
    """A reader who leaves ends the run with 141 and no complaint, and the next run goes on."""
    command = [sys.executable, "-m", "booksynth", "run", "--shelf-dir", str(SHELF), "--output-dir", str(output)]
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, check=False)
    os.close(theirs)
    assert done.returncode == 141
    assert done.stderr == b""
    assert run(SHELF, output).code == 0


def test_a_log_file(output: Path, tmp_path: Path) -> None:
    """logging.file takes the messages of the workflow, a relative one in the output folder, but not in a dry run."""
    config = tmp_path / "log.yaml"
    config.write_text("logging: {level: DEBUG, file: logs/run.log}\n")
    assert run(SHELF, output, "--config", config, "--dry-run").code == 0
    assert not output.exists()
    assert run(SHELF, output, "--config", config).code == 0
    assert (output / "logs" / "run.log").exists()


def test_started_from_another_folder(tmp_path: Path) -> None:
    """A relative output folder is the same one wherever the next run is started from."""
    command = [sys.executable, "-m", "booksynth", "run", "--shelf-dir", str(SHELF), "--json", "--output-dir"]
    subprocess.run([*command, "out"], cwd=tmp_path, check=True, capture_output=True)
    again = run(SHELF, tmp_path / "out")
    assert {told["state"] for told in again.report["phases"].values()} == {"reused"}


def test_a_moved_output_folder(tmp_path: Path) -> None:
    """After the output folder was moved, a run says so without a traceback, and --fresh goes on."""
    run(SHELF, tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    done = run(SHELF, tmp_path / "there")
    assert done.code == 0 or (done.code == 2 and "With --fresh" in done.err)
    assert "Traceback" not in done.err
    assert run(SHELF, tmp_path / "there", "--fresh").code == 0
    assert run(SHELF, tmp_path / "there").code == 0
