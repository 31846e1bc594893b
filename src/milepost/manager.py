"""`CheckpointManager`: checkpoints of a phase's state, as the book workflow has always called them, made safe."""

from __future__ import annotations

import logging
import os
import sys
import weakref
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from milepost import codec, delta
from milepost.checkpoint import is_checkpoint_name
from milepost.clock import Clock, SystemClock
from milepost.codec.coding import Codec
from milepost.errors import ForeignCheckpoint, InvalidArgument, StaleState
from milepost.retention import is_expired
from milepost.run import Entry, Loaded, Place, RunWriter, leave, list_entries, load_current, open_writer, running_writer
from milepost.run.coded_place import bare_location
from milepost.run.place import FolderLocation, Where, location_for_job, pinned, terms_of
from milepost.run.progress import Mark

_SECONDS_PER_HOUR = 3600
_LARGEST_ITERATION = 2**63 - 1

log = logging.getLogger(__name__)


class CheckpointManager:
    """Keeps the progress of one phase such that what was saved is there again after a crash.

    A forced or due save is a readable JSON file; a throttled one goes to the journal beside it, so nothing
    saved is ever lost to the interval. Reading never locks or changes anything. One process writes a phase.

    Args:
        phase: The phase's name, which names its folder.
        checkpoint_dir: The folder that holds the phases' folders, or the URL of a store.
        ttl_hours: Hours after which progress counts as expired; None for never.
        max_checkpoints: How many checkpoint files retention leaves, at least 1.
        save_interval_seconds: Seconds between checkpoint files of unforced saves; 0 turns unforced saving off.
        allow_network_filesystem: Write even where locks and syncs are not sound (NFS and its like).
        lease_seconds: In a shared store: after how many seconds without a sign of life another machine may go on; None
            for what ``MILEPOST_LEASE_SECONDS`` says, or 30.
        take_over: In a shared store: take the phase from another process that holds it, at once.
        codec: How values are written (`milepost.Codec`); None keeps to what the run has, and to plain for a new one.
        clock: The clock to go by, for tests.

    Raises:
        InvalidArgument: A name or number that cannot be worked with.
    """

    def __init__(
        self,
        phase: str,
        checkpoint_dir: Where = Path("checkpoints/"),
        ttl_hours: float | None = 24,
        max_checkpoints: int = 10,
        save_interval_seconds: float = 300,
        *,
        allow_network_filesystem: bool = False,
        lease_seconds: float | None = None,
        take_over: bool = False,
        codec: Codec | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Hold the settings; nothing is read, made or locked yet."""
        if ttl_hours is not None:
            _check_number("ttl_hours", ttl_hours, least=0, most=timedelta.max.days * 24)
        _check_number("save_interval_seconds", save_interval_seconds, least=0)
        if type(max_checkpoints) is not int or max_checkpoints < 1:
            raise InvalidArgument(f"max_checkpoints {max_checkpoints!r}: a whole number of at least 1 is needed.")
        terms = terms_of(lease_seconds, take_over=take_over)
        self._place = Place(pinned(location_for_job(checkpoint_dir, terms, codec)), phase)
        self.phase = phase
        self.checkpoint_dir = self._place.location.path_of(self._place.name)
        self.ttl = None if ttl_hours is None else timedelta(hours=ttl_hours)
        self.max_checkpoints = max_checkpoints
        self.save_interval = save_interval_seconds
        self._allow_network_filesystem = allow_network_filesystem
        self._clock = clock or SystemClock()
        self._writer: RunWriter | None = None
        self._saved_at: float | None = None
        self._seen: Mark | None = None
        self._seen_beside: weakref.ref[RunWriter] | None = None
        self._take_up = False

    # --- saving

    def save_checkpoint(
        self, iteration: int, state: Any, metadata: dict[str, Any] | None = None, force: bool = False
    ) -> Path | None:
        """Save the state durably: when this returns, it survives SIGKILL and power loss.

        Args:
            iteration: Where the work stands, a whole number of at least 0.
            state: The state, usually a dict; every value must come back equal, type for type.
            metadata: A dict kept beside the state.
            force: Write a checkpoint file whatever the interval.

        Returns:
            The path of the checkpoint file that holds the state (in a shared store its key), or None where the
            interval has not passed: then the change went to the journal (or, with an interval of 0, nothing was saved).

        Raises:
            NotEncodable: A value would not come back equal; the message names its path.
            InvalidArgument: The iteration is not a whole number of at least 0.
            RunLocked: Another process writes this phase.
            StaleState: Another process saved progress since this object loaded.
            DiskFull: There is no room; the old state is whole.
            StorageError: The medium refused; the old state is whole.
        """
        if self.save_interval == 0 and not force:
            return None
        if type(iteration) is not int or not 0 <= iteration <= _LARGEST_ITERATION:
            raise InvalidArgument(f"iteration {iteration!r}: a whole number of at least 0 is needed.")
        if metadata is not None and type(metadata) is not dict:
            raise InvalidArgument(f"metadata is a {type(metadata).__name__}: a dict is needed.")
        encoded = delta.encode_state(state)
        labels = codec.encode({} if metadata is None else metadata, "metadata")
        now = self._clock.monotonic()
        due = force or self._saved_at is None or now - self._saved_at >= self.save_interval
        path = self._open().save(
            iteration, encoded, labels, to_file=due, most=self.max_checkpoints, ttl_seconds=self._ttl_seconds
        )
        if path is None:
            log.debug("%s: iteration %d saved to the journal.", self.checkpoint_dir, iteration)
        else:
            self._saved_at = now
        return path

    def delete_checkpoint(self, checkpoint_file: str | os.PathLike[str]) -> None:
        """Delete one checkpoint file; deleting the newest goes back to the one before it.

        Raises:
            ForeignCheckpoint: It is not a checkpoint of this phase; nothing was touched.
            RunLocked: Another process writes this phase.
            StaleState: Another process saved progress since this object loaded.
            StorageError: The medium refused.
        """
        path = Path(checkpoint_file)
        if not is_checkpoint_name(path.name) or not self._is_inside(path):
            raise ForeignCheckpoint(f"{path}: this is no checkpoint of phase {self.phase!r}; nothing was deleted.")
        self._take_up = True  # the caller works on this very progress, so it is not set aside
        self._open().delete(path.name)
        log.info("%s: deleted.", path)

    def clear_all_checkpoints(self) -> int:
        """Delete all progress of the phase: checkpoints, journals, and runs that were set aside.

        Returns:
            How many checkpoint files were deleted.

        Raises:
            RunLocked: Another process writes this phase.
            StorageError: The medium refused; what is left is not loaded.
        """
        store = self._place.existing()
        if store is None:
            return 0
        store.close()
        self._seen, self._take_up = None, True
        count = self._open().clear()
        self._forget()
        log.info("%s: cleared, %d checkpoints deleted.", self.checkpoint_dir, count)
        return count

    # --- reading

    def get_latest_checkpoint(self, include_expired: bool = False) -> dict[str, Any] | None:
        """Return the newest saved state: the newest good checkpoint and everything journalled after it.

        Args:
            include_expired: Load progress older than the TTL as well, and let the next save go on with it.

        Returns:
            A dict of ``phase, iteration, timestamp, state, metadata``, or None if there is none. Torn or
            damaged files are passed over, each with an ERROR log that says what is lost.

        Raises:
            NotDecodable: The state holds a class that is not registered here, or is of a newer format.
            StorageError: The medium refused.
        """
        loaded = self._load()
        progress = loaded.progress
        if progress is None:
            log.info("%s: no checkpoint.", self.checkpoint_dir)
            return None
        age_hours = max(0.0, self._clock.now() - progress.time) / _SECONDS_PER_HOUR
        if not include_expired and self._is_expired(progress.time):
            log.warning(
                "%s: progress of iteration %s is %.1f hours old and expired, so it is not used. It is kept: take it up "
                "with get_latest_checkpoint(include_expired=True), or delete it with clear_all_checkpoints().",
                self.checkpoint_dir,
                progress.iteration,
                age_hours,
            )
            self._take_up = False
            return None
        self._take_up = True
        log.info("%s: iteration %s loaded, %.1f hours old.", self.checkpoint_dir, progress.iteration, age_hours)
        return {
            "phase": self.phase,
            "iteration": progress.iteration,
            "timestamp": progress.timestamp,
            "state": progress.state,
            "metadata": progress.metadata,
        }

    def list_checkpoints(self) -> list[dict[str, Any]]:
        """Return the checkpoint files, newest first.

        Returns:
            Dicts of ``file, path, iteration, timestamp, age_hours, size_kb, expired``.

        Raises:
            StorageError: The medium refused.
        """
        store = self._place.existing()
        if store is None:
            return []
        with store:
            entries, damage = list_entries(store)
        for error in damage:
            log.error("%s It is passed over.", error)
        return [self._described(entry) for entry in entries]

    def get_checkpoint_stats(self) -> dict[str, Any]:
        """Return how many checkpoints there are, how large and how old.

        Returns:
            A dict of ``total_checkpoints, valid_checkpoints, expired_checkpoints, total_size_mb,
            oldest_age_hours, newest_age_hours`` and the list ``checkpoints``.

        Raises:
            StorageError: The medium refused.
        """
        checkpoints = self.list_checkpoints()
        ages = [one["age_hours"] for one in checkpoints]
        expired = sum(one["expired"] for one in checkpoints)
        return {
            "total_checkpoints": len(checkpoints),
            "valid_checkpoints": len(checkpoints) - expired,
            "expired_checkpoints": expired,
            "total_size_mb": sum(one["size_kb"] for one in checkpoints) / 1024,
            "oldest_age_hours": max(ages, default=0.0),
            "newest_age_hours": min(ages, default=0.0),
            "checkpoints": checkpoints,
        }

    # --- as a context manager; closing is a courtesy, not a duty

    def close(self) -> None:
        """Let other processes write this phase, and give back the disk space held ahead. Saving opens it again."""
        writer = self._writer
        self._forget()
        if writer is not None:
            self._seen, self._take_up, self._seen_beside = writer.mark, True, weakref.ref(writer)
            self._leave(writer)

    def __enter__(self) -> Self:
        """Return the manager."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    # --- inside

    @property
    def _ttl_seconds(self) -> float | None:
        return None if self.ttl is None else self.ttl.total_seconds()

    def _is_expired(self, saved_at: float) -> bool:
        return is_expired(saved_at, ttl_seconds=self._ttl_seconds, now=self._clock.now())

    def _load(self) -> Loaded:
        store = self._place.existing()
        beside = running_writer(self._place)
        self._seen_beside = None if beside is None else weakref.ref(beside)  # a reader keeps no writer open
        if store is None:
            loaded = Loaded()
        else:
            with store:
                loaded = load_current(store)
        for error in loaded.damage:
            log.error("%s", error)
        for torn in loaded.torn:
            log.warning("%s: passed over. A kill or power cut leaves this, or the very last record is damaged.", torn)
        self._seen = loaded.mark
        return loaded

    def _open(self) -> RunWriter:
        """Become the phase's writer, unless it moved on since this object loaded."""
        open_already = self._writer  # another thread may close this object meanwhile
        if open_already is not None and not open_already.closed:
            if self._take_up:
                return open_already
            self._leave(open_already)  # what it wrote has expired meanwhile: opening again sets it aside
        writer = open_writer(
            self._place,
            self._clock,
            self,
            ttl_seconds=self._ttl_seconds,
            take_up=self._take_up,
            allow_network_filesystem=self._allow_network_filesystem,
        )
        beside = self._seen_beside is not None and self._seen_beside() is writer
        if self._seen not in (None, writer.opened_at) and not beside:
            leave(writer, self)
            raise StaleState(
                f"{self.checkpoint_dir}: another process saved progress since this manager loaded it, or another "
                "object cleared it. Nothing was written. Load again with get_latest_checkpoint() and go on from there."
            )
        self._writer, self._take_up = writer, True
        return writer

    def _leave(self, writer: RunWriter) -> None:
        leave(writer, self)

    def _is_inside(self, path: Path) -> bool:
        """Tell whether *path* names something in this phase's folder."""
        if not isinstance(bare_location(self._place.location), FolderLocation):
            return path.parent in (Path(), self.checkpoint_dir)
        return path.exists() and path.parent.resolve() == self.checkpoint_dir.resolve()

    def _forget(self) -> None:
        self._writer, self._seen, self._seen_beside, self._saved_at = None, None, None, None

    def _described(self, entry: Entry) -> dict[str, Any]:
        age_seconds = max(0.0, self._clock.now() - entry.head.time)
        return {
            "file": entry.name,
            "path": str(self.checkpoint_dir / entry.name),
            "iteration": entry.head.iteration,
            "timestamp": entry.head.timestamp,
            "age_hours": age_seconds / _SECONDS_PER_HOUR,
            "size_kb": entry.size / 1024,
            "expired": self._is_expired(entry.head.time),
        }


def _check_number(name: str, value: object, *, least: float, most: float = sys.float_info.max) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise InvalidArgument(f"{name} {value!r}: a number of at least {least:g} and at most {most:g} is needed.")
