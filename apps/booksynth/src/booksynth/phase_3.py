"""Phase 3, Consolidation and Synthesis: the order of things, on a `milepost.CheckpointManager`.

Load, compare the inputs with what is saved, read what is not, consolidate, mark complete, write the
results. The mark comes before the results: it takes the run's lock, so that of two runs the refused
one has written nothing, and a run killed in between restores the results from it.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from booksynth import inputs, lineage, progress, results
from booksynth.consolidate import consolidate
from booksynth.inputs import Content, Found, UnreadableError
from booksynth.interrupts import Interrupts
from booksynth.progress import COMPLETE, PHASE, Plan, Progress
from booksynth.report import Report, now, shown
from booksynth.request import CONSOLIDATED, PAGE, REPORT, SUMMARY, TABLE, InputError, Listener, Request
from booksynth.shards import SHARD_FORMAT, Entry, Problem, vectors_of, with_vectors
from booksynth.trackers import SUFFIX, parse
from milepost import CheckpointManager, write_durably
from milepost.errors import StoreUnavailable

log = logging.getLogger(__name__)


def run(request: Request, listener: Listener, interrupts: Interrupts) -> Report:
    """Run the phase and return what it did.

    Raises:
        InputError: The folder of the trackers is missing or holds none.
        Interrupted: Somebody asked the run to stop; what is finished is kept.
        milepost.MilepostError: Progress or results could not be kept; the error says what to do.
    """
    begun = time.monotonic()
    found = _discover(request)
    manager = _manager(request)
    with manager if manager is not None else nullcontext():
        one = _Run(request, listener, interrupts, manager, found)
        one.report.timings["started_at"] = now()
        one.execute()
        one.report.timings["total_seconds"] = round(time.monotonic() - begun, 3)
        if not request.dry_run:
            one.write(REPORT, one.report.encode())
        return one.report


def _discover(request: Request) -> list[Found]:
    folder = request.analysis_dir
    try:
        found = inputs.discover(folder, request.settings.phases.phase_3.max_file_mb)
    except OSError as error:
        message = f"the analysis folder {shown(folder)} cannot be listed: {error.strerror}"
        raise InputError(message) from error
    if not found:
        raise InputError(f"no file named *{SUFFIX} in {shown(folder)}: nothing to consolidate")
    return found


def _manager(request: Request) -> CheckpointManager | None:
    settings = request.settings.checkpoints
    if not settings.enabled:
        return None
    return CheckpointManager(
        PHASE,
        checkpoint_dir=request.checkpoint_dir,
        ttl_hours=settings.ttl_hours,
        max_checkpoints=settings.max_checkpoints,
        save_interval_seconds=settings.save_interval_seconds,
    )


class _Run:
    """One run, from the saved progress to the written results."""

    def __init__(
        self,
        request: Request,
        listener: Listener,
        interrupts: Interrupts,
        manager: CheckpointManager | None,
        found: list[Found],
    ) -> None:
        self.report = Report(
            dry_run=request.dry_run,
            strict=request.strict,
            fresh=request.fresh,
            books_total=len(found),
            outputs={name: shown(request.output_dir / name) for name in (CONSOLIDATED, TABLE, SUMMARY, PAGE, REPORT)},
        )
        self._request = request
        self._settings = request.settings.phases.phase_3
        self._listener = listener
        self._interrupts = interrupts
        self._manager = manager
        self._found = found
        self._unread: list[Problem] = []
        self._books: dict[str, dict[str, Any]] = {}

    def execute(self) -> None:
        """Do all of it but writing the report."""
        loaded, saved = self._load()
        before = dict(saved.entries)
        plan = progress.compare(saved, self._found, self._digest)
        self._describe(plan, saved)
        self._books = {name: entry.dump() for name, entry in saved.entries.items()}
        with self._timed("read_seconds"):
            self._read(plan, saved)
        fingerprint = progress.fingerprint(saved.entries, self._unread, self._settings)
        if fingerprint == saved.fingerprint and not self._request.dry_run:
            self._reuse(loaded, saved, is_stale=before != saved.entries)
            return
        with self._timed("consolidate_seconds"):
            outputs = self._consolidate(saved)
        if self._refused() or self._request.dry_run:
            return
        self._complete(saved, fingerprint, outputs)
        self._write_results(outputs, is_new=True)

    def write(self, name: str, data: bytes) -> None:
        """Write one file of the output folder, whole or not at all."""
        with self._interrupts.held():
            self._make_output_dir()
            write_durably(self._request.output_dir / name, data)

    def _write_results(self, outputs: dict[str, str], *, is_new: bool) -> None:
        """Write them, saved ones where they are missing or altered; the lineage of an earlier document first."""
        folder = self._request.output_dir
        document = json.loads(outputs[CONSOLIDATED])
        lineage.keep(folder, document, lambda path, data: self.write(path.name, data))
        for name, text in outputs.items():
            if is_new or not _holds(folder / name, text.encode()):
                self.write(name, text.encode())
                self.report.written.append(name)

    def _load(self) -> tuple[dict[str, Any] | None, Progress]:
        manager = self._manager
        if manager is None:
            self._listener.note("Checkpoints are off: nothing is kept if this run is stopped.")
            return None, Progress()
        if self._request.fresh:
            if not self._request.dry_run:
                with self._interrupts.held():
                    manager.clear_all_checkpoints()
            done = "not used" if self._request.dry_run else "deleted"
            self._listener.note(f"Saved progress is {done}: every book is read.")
            return None, Progress()
        # Every input is compared with what was saved, so age alone makes no progress wrong.
        loaded = manager.get_latest_checkpoint(include_expired=True)
        if loaded is not None:
            log.info(
                "progress of %s found; its age does not matter, every input is compared",
                loaded["timestamp"],
            )
        return loaded, progress.load(loaded, self._settings.matching)

    def _describe(self, plan: Plan, saved: Progress) -> None:
        self.report.books_restored = len(plan.restored)
        self.report.books_verified = len(plan.verified)
        self.report.changed = plan.changed
        self.report.new = plan.new
        self.report.removed = plan.removed
        self.report.resumed_from = saved.iteration
        self._unread = list(plan.problems)
        self._listener.begin(plan, len(self._found), saved)

    def _digest(self, found: Found) -> Entry | None:
        try:
            content = inputs.read(found, self._settings.max_file_mb)
        except UnreadableError:
            return None
        return _entry(content, None, [])

    def _read(self, plan: Plan, saved: Progress) -> None:
        try:
            for found in plan.to_read:
                entry = self._read_one(found)
                if entry is not None:
                    saved.entries[found.name] = entry
                    self._books[found.name] = entry.dump()
                    self._save(saved)
                self._listener.book(found, entry)
        except BaseException:
            self._keep(saved)
            raise
        finally:
            self._listener.end()

    def _read_one(self, found: Found) -> Entry | None:
        try:
            content = inputs.read(found, self._settings.max_file_mb)
        except UnreadableError as error:
            self._unread.append(error.problem)
            return None
        self.report.books_read += 1
        return with_vectors(_entry(content, *parse(found.name, content.data)), self._settings.matching)

    def _state(self, saved: Progress) -> dict[str, Any]:
        return {"format": progress.STATE_FORMAT, "inputs": saved.inputs, "books": self._books}

    def _save(self, saved: Progress, *, force: bool = False) -> None:
        if self._manager is None or self._request.dry_run:
            return
        with self._interrupts.held():
            self._make_output_dir()
            self._manager.save_checkpoint(len(saved.entries), self._state(saved), force=force)

    def _keep(self, saved: Progress) -> None:
        """Save by force where timed saving is off, so that stopping on purpose loses nothing."""
        if self._books and not self._request.settings.checkpoints.save_interval_seconds:
            self._save(saved, force=True)

    def _consolidate(self, saved: Progress) -> dict[str, str]:
        shards = {name: one.shard for name, one in saved.entries.items() if one.shard is not None}
        problems = [problem for one in saved.entries.values() for problem in one.problems]
        vectors = vectors_of(saved.entries.values(), self._settings.matching)
        result = consolidate(shards, [*problems, *self._unread], self._settings, vectors)
        self.report.totals = result.document["totals"]
        self.report.problems = result.problems
        return results.render(result.document)

    def _refused(self) -> bool:
        if self._request.dry_run:
            self.report.status = "dry-run"
        if self._request.strict and self.report.problems:
            self.report.status = "refused"
            return True
        return False

    def _complete(self, saved: Progress, fingerprint: str, outputs: dict[str, str]) -> None:
        """Mark the run complete, by a checkpoint that holds the results; older ones go."""
        if self._manager is None:
            return
        result = {"fingerprint": fingerprint, "outputs": outputs}
        state = {**self._state(saved), "result": result}
        with self._interrupts.held():
            self._make_output_dir()
            path = self._manager.save_checkpoint(len(saved.entries), state, COMPLETE, force=True)
            self._clean_up(path)

    def _clean_up(self, kept: Path | None) -> None:
        if self._manager is None or kept is None:
            return
        for one in self._manager.list_checkpoints():
            if Path(one["path"]).name != kept.name:
                self._manager.delete_checkpoint(Path(one["path"]))

    def _reuse(self, loaded: dict[str, Any] | None, saved: Progress, *, is_stale: bool) -> None:
        """Give the saved results back; files of theirs that are missing or altered are restored."""
        document = json.loads(saved.outputs[CONSOLIDATED])
        self.report.cached = True
        self.report.totals = document["totals"]
        self.report.problems = [Problem(**one) for one in document["problems"]]
        if self._refused():
            return
        if is_stale:
            # The same content under new signatures: kept, so that the next run need not look again.
            self._complete(saved, str(saved.fingerprint), saved.outputs)
        else:
            self._finish_clean_up(loaded)
        self._write_results(saved.outputs, is_new=False)

    def _finish_clean_up(self, loaded: dict[str, Any] | None) -> None:
        """Delete what a run that was killed behind its last checkpoint left."""
        listed = self._manager.list_checkpoints() if self._manager is not None else []
        # The newest file must be the one that was loaded, not one that was passed over as damaged.
        if len(listed) > 1 and loaded and listed[0]["timestamp"] == loaded["timestamp"]:
            with self._interrupts.held():
                self._clean_up(Path(listed[0]["path"]))

    def _make_output_dir(self) -> None:
        folder = self._request.output_dir
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"the output folder {shown(folder)} cannot be made: {error.strerror}"
            raise StoreUnavailable(message) from error

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self.report.timings[name] = round(time.monotonic() - begun, 3)


def _entry(content: Content, shard: Any, problems: list[Problem]) -> Entry:
    return Entry(SHARD_FORMAT, content.signature, content.is_racy, content.digest, shard, problems)


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False
