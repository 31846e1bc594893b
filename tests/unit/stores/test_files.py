"""The run's folder: a new journal, rotation, restarting after a failure, and documents."""

from __future__ import annotations

import errno

import pytest

from milepost.errors import DiskFull, DurabilityUnknown, Fenced, StorageError
from milepost.records import start_of
from milepost.stores import Durability, RunFiles
from milepost.stores.segment import HEAD_BYTES
from milepost.testing import ErrorAt, Interrupted, Recorded, SimulatedDisk
from tests.support.journals import (
    FIRST,
    Clock,
    append,
    disk,
    look,
    numbers,
    read,
    record,
    recovered,
    store,
    writer,
    written,
)

SMALL = 5000


# --- a new journal


def test_a_journal_appears_whole() -> None:
    """A journal is written under another name, synced, renamed, and its folder synced, before the first append."""
    inner = disk()
    files = Recorded(inner)
    writer(files)
    story = [line for line in files.story() if "lock" not in line]
    temporary = next(line.split()[1] for line in story if line.startswith("create_file"))
    assert temporary.startswith(".journal_000001.jsonl.")
    assert story[-5:] == [
        f"create_file {temporary}",
        f"write {temporary}",
        f"sync {temporary}",
        f"rename {temporary} -> journal_000001.jsonl",
        "sync /run",
    ]
    assert "close " + temporary in [str(operation) for operation in files.operations]
    assert numbers(read(inner.crash())) == []


def test_a_new_journal_starts_from_its_run() -> None:
    """The first position of a journal is seeded by the run's id."""
    opened = store(disk())
    opened.lock(Clock())
    reading = recovered(opened, "some-run")
    assert (reading.start, reading.end, reading.run, reading.lines) == (
        start_of("some-run"), start_of("some-run"), "some-run", [],
    )  # fmt: skip


def test_there_is_no_journal_before_the_first_writer() -> None:
    """A folder without a journal reads as none, and reading makes nothing."""
    files = disk()
    assert look(store(files)) is None
    assert files.files() == {}


def test_an_append_at_another_number_is_fenced() -> None:
    """A batch for a slot that is taken, or not reached yet, is refused, and nothing is written."""
    files = disk()
    journal = writer(files)
    append(journal, 1, 2)
    before = files.files()
    for expected in (0, 1, 3):
        with pytest.raises(Fenced, match="another writer took this run over"):
            journal.append([record(9)], expected=expected)
    assert files.files() == before


def test_a_store_that_only_reads_does_not_write() -> None:
    """A store that did not recover its journal takes no record, no note, no restart."""
    opened = store(written(1))
    assert opened.poisoned
    for call in (
        lambda: opened.append([record(2)], expected=1),
        opened.restart_journal,
        lambda: opened.note_checkpoint(1),
    ):
        with pytest.raises(DurabilityUnknown, match="not open for writing"):
            call()
    opened.close_journal()


# --- rotation


def test_the_next_segment_stands_before_the_old_one_is_sealed() -> None:
    """Rotation makes the next segment durable, then seals the old one, then writes behind."""
    inner = disk()
    files = Recorded(inner)
    journal = writer(files, SMALL)
    files.operations.clear()
    append(journal, *range(1, 7))
    story = files.story()
    appeared = next(i for i, line in enumerate(story) if line.endswith("-> journal_000002.jsonl"))
    assert story[appeared + 1] == "sync /run"
    sealing = story[appeared + 2 :]
    assert sealing.index("sync_data journal_000001.jsonl") < sealing.index("write journal_000002.jsonl")
    assert b'{"kind":"sealed","continues":2,' in inner.files()[FIRST].splitlines()[-1]


def test_segments_hold_no_more_than_asked() -> None:
    """No segment outgrows its budget unless a single batch does."""
    files = written(30, segment_bytes=SMALL)
    sizes = [len(data) for path, data in files.files().items() if "journal" in path]
    assert len(sizes) > 3
    assert max(sizes) <= SMALL + 200  # the trailer
    files = disk()
    journal = writer(files, SMALL)
    append(journal, 1, 2, 3, size=20_000)
    journal.close()
    assert len(files.files()[FIRST]) > HEAD_BYTES + 20_000
    assert numbers(read(files)) == [1, 2, 3]


@pytest.mark.parametrize(
    "verb", ["create_file", "write", "sync", "rename", "close", "open_file", "sync_data", "truncate"]
)
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_rotation_that_failed_loses_nothing_acknowledged(verb: str, code: int) -> None:
    """Whatever fails while a segment is rotated, a record that is acknowledged afterwards is there on recovery."""
    fired = True
    n = 0
    while fired:
        n += 1
        files = disk()
        journal = writer(files, SMALL)
        append(journal, 1, 2, 3)
        broken = ErrorAt(files, n, code, among={verb})
        acknowledged = [1, 2, 3]
        journal.folder.files = broken
        journal._appender.files = broken  # type: ignore[union-attr]
        try:
            append(journal, 4, size=SMALL)
            acknowledged.append(4)
        except StorageError:
            pass
        fired = broken.fired
        _go_on(journal, files, acknowledged)
    assert n > 1


def _go_on(journal: RunFiles, files: SimulatedDisk, acknowledged: list[int]) -> None:
    """Append small records, restarting where that is asked for; check that all that was acknowledged is there."""
    journal.folder.files = files
    if journal._appender is not None:
        journal._appender.files = files
    for _ in range(2):
        if journal.poisoned:
            journal.restart_journal()
        append(journal, len(acknowledged) + 1, size=10)
        acknowledged.append(len(acknowledged) + 1)
    for left in (files.killed(), files.crash()):
        reading = read(left)
        assert numbers(reading) == acknowledged
        assert reading.damage == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupted_rotation_loses_nothing_acknowledged(when: str) -> None:
    """Whenever a signal's handler breaks a rotation off, what is acknowledged afterwards is there on recovery."""
    fired = True
    n = 0
    while fired:
        n += 1
        files = disk()
        journal = writer(files, SMALL)
        append(journal, 1, 2, 3)
        broken = Interrupted(files, n, when)  # type: ignore[arg-type]
        acknowledged = [1, 2, 3]
        journal.folder.files = broken
        journal._appender.files = broken  # type: ignore[union-attr]
        try:
            append(journal, 4, size=SMALL)
            acknowledged.append(4)
        except KeyboardInterrupt:
            pass
        fired = broken.fired
        _go_on(journal, files, acknowledged)
    assert n > 15


# --- restarting after a failure


def test_records_go_on_in_a_new_file_after_a_failure() -> None:
    """After a failed sync the journal goes on in the next segment, and the poisoned file is never written again."""
    files = disk()
    journal = writer(files)
    append(journal, 1)
    files.fail_next_sync()
    with pytest.raises(DurabilityUnknown):
        append(journal, 2)
    assert journal.poisoned
    poisoned = files.files()[FIRST]
    journal.restart_journal()
    assert not journal.poisoned
    append(journal, 2, 3)
    journal.close()
    assert files.files()[FIRST] == poisoned
    reading = read(files.crash())
    assert numbers(reading) == [1, 2, 3]
    assert reading.damage == []


def test_a_restart_takes_along_what_was_not_synced() -> None:
    """Records acknowledged without a sync are written into the new segment, so that a failed sync loses none."""
    files = disk()
    journal = writer(files)
    append(journal, 1)
    for number in (2, 3):
        journal.append([record(number)], expected=number - 1, durability=Durability.PROCESS)
    files.fail_next_sync()
    with pytest.raises(DurabilityUnknown):
        append(journal, 4)
    journal.restart_journal()
    append(journal, 4)
    reading = read(files.crash())
    assert numbers(reading) == [1, 2, 3, 4]
    assert reading.damage == []


def test_a_restart_that_fails_can_be_tried_again() -> None:
    """A restart that failed at any step leaves the acknowledged records, and another one goes on behind them."""
    fired = True
    n = 0
    while fired:
        n += 1
        files = disk()
        journal = writer(files)
        append(journal, 1, 2)
        broken = ErrorAt(files, n, errno.EIO)
        journal.folder.files = broken
        try:
            journal.restart_journal()
        except StorageError:
            assert journal.poisoned
        fired = broken.fired
        _go_on(journal, files, [1, 2])
    assert n > 6


def test_a_full_disk_names_what_it_needs_and_resumes() -> None:
    """A document that does not fit names the bytes needed and free, changes nothing, and fits once there is room."""
    files = disk()
    journal = writer(files)
    journal.replace("doc", b"old")
    files.capacity = sum(-(-len(data) // 4096) * 4096 for data in files.files().values()) + 8192
    before = files.files()
    with pytest.raises(DiskFull) as full:
        journal.replace("doc", b"n" * 50_000)
    assert full.value.needed_bytes == 50_000 + 4096
    assert full.value.free_bytes == 8192
    assert "54,096 bytes are needed, 8,192 are free" in str(full.value)
    assert files.files() == before
    files.capacity = None
    journal.replace("doc", b"n" * 50_000)
    assert files.crash().files()["/run/doc"] == b"n" * 50_000


# --- documents


def test_documents_are_created_once() -> None:
    """Creating a document never overwrites, and replacing one does."""
    files = disk()
    opened = writer(files)
    opened.create("a", b"1")
    with pytest.raises(FileExistsError):
        opened.create("a", b"2")
    assert opened.read("a") == b"1"
    opened.replace("a", b"3")
    assert files.crash().files()["/run/a"] == b"3"
    assert not list(opened.names("."))


def test_documents_are_listed_and_deleted() -> None:
    """Names are listed by prefix in order, deleting a missing one is no error, and a durable delete is durable."""
    files = disk()
    opened = writer(files)
    for name in ("b2", "a", "b1"):
        opened.create(name, b"")
    assert opened.names("b") == ["b1", "b2"]
    opened.delete(["b1", "nothing"], durable=True)
    assert "/run/b1" not in files.crash().files()
    opened.delete(["b2"], durable=False)
    assert opened.names("b") == []
    with pytest.raises(FileNotFoundError):
        opened.read("b2")


def test_a_new_writer_sweeps_what_a_killed_one_left_half_made() -> None:
    """Temporary files of a killed writer are gone once the next one holds the lock."""
    files = disk()
    with store(files).folder as folder:
        handle = files.open_file(folder.handle, ".checkpoint.0011.tmp", "create")
        files.write(handle, b"half", 0)
        files.close(handle)
    writer(files)
    assert not [path for path in files.files() if path.endswith(".tmp")]
