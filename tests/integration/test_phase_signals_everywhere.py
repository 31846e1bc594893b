"""A signal at every operation of a phase on its files: while it opens, records, recovers, and closes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.phase_jobs import run

# The job runs in forked children of one process, each struck at another operation, because starting an interpreter
# for each would take minutes. Interrupted is caught in some of them, to see what it leaves inside the process.
SWEEP = """
import shutil
from milepost.fs import SystemFiles, use
from milepost.fs.intercepted import Intercepted
numbers, word, prepared = [getattr(signal, one) for one in sys.argv[2].split(",")], sys.argv[3], sys.argv[4]
grace_seconds, stays = float(sys.argv[5]), sys.argv[6] == "stays"
ITEMS = ITEMS[:3]
NAME = "phase_3"

class Unsynced(SystemFiles):
    def sync(self, handle): pass
    def sync_data(self, file): pass

def conclude():
    return "whole"

def prepare(folder):
    shutil.rmtree(folder, ignore_errors=True)
    if prepared == "torn":
        child = os.fork()
        if not child:  # dies, so that there is something to recover
            phase = milepost.Phase(NAME, store=folder).__enter__()
            for item in phase.each(ITEMS[:1]):
                phase.record(value_of(item))
            os._exit(0)
        os.waitpid(child, 0)
        assert results(folder) == ITEMS[:1]
        journal, = (os.path.join(folder, NAME, one) for one in os.listdir(os.path.join(folder, NAME)) if "journal" in one)
        with open(journal, "r+b") as file:
            file.seek(len(file.read().rstrip(b"\\n")) + 1)
            file.write(b'{"kind":"done","torn')  # half of the next record

def results(folder):
    with milepost.open(NAME, store=folder) as reader:
        return list(reader.results())

def job(folder, n, done):
    def strike(operation):
        if operation.number == n:
            reached.append(operation)
            done.extend(recording)  # what is being recorded is recorded whole
            send(*numbers)
    reached, recording = [], []
    files = Intercepted(Unsynced(), **{word: strike})
    before = handlers()
    try:
        with use(files), milepost.Phase(NAME, store=folder, grace_seconds=grace_seconds) as phase:
            for item in phase.each(ITEMS):
                recording.append(item)
                phase.record(value_of(item))
                done += recording
                recording.clear()
            phase.complete(conclude)
    except milepost.Interrupted as error:
        assert reached and error.signal_number == numbers[0], error
    else:
        assert not reached, f"{reached}: the signal was not told"
    assert handlers() == before, reached
    return reached

def whole(folder, done):
    with milepost.Phase(NAME, store=folder) as phase:
        again = []
        for item in phase.each(ITEMS):
            again.append(item)
            phase.record(value_of(item))
        assert not set(again) & set(done), (again, done)
        assert list(phase.results().items()) == [(item, value_of(item)) for item in ITEMS]
        assert phase.complete(conclude) == "whole"

def child(n):
    folder = os.path.join(store, str(n))
    prepare(folder)
    handles = len(os.listdir("/proc/self/fd"))
    done = ITEMS[:1] if prepared != "new" else []
    with use(Unsynced()):
        reached = job(folder, n, done)
        if grace_seconds and len(numbers) == 1:  # who leaves at once may leave a file open that was only read
            assert len(os.listdir("/proc/self/fd")) == handles, f"{reached}: a handle is left open"
        if not stays:
            child = os.fork()
            if child:
                _, status = os.waitpid(child, 0)
                assert os.waitstatus_to_exitcode(status) == (0 if reached else 7)
                return reached
        whole(folder, done)
    return reached

import logging
logging.disable(logging.WARNING)  # what is told is for other tests
with use(Unsynced()):
    whole(os.path.join(store, "first"), [])  # loads what each child would load by itself
n = struck = 0
while True:
    n += 1
    pid = os.fork()
    if not pid:
        try:
            reached = child(n)
        except BaseException as error:
            import traceback
            traceback.print_exc()
            print(f"at operation {n}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0 if reached else 7)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code == 7:
        break
    assert code == 0, (n, code)
    struck += 1
    shutil.rmtree(os.path.join(store, str(n)))
say(struck)
"""

ASKS = {
    "a first signal": ("SIGTERM", 20),
    "a first signal without grace": ("SIGINT", 0),
    "two signals": ("SIGTERM,SIGINT", 20),
}


@pytest.mark.parametrize("prepared", ["new", "torn"])
@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("word", ["before", "after"])
def test_a_signal_at_any_operation_leaves_a_run_that_resumes(
    tmp_path: Path, prepared: str, ask: str, word: str
) -> None:
    """Whatever operation a signal falls on, of opening, recovery, a record or the end, it is told, nothing acknowledged
    is lost, no handle and no handler is left, and the same process or another takes the run up.
    """
    numbers, grace_seconds = ASKS[ask]
    stays = "stays" if word == "before" else "leaves"
    done = run(tmp_path / "checkpoints", SWEEP, numbers, word, prepared, str(grace_seconds), stays)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 40
