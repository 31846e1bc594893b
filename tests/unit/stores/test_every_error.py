"""Every error of the system, at every operation of every verb: typed, and nothing acknowledged is lost."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

import milepost
from milepost.errors import DiskFull, DurabilityUnknown, MilepostError, StorageError, StoreUnavailable, UnsafeStore
from milepost.fs import FileSystem, use
from milepost.run.coded import bare
from milepost.stores import RunFiles
from milepost.stores.folder import Folder, write_durably
from milepost.testing import ErrorAt, SimulatedDisk
from tests.support.journals import (
    PLACE,
    RUN,
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

CODES = [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.EACCES]
SMALL = 5000
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
ALLOWED = (DiskFull, DurabilityUnknown, StoreUnavailable)


@dataclass
class Promised:
    """What a scenario was promised: record numbers, and documents."""

    records: list[int] = field(default_factory=list)
    documents: dict[str, bytes] = field(default_factory=dict)


Scenario = Callable[[FileSystem, Promised], None]


def _work(files: FileSystem, promised: Promised) -> None:
    """Open a journal, append, rotate, restart, put documents, close."""
    journal = store(files, SMALL)
    try:
        journal.lock(Clock())
        promised.records[:] = numbers(recovered(journal))
        for size in (40, 300, SMALL, 40):
            append(journal, len(promised.records) + 1, size=size)
            promised.records.append(len(promised.records) + 1)
        journal.note_checkpoint(3)
        journal.create("made", b"1" * 5000)
        promised.documents["/run/made"] = b"1" * 5000
        journal.replace("put", b"2" * 100)
        promised.documents["/run/put"] = b"2" * 100
        journal.restart_journal()
        append(journal, len(promised.records) + 1)
        promised.records.append(len(promised.records) + 1)
        journal.delete(["gone"], durable=True)
        assert journal.names("made") == ["made"]
        assert journal.read("made")
    except BaseException:
        journal.close(clean=False)
        raise
    journal.close()


def _torn() -> SimulatedDisk:
    """Return a disk with a torn tail, a half made file, and three records."""
    files = written(3, clean=False)
    path = "/run/journal_000001.jsonl"
    files.damage(path, files.files()[path].rstrip(b"\n") + b'\n{"torn')
    with store(files).folder as folder:
        handle = files.open_file(folder.handle, ".x.tmp", "create")
        files.sync(handle)
        folder.sync()
    return files


def _refusal(call: Callable[[], object]) -> MilepostError | None:
    """Return the error of Milepost that *call* raised, or None; any other error is a failure."""
    try:
        call()
    except MilepostError as error:
        return error
    return None


TORN_AND_ROTATED = [_torn, lambda: written(9, segment_bytes=SMALL)]
STARTS = [(code, start) for code in CODES for start in TORN_AND_ROTATED if start is not _torn or code in CODES[:2]]


def _survives(files: SimulatedDisk, promised: Promised, *, before: list[int]) -> None:
    """Check both what a killed process and what a power cut leaves; and that the next writer goes on."""
    kept = promised.records or before
    for left in (files.killed(), files.crash()):
        with store(left).folder as folder:
            reading = look(RunFiles(folder))
        found = numbers(reading)
        assert reading is None or reading.damage == []
        assert found[: len(kept)] == kept, f"acknowledged {kept}, found {found}"
        assert len(found) <= len(kept) + 1
        held = left.files()
        assert {path: held.get(path) for path in promised.documents} == promised.documents
        journal = writer(left, SMALL)
        append(journal, len(found) + 1)
        journal.close()
        assert numbers(read(left.crash())) == [*found, len(found) + 1]


@pytest.mark.parametrize(
    ("code", "start"), STARTS, ids=lambda value: errno.errorcode.get(value, "") if type(value) is int else ""
)
def test_every_error_at_every_operation_is_typed(code: int, start: Callable[[], SimulatedDisk]) -> None:
    """One error at any operation is a storage error of Milepost, and everything acknowledged stays whole."""
    first = start()
    before = numbers(read(first))
    n = 0
    fired = True
    while fired:
        n += 1
        files = first.killed()
        broken = ErrorAt(files, n, code)
        promised = Promised()
        error = _refusal(lambda: _work(broken, promised))  # noqa: B023 - called at once
        assert error is None or isinstance(error, ALLOWED), f"operation {n}: {error!r}"
        assert error is None or isinstance(error, DiskFull) == (code in NO_ROOM), f"operation {n}: {error!r}"
        assert error is None or "/run" in str(error)
        fired = broken.fired
        _survives(files, promised, before=before)
    assert n > 70


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_device_that_fails_from_some_point_on_is_typed(code: int) -> None:
    """When every operation fails from some point on, it is a storage error, and everything acknowledged stays whole."""
    n = 0
    fired = True
    while fired:
        n += 1
        files = disk()
        broken = ErrorAt(files, n, code, persistent=True)
        promised = Promised()
        error = _refusal(lambda: _work(broken, promised))  # noqa: B023 - called at once
        assert error is None or isinstance(error, StorageError)
        fired = broken.fired
        _survives(files, promised, before=[])
    assert n > 70


@pytest.mark.parametrize("code", CODES, ids=[errno.errorcode[code] for code in CODES])
def test_a_put_is_done_or_not_done(code: int) -> None:
    """Whatever fails while a document is replaced, it is the old or the new one, and the error is typed."""
    n = 0
    fired = True
    while fired:
        n += 1
        files = disk()
        journal = writer(files)
        journal.replace("doc", b"old" * 2000)
        broken = ErrorAt(files, n, code)
        journal.folder.files = broken
        error = _refusal(lambda: journal.replace("doc", b"new" * 3000))  # noqa: B023 - called at once
        assert error is None or isinstance(error, ALLOWED)
        fired = broken.fired
        for left in (files.killed(), files.crash()):
            assert left.files()["/run/doc"] in ({b"new" * 3000} if error is None else {b"old" * 2000, b"new" * 3000})
    assert n > 6


@pytest.mark.parametrize("code", CODES, ids=[errno.errorcode[code] for code in CODES])
def test_a_create_that_failed_leaves_the_name_free_or_the_document_whole(code: int) -> None:
    """Whatever fails while a document is created, the name is free or holds all of it, and the error is typed."""
    n = 0
    fired = True
    while fired:
        n += 1
        files = disk()
        journal = writer(files)
        broken = ErrorAt(files, n, code)
        journal.folder.files = broken
        error = _refusal(lambda: journal.create("doc", b"new" * 3000))  # noqa: B023 - called at once
        assert error is None or isinstance(error, ALLOWED)
        if "/run/doc" in files.files() and error is not None:
            assert isinstance(error, DurabilityUnknown if code not in NO_ROOM else DiskFull)
        fired = broken.fired
        for left in (files.killed(), files.crash()):
            assert left.files().get("/run/doc", b"new" * 3000) == b"new" * 3000
            assert error is not None or "/run/doc" in left.files()


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_making_folders_and_writing_reports_is_typed(code: int) -> None:
    """Whatever fails while a file is written below missing folders, the error is typed, and the next try works."""
    n = 0
    fired = True
    while fired:
        n += 1
        files = SimulatedDisk()
        broken = ErrorAt(files, n, code)
        with use(broken):
            error = _refusal(lambda: write_durably("/deep/er/report.json", b"whole"))
        assert error is None or isinstance(error, ALLOWED)
        fired = broken.fired
        with use(files):
            write_durably("/deep/er/report.json", b"whole again")
        assert files.crash().files() == {"/deep/er/report.json": b"whole again"} or fired
    assert n > 10


@pytest.mark.parametrize("code", [errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EISDIR])
def test_what_is_no_file_is_unsafe(code: int) -> None:
    """Errors that say what stands there is no ordinary file are told as an unsafe store."""
    files = ErrorAt(written(1), 1, code, among={"open_file"})
    with pytest.raises(UnsafeStore, match="Nothing was touched"):
        store(files).read("journal_000001.jsonl")


def test_a_folder_that_is_removed_meanwhile_is_unavailable() -> None:
    """A save into a folder that somebody removed is told as unavailable, with the file's name."""
    files = ErrorAt(disk(), 1, errno.ENOENT, among={"create_file"})
    with pytest.raises(StoreUnavailable, match="doc: cannot write the file: its folder was removed"):
        store(files).replace("doc", b"1")


def test_a_handle_is_let_go_of_after_every_error() -> None:
    """After an error at any operation no file stays open once the store is closed."""
    n = 0
    fired = True
    while fired:
        n += 1
        files = disk()
        broken = ErrorAt(files, n, errno.EIO)
        folder = Folder(broken, files.open_path("/run"), PLACE)
        journal = RunFiles(folder, segment_bytes=SMALL)
        try:
            journal.lock(Clock())
            journal.recover(RUN)
            journal.append([record(1)], expected=0)
            journal.append([record(2, SMALL)], expected=1)
            journal.restart_journal()
        except StorageError:
            pass
        fired = broken.fired
        broken.fired, broken.n = True, -1
        journal.close(clean=False)
        assert files._open == {}, f"operation {n} left a file open"
    assert n > 50


@pytest.mark.parametrize("code", CODES, ids=[errno.errorcode[code] for code in CODES])
def test_a_note_that_failed_does_not_fail_the_save(code: int) -> None:
    """A save whose checkpoint stands returns its path though the note of it in the journal could not be written."""
    files = SimulatedDisk(("/c",))
    with use(files), milepost.CheckpointManager("a", "/c", clock=Clock()) as manager:
        manager.save_checkpoint(1, {"n": 1}, force=True)
        assert manager._writer is not None
        store = bare(manager._writer.store)
        assert isinstance(store, RunFiles)
        appender = store._appender
        assert appender is not None
        appender.files = ErrorAt(files, 1, code, among={"write"})
        assert manager.save_checkpoint(2, {"n": 2}, force=True) is not None
        assert manager.save_checkpoint(3, {"n": 3}) is not None  # a new file, for the journal takes no more
        found = milepost.CheckpointManager("a", "/c", clock=Clock()).get_latest_checkpoint()
    assert found is not None
    assert found["state"] == {"n": 3}
