"""Each defect planted into the file store is caught: the checks that guard it are able to fail."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from itertools import takewhile
from typing import Any

import pytest

from milepost.fs import FileSystem, durable
from milepost.fs.durable import write_all
from milepost.records import Position, follow
from milepost.stores import files as files_module
from milepost.stores import folder as folder_module
from milepost.stores import segment as segment_module
from milepost.stores import segments as segments_module
from milepost.stores.appender import Appender
from milepost.stores.base import Durability, Visit
from milepost.stores.files import RunFiles
from milepost.stores.folder import Folder
from milepost.stores.segment import HEAD_BYTES, Head, Mark, SegmentReading, head_page, scan, trailer
from milepost.stores.segments import segment_name
from tests.support import store_guards as guards

Patch = pytest.MonkeyPatch


def _new_file(
    *, sync_file: bool = True, sync_directory: bool = True, rename_first: bool = False, in_place: bool = False
) -> Any:
    """Return the durable new file with one of its steps left out or done too early."""

    def new_file(files: FileSystem, directory: int, name: str, data: Any, *, replace: bool, **_: bool) -> None:
        data = data if isinstance(data, bytes) else b"".join(data)
        temporary = name if in_place else f".{name}.{files.token()}.tmp"
        if in_place and name in files.names(directory):
            files.unlink(directory, name)
        handle = files.open_file(directory, temporary, "create")
        if rename_first:
            files.rename(directory, temporary, directory, name)
        write_all(files, handle, data, 0)
        if sync_file:
            files.sync(handle)
        files.close(handle)
        if not in_place and not rename_first:
            files.rename(directory, temporary, directory, name)
        if sync_directory:
            files.sync(directory)

    return new_file


def no_directory_sync(patch: Patch) -> None:
    patch.setattr(folder_module, "new_file", _new_file(sync_directory=False))


def no_file_sync(patch: Patch) -> None:
    patch.setattr(folder_module, "new_file", _new_file(sync_file=False))


def renamed_before_written(patch: Patch) -> None:
    patch.setattr(folder_module, "new_file", _new_file(rename_first=True))


def written_in_place(patch: Patch) -> None:
    patch.setattr(folder_module, "new_file", _new_file(in_place=True))


def no_sync_of_appends(patch: Patch) -> None:
    original = Appender.append

    def append(self: Appender, lines: bytes, end: Position, *_: Durability) -> None:
        original(self, lines, end, Durability.PROCESS)

    patch.setattr(Appender, "append", append)


def acknowledged_before_the_sync(patch: Patch) -> None:
    original = Appender.append

    def append(self: Appender, lines: bytes, end: Position, *_: Durability) -> None:
        if self.loose:
            original(self, b"", self.position)
        original(self, lines, end, Durability.PROCESS)

    patch.setattr(Appender, "append", append)


def sync_retried(patch: Patch) -> None:
    def append(self: Appender, lines: bytes, end: Position, *_: Durability) -> None:
        self._pad(len(lines))
        self._mark(Mark(self.position))
        write_all(self.files, self._handle, lines, self.offset)
        try:
            self.files.sync_data(self._handle)
        except OSError:
            self.files.sync_data(self._handle)
        self.offset += len(lines)
        self.position = end

    patch.setattr(Appender, "append", append)


def watermark_of_the_batch_itself(patch: Patch) -> None:
    original = Appender.append

    def append(self: Appender, lines: bytes, end: Position, *level: Durability) -> None:
        before, self.synced = self.synced, end
        self._mark(Mark(end))
        self.synced = before
        original(self, lines, end, *level)

    patch.setattr(Appender, "append", append)


def watermark_of_what_is_not_synced(patch: Patch) -> None:
    patch.setattr(Appender, "synced", property(lambda self: self.position, lambda *_: None), raising=False)


def chain_not_checked(patch: Patch) -> None:
    def follow_all(lines: list[bytes], after: Position) -> tuple[int, Position]:
        good = list(takewhile(lambda line: line.endswith(b'"}'), lines))
        chain = good[-1][-34:-2].decode(errors="replace") if good else after.chain
        return len(good), Position(after.sequence + len(good), chain)

    patch.setattr(segment_module, "follow_all", follow_all)


def watermark_not_judged(patch: Patch) -> None:
    patch.setattr(segment_module, "_judge", lambda *_: None)


def watermark_never_written(patch: Patch) -> None:
    patch.setattr(Appender, "_mark", lambda *_: None)


def bad_record_skipped(patch: Patch) -> None:
    def follow_all(lines: list[bytes], after: Position) -> tuple[int, Position]:
        for line in lines:
            stated = re.search(rb'"chain":"([0-9a-f]{32})"', line)
            after = follow(line, after) or Position(after.sequence + 1, stated[1].decode() if stated else after.chain)
        return len(lines), after

    patch.setattr(segment_module, "follow_all", follow_all)


def torn_tail_not_cut(patch: Patch) -> None:
    patch.setattr(files_module, "cut_tail", lambda *_: None)


def torn_tail_not_kept(patch: Patch) -> None:
    original = segments_module.cut_tail

    def cut_tail(folder: Folder, segment: SegmentReading) -> None:
        segment.tail = b""
        original(folder, segment)

    patch.setattr(files_module, "cut_tail", cut_tail)


def quarantine_after_the_cut(patch: Patch) -> None:
    original = segments_module.cut_tail

    def cut_tail(folder: Folder, segment: SegmentReading) -> None:
        tail, segment.tail = segment.tail, b""
        original(folder, segment)
        segment.tail, segment.size = tail, 0
        original(folder, segment)

    patch.setattr(files_module, "cut_tail", cut_tail)


def _rotate(*, seal: bool = True, seal_first: bool = False, poison: bool = True) -> Any:
    """Return a rotation that does its steps in another order, or forgets one."""

    def rotate(self: RunFiles, appender: Appender) -> Appender:
        assert self._head is not None
        number = self._head.segment + 1
        head = Head(self._head.run, number, appender.position)
        try:
            if seal and seal_first:
                appender.append(trailer(appender.position, number), appender.position)
            self.folder.put(segment_name(number), head_page(head, appender.checkpoint), replace=True)
            if seal and not seal_first:
                appender.append(trailer(appender.position, number), appender.position)
            appender.close()
            return self._open_segment(head, head.start, HEAD_BYTES, appender.checkpoint)
        except BaseException:
            appender.poisoned = appender.poisoned or poison
            raise

    return rotate


def sealed_before_the_next_segment_exists(patch: Patch) -> None:
    patch.setattr(RunFiles, "_rotate", _rotate(seal_first=True))


def never_sealed(patch: Patch) -> None:
    patch.setattr(RunFiles, "_rotate", _rotate(seal=False))


def written_on_after_a_failed_rotation(patch: Patch) -> None:
    patch.setattr(RunFiles, "_rotate", _rotate(poison=False))


def padding_not_cut(patch: Patch) -> None:
    original = Appender.close

    def close(self: Appender, *, clean: bool = True) -> None:
        assert clean is not None
        original(self, clean=False)

    patch.setattr(Appender, "close", close)


def sync_dropped_in_reading(patch: Patch) -> None:
    original = segments_module._settled_scan

    class NoSync:
        def __init__(self, inner: FileSystem) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            return (lambda *_: None) if name == "sync_data" else getattr(self.inner, name)

    def settled(folder: Folder, name: str, visit: Visit | None) -> SegmentReading:
        return original(Folder(NoSync(folder.files), folder.handle, folder.path), name, visit)

    patch.setattr(segments_module, "_settled_scan", settled)


def cache_believed_after_a_failed_sync(patch: Patch) -> None:
    def settled(folder: Folder, name: str, visit: Visit | None) -> SegmentReading:
        with folder.opened(name) as handle:
            folder.files.sync_data(handle)
            data = durable.read_all(folder.files, handle)
            return scan(name, data, None, visit)

    patch.setattr(segments_module, "_settled_scan", settled)


def records_behind_the_next_start_counted(patch: Patch) -> None:
    patch.setattr(segments_module, "scan", lambda name, data, _=None, visit=None: scan(name, data, None, visit))


def restarted_in_the_same_file(patch: Patch) -> None:
    def restart(self: RunFiles) -> None:
        assert self._appender is not None
        self._appender.poisoned = False
        self._appender.offset += 300  # behind what may have arrived of the failed write

    patch.setattr(RunFiles, "restart_journal", restart)


def damage_not_kept(patch: Patch) -> None:
    patch.setattr(files_module, "keep_copy", lambda *_: None)


def damage_kept_after_it_made_room(patch: Patch) -> None:
    original = RunFiles._start_segment

    def start(self: RunFiles, head: Head, *rest: Any) -> None:
        with suppress(FileNotFoundError):
            self.folder.remove(segment_name(head.segment))
        self.folder.sync()
        original(self, head, *rest)

    def aside(self: RunFiles, good: int) -> None:
        behind = [number for number in segments_module.segment_numbers(self.folder) if number >= good]
        data = {segment_name(number): self.folder.read(segment_name(number)) for number in behind}
        self.delete([segment_name(number) for number in behind if number > good], durable=True)
        for name, held in data.items():
            self.folder.put(f"{name}.quarantine", held, replace=True)

    patch.setattr(RunFiles, "_start_segment", start)
    patch.setattr(RunFiles, "_set_damage_aside", aside)


def damage_found_again_at_every_start(patch: Patch) -> None:
    original = segment_module._judge

    def judge(reading: SegmentReading, until: Position | None, marks: list[Position], met: set[Position]) -> None:
        original(reading, until if marks else None, marks, met)

    patch.setattr(segment_module, "_judge", judge)


PLANTED: list[tuple[Callable[[Patch], None], Callable[[], None]]] = [
    (no_directory_sync, guards.crashes_of_documents),
    (no_directory_sync, guards.crashes_of_rotation),
    (no_file_sync, guards.crashes_of_documents),
    (no_file_sync, guards.crashes_of_appends),
    (renamed_before_written, guards.crashes_of_documents),
    (renamed_before_written, guards.crashes_of_appends),
    (written_in_place, guards.crashes_of_documents),
    (written_in_place, guards.crashes_of_rotation),
    (no_sync_of_appends, guards.crashes_of_appends),
    (acknowledged_before_the_sync, guards.crashes_of_appends),
    (sync_retried, guards.failed_syncs),
    (watermark_of_the_batch_itself, guards.crashes_of_appends),
    (watermark_of_what_is_not_synced, guards.crashes_of_unsynced_records),
    (watermark_not_judged, guards.cuts),
    (watermark_never_written, guards.cuts),
    (chain_not_checked, guards.flips),
    (bad_record_skipped, guards.flips),
    (torn_tail_not_cut, guards.crashes_of_quarantine),
    (torn_tail_not_kept, guards.crashes_of_quarantine),
    (quarantine_after_the_cut, guards.crashes_of_quarantine),
    (sealed_before_the_next_segment_exists, guards.crashes_of_rotation),
    (never_sealed, guards.lost_segments),
    (written_on_after_a_failed_rotation, guards.failed_rotations),
    (padding_not_cut, guards.clean_closes),
    (sync_dropped_in_reading, guards.crashes_of_serving),
    (cache_believed_after_a_failed_sync, guards.failed_syncs),
    (records_behind_the_next_start_counted, guards.crashes_of_a_restart),
    (restarted_in_the_same_file, guards.crashes_of_a_restart),
    (damage_not_kept, guards.crashes_of_salvage),
    (damage_kept_after_it_made_room, guards.crashes_of_salvage),
    (damage_found_again_at_every_start, guards.repeated_damage),
]


def _outcome(guard: Callable[[], None]) -> AssertionError | None:
    try:
        guard()
    except AssertionError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("plant", "guard"), PLANTED, ids=[f"{plant.__name__}-{guard.__name__}" for plant, guard in PLANTED]
)
def test_each_planted_bug_is_caught(
    plant: Callable[[Patch], None], guard: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect in the protocol makes the check that guards it fail, by its own word and not by an accident."""
    plant(monkeypatch)
    assert _outcome(guard) is not None


@pytest.mark.parametrize("guard", guards.GUARDS)
def test_no_guard_cries_wolf(guard: Callable[[], None]) -> None:
    """Without a planted defect every guard is content."""
    assert _outcome(guard) is None


def test_every_guard_caught_something() -> None:
    """Each guard caught at least one planted defect, and there are more than twenty of them."""
    assert {guard for _, guard in PLANTED} == set(guards.GUARDS)
    assert len({plant for plant, _ in PLANTED}) > 20
