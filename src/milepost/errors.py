"""Every error Milepost raises: one tree, grouped by what the caller does next.

The second level of the tree is the decision:

- `UsageError`: the call is wrong; change the code.
- `ContentionError`: somebody else writes this run; wait, stop them, or load again.
- `StorageError`: the medium refuses; make room or repair it, then run the same command again.
- `DamageError`: stored bytes are not what was written; look, then repair or go on from what is good.
- `Changed`: code, parameters or inputs differ from what the run was made with; say what is to be done.
- `WorkError`: the processes that work for a loop died; the item or the executor is at fault.
- `ConfigError`: a setting is wrong; correct the file or the variable.

Each class has a stable `code` (never renamed, listed in ``docs/reference/errors.md``), and its
docstring is the default message. Messages say what happened, where, and what to do next. They never
contain stored values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class MilepostError(Exception):
    """Milepost could not do what was asked. *phase* names the phase of a workflow whose body raised it, if one did."""

    code = "milepost"
    phase: str | None = None

    def __init__(self, message: str | None = None) -> None:
        """Hold *message*, or the class docstring where none is given."""
        super().__init__(message or type(self).__doc__)


class UsageError(MilepostError):
    """The call is wrong: change the code that made it."""

    code = "usage"


class InvalidArgument(UsageError, ValueError):
    """An argument has a value that Milepost cannot work with."""

    code = "usage.argument"


class NotEncodable(UsageError, TypeError):
    """A value cannot be stored such that it comes back equal; the message names its path."""

    code = "usage.not-encodable"

    def __init__(self, path: str, reason: str) -> None:
        """Name the *path* of the value (``state.results[3]``) and the *reason*."""
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class ForeignCheckpoint(UsageError):
    """The named file is not a checkpoint of this phase: nothing was touched."""

    code = "usage.foreign-checkpoint"


class Reentered(UsageError):
    """A signal handler saved while a save was going on below it: let it set a flag, and save in the loop."""

    code = "usage.reentered"


class DuplicateKey(UsageError, ValueError):
    """Two items of one loop have the same key: give each its own with key=."""

    code = "usage.duplicate-key"


class AlreadyRecorded(UsageError):
    """This item has its record already, in this attempt or an earlier one."""

    code = "usage.already-recorded"


class NoItem(UsageError):
    """There is no item in hand to record for: name it with key=."""

    code = "usage.no-item"


class Unrecorded(UsageError):
    """Items were handed out and not recorded, so the phase is not complete."""

    code = "usage.unrecorded"


class PhaseClosed(UsageError):
    """This phase is not open: use it inside its `with` block."""

    code = "usage.closed"


class Forked(UsageError):
    """A forked child cannot use its parent's open phase: return the result to the parent, which records it."""

    code = "usage.forked"


class ForeignRun(UsageError):
    """The folder is kept by the other of `CheckpointManager` and `Phase`: choose another phase name."""

    code = "usage.foreign-run"


class NotEncrypted(UsageError):
    """The codec encrypts, and what is stored here is plain: `milepost rekey` encrypts it."""

    code = "usage.not-encrypted"


class MissingExtra(UsageError, ImportError):
    """An optional part of Milepost is not installed; the message names the extra."""

    code = "usage.missing-extra"


class ContentionError(MilepostError):
    """Somebody else writes this run: wait, stop them, or load again."""

    code = "contention"


class RunLocked(ContentionError):
    """Another process writes this run; the message names its host, pid and age."""

    code = "contention.locked"

    def __init__(
        self, message: str, *, host: str | None = None, pid: int | None = None, age_seconds: float | None = None
    ) -> None:
        """Hold the *message* and, where known, the holder's *host*, *pid* and *age_seconds*."""
        super().__init__(message)
        self.host = host
        self.pid = pid
        self.age_seconds = age_seconds


class Fenced(ContentionError):
    """A newer writer has taken this run over: this one may write no more."""

    code = "contention.fenced"


class VersionConflict(ContentionError):
    """A document of the store is not the one that was to be replaced: somebody else wrote it meanwhile."""

    code = "contention.version"


class StaleState(ContentionError):
    """The run moved on since this object loaded it: load again before saving."""

    code = "contention.stale-state"


class StorageError(MilepostError):
    """The medium refused: make room or repair it, then run the same command again."""

    code = "storage"


class DiskFull(StorageError):
    """There is no space left for this write; everything acknowledged before is whole."""

    code = "storage.full"

    def __init__(self, message: str, *, needed_bytes: int | None = None, free_bytes: int | None = None) -> None:
        """Hold the *message*, and *needed_bytes* and *free_bytes* where they could be read."""
        super().__init__(message)
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes


class StoreUnavailable(StorageError):
    """The store could not be read or written; the message names the file and the system's reason."""

    code = "storage.unavailable"


class DurabilityUnknown(StorageError):
    """A write or sync failed part way, so nobody knows what the disk holds of it; it was not acknowledged."""

    code = "storage.durability-unknown"


class UnsafeStore(StorageError):
    """A file or folder is not one that can be trusted: a link, a device, another owner, or a network filesystem."""

    code = "storage.unsafe"


class DamageError(MilepostError):
    """Stored bytes are not what was written: look at the named file before going on."""

    code = "damage"


class CorruptJournal(DamageError):
    """A journal holds a record that was acknowledged and is no longer what was written."""

    code = "damage.journal"


class LostRecords(DamageError):
    """Records that were acknowledged are missing from the journal."""

    code = "damage.lost-records"


class CorruptCheckpoint(DamageError):
    """A checkpoint file is not what was written."""

    code = "damage.checkpoint"


class CorruptDocument(DamageError):
    """A document of the store is not what was written."""

    code = "damage.document"


class NotDecodable(DamageError):
    """Stored bytes do not form a value of the documented format."""

    code = "damage.not-decodable"


class Tampered(DamageError):
    """Something encrypted is whole, and is not what was encrypted for this place: it was altered, moved or forged."""

    code = "damage.tampered"


class Changed(MilepostError):
    """Something this run was made with has changed: keep the results, start over, or undo the change."""

    code = "changed"

    def __init__(self, message: str | None = None, *, changes: Sequence[Any] = ()) -> None:
        """Hold the *message* and the *changes*, each with ``kind``, ``name``, ``old`` and ``new``."""
        super().__init__(message)
        self.changes = list(changes)


class WorkError(MilepostError):
    """The workers of a loop died: look at the item or the executor, then run the same command again."""

    code = "work"


class WorkerDied(WorkError):
    """An item ended its worker process, more often than is allowed."""

    code = "work.worker-died"


class WorkersLost(WorkError):
    """The executor broke, and it is not ours to make anew: pass a function that makes one, or run again."""

    code = "work.workers-lost"


class PhaseTimeout(WorkError):
    """A phase took longer than timeout_seconds allows; everything recorded is safe."""

    code = "work.timeout"


class PhaseFailed(WorkError):
    """A phase of a workflow failed; the message names it, and the cause is the error of its body."""

    code = "work.phase-failed"


class ConfigError(MilepostError):
    """A setting is wrong: correct the file or the variable that the message names."""

    code = "config"


class KeyMissing(ConfigError):
    """Something is encrypted, and no key was given: set MILEPOST_KEY or give a key file."""

    code = "config.key-missing"


class WrongKey(ConfigError):
    """Something is encrypted under another key than those that were given; the message names the ids of both."""

    code = "config.wrong-key"


class BudgetReached(SystemExit):
    """A budget was reached; everything recorded is safe, and the same command goes on from there.

    Like `Interrupted` it is an exit and no `MilepostError`: ``except Exception`` does not swallow it. Uncaught, the
    process ends with exit code 4.
    """

    EXIT_CODE = 4

    def __init__(self, message: str, *, limit: str) -> None:
        """Hold the *message* and the name of the *limit* that was reached: ``max_cost_usd`` or ``max_seconds``."""
        super().__init__(self.EXIT_CODE)
        self.message = message
        self.limit = limit

    def __str__(self) -> str:
        """Return the message."""
        return self.message


class Interrupted(SystemExit):
    """A signal asked this process to stop; everything recorded is safe, and the same command goes on from there.

    It is no `MilepostError`, so that ``except Exception`` does not swallow it. Uncaught, the process ends with the
    exit code 128 + signal, as shells expect.
    """

    def __init__(self, message: str, *, signal_number: int) -> None:
        """Hold the *message* and the number of the signal."""
        super().__init__(128 + signal_number)
        self.message = message
        self.signal_number = signal_number

    def __str__(self) -> str:
        """Return the message."""
        return self.message
