"""The run's folder: recovery, rotation, restarting after a failure, and documents."""

from __future__ import annotations

import errno

import pytest

from milepost.errors import CorruptJournal, DiskFull, DurabilityUnknown, Fenced, LostRecords, StorageError
from milepost.fs import FileSystem
from milepost.records import Position, start_of
from milepost.stores import RunFiles
from milepost.stores.segment import HEAD_BYTES
from milepost.testing import ErrorAt, Interrupted, Recorded, SimulatedDisk
from tests.support.journals import (
    FIRST,
    RUN,
    SECOND,
    THIRD,
    Clock,
    append,
    disk,
    numbers,
    read,
    record,
    store,
    writer,
    written,
)

SMALL = 5000


def _quarantined(files: SimulatedDisk) -> dict[str, bytes]:
    return {path: data for path, data in files.files().items() if path.endswith(".quarantine")}


def _change(files: SimulatedDisk, path: str, offset: int, data: bytes) -> None:
    held = bytearray(files.files()[path])
    held[offset : offset + len(data)] = data
    files.damage(path, bytes(held))


def _recovered(files: FileSystem, segment_bytes: int = SMALL) -> tuple[RunFiles, list[int], list[str]]:
    """Open for writing; return the store, the numbers that were read, and the files named as damaged."""
    opened = store(files, segment_bytes)
    opened.lock(Clock())
    reading = opened.recover(RUN)
    return opened, numbers(reading), [damaged.name for damaged in reading.damage]


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
    reading = opened.recover("some-run")
    assert (reading.start, reading.end, reading.run, reading.lines) == (
        start_of("some-run"), start_of("some-run"), "some-run", [],
    )  # fmt: skip


def test_there_is_no_journal_before_the_first_writer() -> None:
    """A folder without a journal reads as none, and reading makes nothing."""
    files = disk()
    assert store(files).read_journal() is None
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


# --- recovery


@pytest.mark.parametrize("cut", [1, 2, 30, 100])
def test_a_torn_tail_is_set_aside_and_cut(cut: int) -> None:
    """What stands behind the last whole record is kept in a quarantine file and cut, and the journal goes on."""
    files = written(3, clean=False)
    whole = len(files.files()[FIRST].rstrip(b"\n")) + 1
    torn = files.files()[FIRST][: whole - cut]
    files.damage(FIRST, torn)
    opened, found, damage = _recovered(files)
    assert (found, damage) == ([1, 2], [])
    ((path, tail),) = _quarantined(files).items()
    start = len(files.files()[FIRST])
    assert path.startswith(f"{FIRST}.{start}.")
    assert files.files()[FIRST] + tail == torn.rstrip(b"\n")
    append(opened, 3)
    opened.close()
    assert numbers(read(files)) == [1, 2, 3]
    assert read(files).torn == []


def test_a_torn_tail_is_told() -> None:
    """A torn tail is named with its file, its size and the record before it, and is no damage."""
    files = written(2)
    files.damage(FIRST, files.files()[FIRST] + b'{"seq')
    reading = read(files)
    assert reading.torn == [f"{FIRST}: 5 bytes behind record 2"]
    assert reading.damage == []


def test_quarantine_is_durable_before_the_cut() -> None:
    """The tail is durable under its new name before the journal is cut, and the cut is synced."""
    inner = written(2)
    inner.damage(FIRST, inner.files()[FIRST] + b'{"seq')
    files = Recorded(inner)
    _recovered(files)
    story = [line.split(".quarantine")[0] for line in files.story() if "lock" not in line]
    cut = story.index("truncate journal_000001.jsonl")
    assert any(line.startswith("rename .journal_000001.jsonl.") for line in story[:cut])
    assert story[cut - 1] == "sync /run"
    assert story[cut + 1] == "sync journal_000001.jsonl"


def test_recovering_twice_changes_nothing() -> None:
    """A second recovery finds everything in order and writes nothing but the lock."""
    files = written(4)
    files.damage(FIRST, files.files()[FIRST] + b"junk")
    _recovered(files)[0].close(clean=False)
    before = files.files()
    _recovered(files)[0].close(clean=False)
    assert files.files() == before


def test_what_was_read_is_synced_before_it_is_served() -> None:
    """Records that a killed writer left in the page cache are durable when reading gives them."""
    for reading in (read, lambda files: _recovered(files)[0]):
        files = disk()
        journal = writer(files)
        append(journal, 1)
        journal.append([record(2)], expected=1, durable=False)
        files = files.killed()
        assert numbers(read(files.crash())) == [1]
        reading(files)
        assert numbers(read(files.crash())) == [1, 2]


@pytest.mark.parametrize("size", [40, 3000, 9000])
@pytest.mark.parametrize("before", [0, 1, 5])
def test_what_a_failed_sync_lost_is_not_served(size: int, before: int) -> None:
    """A record that only the page cache shows, for a killed writer's sync had failed, is not read by anybody."""
    files = disk()
    journal = writer(files)
    append(journal, *range(1, before + 1), size=size)
    files.fail_next_sync()
    with pytest.raises(DurabilityUnknown):
        append(journal, before + 1, size=size)
    files = files.killed()
    acknowledged = list(range(1, before + 1))
    assert numbers(read(files)) == acknowledged
    opened, found, damage = _recovered(files.killed())
    assert (found, damage) == (acknowledged, [])
    append(opened, before + 1, size=10)
    left = opened.folder.files.crash()  # type: ignore[attr-defined]
    assert numbers(read(left)) == [*acknowledged, before + 1]
    assert read(left).damage == []


def test_a_failed_sync_while_reading_is_told() -> None:
    """Where what was read cannot be synced, it is not served."""
    files = written(2)
    broken = ErrorAt(files, 1, errno.EIO, among={"sync_data"})
    with pytest.raises(DurabilityUnknown, match="before using it"):
        store(broken).read_journal()


# --- damage: kept whole, told, and gone on behind


def test_a_damaged_journal_is_kept_and_the_run_goes_on() -> None:
    """A journal with a bad record is kept byte for byte, and the run goes on behind its last good record."""
    files = written(4)
    whole = files.files()[FIRST]
    _change(files, FIRST, whole.index(b'"3:'), b'"8:')
    damaged = files.files()[FIRST]
    opened, found, damage = _recovered(files)
    assert (found, damage) == ([1, 2], ["journal_000001.jsonl"])
    assert damaged in _quarantined(files).values()
    append(opened, 3, 4)
    opened.close()
    for _ in range(3):
        reading = read(files.crash())
        assert numbers(reading) == [1, 2, 3, 4]
        assert reading.damage == []
        assert files.files()[SECOND]
        _recovered(files)[0].close()


def test_damage_in_the_middle_keeps_what_lies_behind() -> None:
    """With a bad record in an earlier segment, the later segments are kept whole under quarantine names."""
    files = written(14, segment_bytes=SMALL)
    held = files.files()
    good = numbers(read(files))
    _change(files, SECOND, held[SECOND].index(b":vv"), b":ww")
    opened, found, damage = _recovered(files)
    assert damage == ["journal_000002.jsonl"]
    assert found == good[: len(found)]
    kept = _quarantined(files)
    assert held[THIRD] in kept.values()
    assert any(path.startswith(f"{SECOND}.") for path in kept)
    append(opened, *range(len(found) + 1, 20))
    opened.close()
    assert numbers(read(files.crash())) == list(range(1, 20))


def test_both_watermarks_damaged_costs_nothing_later() -> None:
    """After both watermarks were damaged, the run goes on and no later start loses what was recorded since."""
    files = written(3)
    for offset in (1030, 1550):
        _change(files, FIRST, offset, b"#")
    for start in range(3, 7):
        opened, found, damage = _recovered(files)
        assert found == list(range(1, start + 1))
        assert damage == (["journal_000001.jsonl"] if start == 3 else [])
        append(opened, start + 1)
        opened.close()
        files = files.crash()


def test_a_damaged_first_page_costs_the_segment_and_is_told() -> None:
    """Without a readable first page nothing of the journal counts; it is kept, told, and a new one begins."""
    files = written(3)
    _change(files, FIRST, 12, b"#")
    damaged = files.files()[FIRST]
    opened, found, damage = _recovered(files)
    assert (found, damage) == ([], ["journal_000001.jsonl"])
    assert damaged in _quarantined(files).values()
    append(opened, 1, 2)
    opened.close()
    assert numbers(read(files.crash())) == [1, 2]
    assert read(files).run == RUN


def test_a_lost_segment_is_gone_on_behind() -> None:
    """Where a segment is missing, the run goes on behind the one before it, and it is told once."""
    files = written(14, segment_bytes=SMALL)
    with store(files).folder as folder:
        folder.remove(SECOND.rpartition("/")[2])
        folder.sync()
    opened, found, damage = _recovered(files)
    assert damage == ["journal_000002.jsonl"]
    append(opened, len(found) + 1)
    opened.close()
    reading = read(files.crash())
    assert numbers(reading) == [*found, len(found) + 1]
    assert reading.damage == []


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
        journal.append([record(number)], expected=number - 1, durable=False)
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


def test_positions_and_damage_are_plain_values() -> None:
    """A reading names its end by number and chain, and each damage by file and error."""
    files = written(2)
    _change(files, FIRST, files.files()[FIRST].index(b'"1:'), b'"7:')
    reading = read(files)
    assert reading.end == reading.start == Position(0, start_of(RUN).chain)
    (damage,) = reading.damage
    assert damage.name == "journal_000001.jsonl"
    assert isinstance(damage.error, CorruptJournal)
    assert f"{FIRST}: record 1, at byte {HEAD_BYTES}, is not what was written" in str(damage.error)
    assert "v" * 20 not in str(damage.error)
    assert not isinstance(damage.error, LostRecords)
