"""Recovery: what was acknowledged is served, what was not is set aside, damage is kept whole and gone on behind."""

from __future__ import annotations

import errno

import pytest

import milepost
from milepost.errors import CorruptJournal, DurabilityUnknown, LostRecords
from milepost.fs import FileSystem, use
from milepost.records import Position, start_of
from milepost.stores import Durability, RunFiles
from milepost.stores.segment import HEAD_BYTES
from milepost.testing import ErrorAt, Recorded, SimulatedDisk
from tests.support.journals import (
    FIRST,
    RUN,
    SECOND,
    THIRD,
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
    reading = recovered(opened)
    return opened, numbers(reading), [damaged.name for damaged in reading.damage]


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
        journal.append([record(2)], expected=1, durability=Durability.PROCESS)
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
        look(store(broken))


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


def test_a_journal_of_another_run_is_set_aside() -> None:
    """Where the run is known, a journal of another one is kept, told as the loss of ours, and a new one begins."""
    files = written(8, segment_bytes=SMALL)
    held = [data for path, data in files.files().items() if "journal" in path]
    opened = store(files)
    opened.lock(Clock())
    reading = recovered(opened, "run-two", known=True)
    (damage,) = reading.damage
    assert isinstance(damage.error, LostRecords)
    assert f"{FIRST}: this journal is of run {RUN}; that of run run-two is missing" in str(damage.error)
    assert (reading.lines, reading.end) == ([], start_of("run-two"))
    assert all(data in _quarantined(files).values() for data in held)
    append(opened, 1)
    opened.close()
    assert (numbers(read(files.crash())), read(files).run, read(files).damage) == ([1], "run-two", [])


def test_what_is_saved_beside_a_foreign_journal_is_loaded() -> None:
    """A save that was acknowledged in a folder with another run's journal is there on the next start."""
    files = SimulatedDisk(("/c",))
    with use(files):
        for phase in ("a", "b"):
            with milepost.CheckpointManager(phase, "/c", clock=Clock()) as manager:
                manager.save_checkpoint(1, {"of": phase}, force=True)
        files.damage("/c/a/journal_000001.jsonl", files.files()["/c/b/journal_000001.jsonl"])
        with milepost.CheckpointManager("a", "/c", clock=Clock()) as manager:
            manager.save_checkpoint(2, {"of": "a", "more": 1}, force=True)
            manager.save_checkpoint(3, {"of": "a", "more": 2})
        found = milepost.CheckpointManager("a", "/c", clock=Clock()).get_latest_checkpoint()
    assert found is not None
    assert found["state"] == {"of": "a", "more": 2}


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
