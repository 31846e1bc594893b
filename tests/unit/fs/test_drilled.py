"""The drill's hand in a job's processes: what counts as a commit, and what a strike does."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from milepost.events import Event, EventKind
from milepost.fs import new_file
from milepost.fs.drilled import COMMITS, EVENTS, FIRST_PAGE_BYTES, PLAN, STRUCK, Drilled, Plan, listener
from milepost.stores.segment import HEAD_BYTES
from milepost.testing import SimulatedDisk

JOURNAL = "journal_000001.jsonl"


@pytest.fixture
def control(tmp_path: Path) -> Path:
    """Return a control folder whose plan is to do nothing."""
    planned(tmp_path)
    return tmp_path


def planned(control: Path, **plan: object) -> Drilled:
    """Write a plan down and return the filesystem of a process that follows it, with a folder /data."""
    (control / PLAN).write_text(json.dumps(Plan(**plan)._asdict()))  # type: ignore[arg-type]
    return Drilled(SimulatedDisk(("/data",)), control)


def commits(control: Path) -> list[tuple[int, str, str]]:
    """Return number, verb and file of each commit that was noted."""
    lines = [json.loads(line) for line in (control / COMMITS).read_text().splitlines()]
    return [(line["commit"], line["verb"], line["file"]) for line in lines]


def test_records_and_documents_are_commits_and_nothing_else(control: Path) -> None:
    """A write of records, a rename and a link are commits; a first page, padding and other files are none."""
    files = planned(control)
    folder = files.open_path("/data")
    journal = files.open_file(folder, JOURNAL, "create")
    files.write(journal, b'{"kind":"segment"}', 0)
    files.write(journal, b"\n" * 100, FIRST_PAGE_BYTES)
    files.write(journal, b'{"n":1}\n', FIRST_PAGE_BYTES)
    files.sync_data(journal)
    other = files.open_file(folder, "lock", "lock")
    files.write(other, b"x" * 10, FIRST_PAGE_BYTES)
    new_file(files, folder, "run.json", b"{}", replace=True)
    new_file(files, folder, "new.json", b"{}", replace=False)
    assert commits(control) == [(1, "write", JOURNAL), (2, "rename", "run.json"), (3, "link", "new.json")]


def test_records_begin_behind_the_first_page() -> None:
    """Where the agent takes records to begin is where the store puts them."""
    assert FIRST_PAGE_BYTES == HEAD_BYTES


@pytest.mark.parametrize(("when", "there"), [("before", ["a"]), ("after", ["a", "b"])])
def test_a_full_disk_stays_full(control: Path, when: str, there: list[str]) -> None:
    """From its commit on a full disk refuses all that needs space, and what is freed or read goes on."""
    files = planned(control, at=2, when=when, fault="enospc")
    folder = files.open_path("/data")
    new_file(files, folder, "a", b"a", replace=True)
    for name in ("b", "c"):
        with pytest.raises(OSError, match="No space") as refused:
            new_file(files, folder, name, b"b", replace=True)
        assert refused.value.errno == errno.ENOSPC
    assert sorted(files.names(folder)) == there
    files.unlink(folder, "a")
    assert json.loads((control / STRUCK).read_text())["commit"] == 2


JOB = """
import os, sys
from milepost.fs import current, new_file
files = current()
child = os.fork() if sys.argv[1] == "fork" else None
folder = files.open_path(".")
for number in range(20):
    new_file(files, folder, f"{os.getpid()} {number}", b"x", replace=True)
if child:
    os.waitpid(child, 0)
"""


def started(control: Path, folder: Path, word: str) -> subprocess.Popen[bytes]:
    """Start a process that commits twenty times, perhaps with a child that does so too."""
    folder.mkdir(exist_ok=True)
    variables = os.environ | {"MILEPOST_DRILL": str(control)}
    return subprocess.Popen([sys.executable, "-c", JOB, word], cwd=folder, env=variables)


def test_commits_are_counted_over_all_processes(control: Path, tmp_path: Path) -> None:
    """Processes that were started and forked side by side count in one order, without a gap."""
    with started(control, tmp_path / "job", "fork") as one, started(control, tmp_path / "job", "alone") as two:
        assert (one.wait(), two.wait()) == (0, 0)
    counted = commits(control)
    pids = {json.loads(line)["pid"] for line in (control / COMMITS).read_text().splitlines()}
    assert [number for number, _, _ in counted] == list(range(1, 61))
    assert len(pids) == 3


def test_a_kill_hits_one_process_only(control: Path, tmp_path: Path) -> None:
    """The process that makes the commit is killed, and nobody else."""
    planned(control, at=5, when="after", fault="kill")
    with started(control, tmp_path / "job", "alone") as one:
        assert one.wait() == -9
    assert len(commits(control)) == 5
    with started(control, tmp_path / "job", "alone") as two:
        assert two.wait() == 0


def test_a_child_is_not_held_up_by_a_thread_of_its_parent(control: Path) -> None:
    """A child that was forked while another thread was inside the filesystem works on by itself."""
    files = planned(control)
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with files._turn:
            inside.set()
            leave.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait()
    child = os.fork()
    if child == 0:
        files.open_path("/data")
        os._exit(7)
    leave.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_events_are_noted_line_by_line(control: Path) -> None:
    """Each event is one line with what a drill asks for."""
    tell = listener(control)
    tell(Event(EventKind.SENT, "p", 1.0, attempt=2, key="c", call_id="i", cost_usd=0.03))
    tell(Event(EventKind.STARTED, "p", 2.0, key="a", loop="l"))
    first, second = (json.loads(line) for line in (control / EVENTS).read_text().splitlines())
    assert (first["kind"], first["key"], first["call_id"], first["cost_usd"]) == ("sent", "c", "i", 0.03)
    assert (second["kind"], second["loop"], second["pid"]) == ("started", "l", os.getpid())
    assert first["time"] <= second["time"]


def test_a_program_without_a_drill_does_not_load_its_agent() -> None:
    """Without the variable neither the agent nor the wrapper below it is imported."""
    code = "import sys, milepost; print([name for name in sys.modules if 'drilled' in name or 'intercepted' in name])"
    variables = {name: value for name, value in os.environ.items() if name != "MILEPOST_DRILL"}
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
