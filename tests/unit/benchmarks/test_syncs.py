"""Syncs are counted from a trace of the system's calls."""

from __future__ import annotations

import pytest

from benchmarks.resident import ContenderFailed
from benchmarks.syncs import counted
from benchmarks.worker import BEGIN, END


def trace(*turns: str) -> str:
    """Put marks around each turn, after one that warms up."""
    marked = [f'7 access("{BEGIN}", F_OK) = -1\n{turn}\n7 access("{END}", F_OK) = -1' for turn in ("", *turns)]
    return "\n".join(marked)


def test_each_kind_of_sync_counts() -> None:
    """Every call that syncs counts once, whichever thread makes it, and in however many lines it is told."""
    told = "7 fsync(3</a>) = 0\n8 fdatasync(4</b> <unfinished ...>\n8 <... fdatasync resumed>) = 0"
    assert counted(trace(told), 1) == 2


def test_the_warm_up_and_what_lies_between_turns_do_not_count() -> None:
    """Only what happens inside a counted turn counts."""
    outside = f'7 access("{BEGIN}", F_OK) = -1\n7 fsync(3</a>) = 0\n7 access("{END}", F_OK) = -1\n7 fsync(3</a>) = 0'
    inside = f'\n7 access("{BEGIN}", F_OK) = -1\n7 fsync(3</a>) = 0\n7 access("{END}", F_OK) = -1'
    assert counted(outside + inside, 1) == 1


def test_a_write_that_the_system_syncs_is_a_sync() -> None:
    """A write to a file opened for synced writes counts, one to the same file opened otherwise does not."""
    opened = '7 openat(AT_FDCWD, "/a", O_RDWR) = 3</a>\n7 openat(AT_FDCWD, "/a", O_WRONLY|O_DSYNC) = 4</a>\n'
    written = '7 pwrite64(3</a>, ""..., 9, 0) = 9\n7 pwrite64(4</a>, ""..., 9, 0) = 9'
    assert counted(opened + trace(written), 1) == 1


def test_the_files_of_processes_are_kept_apart() -> None:
    """A thread shares the files of its process, a child does not."""
    born = "7 clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 8\n7 clone3({flags=CLONE_VFORK}, 88) = 9\n"
    opened = '7 openat(AT_FDCWD, "/a", O_WRONLY|O_DSYNC) = 4</a>\n9 openat(AT_FDCWD, "/a", O_WRONLY) = 4</a>\n'
    written = '8 write(4</a>, ""..., 9) = 9\n9 write(4</a>, ""..., 9) = 9'
    assert counted(born + opened + trace(written), 1) == 1


def test_a_trace_without_turns_is_refused() -> None:
    """A trace that shows fewer turns than were taken is no count."""
    with pytest.raises(ContenderFailed, match="no turns"):
        counted(trace(), 1)
