"""Looking at a store while a job writes it: no false alarm, nothing in the job's way, and archives that are whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import milepost
from tests.support.commands import run

JOB = """
import sys, time
import milepost

root = sys.argv[1]
with milepost.CheckpointManager("states", root, max_checkpoints=2) as manager, \\
        milepost.Phase("items", store=root) as phase:
    for number, item in enumerate(phase.each(str(number) for number in range(100_000))):
        phase.record({"number": number})
        manager.save_checkpoint(number, {"numbers": list(range(number % 50))}, force=number % 3 == 0)
        time.sleep(0.005)  # else no look could be over before what it found first is deleted
        if number == 20:
            print("under way", flush=True)
"""


def test_commands_beside_a_job_see_whole_runs(tmp_path: Path) -> None:
    """Beside a job that records, saves and deletes, every look finds an intact run, and an archive is a whole prefix."""
    root, there = tmp_path / "store", tmp_path / "there"
    with subprocess.Popen([sys.executable, "-c", JOB, root], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "under way\n"
            kept = tmp_path / "witness.txt"
            kept.write_text(run("verify", "--dir", root).out)
            exported = 0
            for _ in range(5):
                assert run("verify", "--dir", root, "--witness", kept).err == "2 of 2 runs are intact.\n"
                assert run("list", "--dir", root).code == 0
                assert run("show", "states", ".iteration", "--dir", root).json > 0
                assert run("show", "items", "--item", "7", "--dir", root).json["value"] == {"number": 7}
                left = run("export", "--all", "-o", tmp_path / "a.tar", "--dir", root, code=None)
                assert left.code == 0 or "run the same command again" in left.err
                exported += left.code == 0
            assert run("fork", "items", "--from-item", "5", "--dir", root, code=75).err
            assert process.poll() is None, "the job was in nobody's way"
        finally:
            process.kill()
    assert exported
    run("import", tmp_path / "a.tar", "--dir", there)
    with milepost.open("items", store=root) as mine, milepost.open("items", store=there) as theirs:
        copied = list(theirs.results())
        assert copied == list(mine.results())[: len(copied)]
    assert run("verify", "--dir", there).code == 0
