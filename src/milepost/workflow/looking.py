"""What a phase's run holds, looked at without a lock; nothing is changed."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from milepost.errors import CorruptDocument, InvalidArgument, NotDecodable, StaleState
from milepost.phase.changes import Description, described
from milepost.phase.outputs import Output, output_digest, recorded_outputs
from milepost.phase.receipts import has_receipt
from milepost.phase.steps import Steps
from milepost.phase.work import Ambiguous
from milepost.records import Record
from milepost.run import Place
from milepost.run.index import Index
from milepost.run.manifest import PHASE_KEEPER, read_manifest
from milepost.run.place import Location, names_of_phases
from milepost.run.reading import ReadSession


class Look:
    """A run as its journal had it. *session* is None where there is none."""

    def __init__(self, session: ReadSession | None, phase: str = "") -> None:
        """Hold what *session* read of *phase*."""
        self.phase = phase
        self.session = session
        self.index = session.index if session is not None else Index()

    @classmethod
    def at(cls, root: Location, phase: str) -> Look:
        """Look at the run of *phase* below *root*.

        Raises:
            ForeignRun: It is kept by a `CheckpointManager`.
            DamageError: Acknowledged records are lost or altered.
            StorageError: The medium refused.
        """
        try:
            return cls(ReadSession.opened(Place(root, phase)), phase)
        except InvalidArgument:
            return cls(None, phase)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recorded that could be reused."""
        return self.session is None or self.index.is_empty

    @property
    def is_complete(self) -> bool:
        """Whether there is a result."""
        return self.index.completed > 0

    @property
    def description(self) -> Description:
        """What the run was described as last."""
        return described(self.session) if self.session is not None else {}

    @property
    def declared(self) -> str | None:
        """What the result was made of: the digests of the declared items and of the upstream outputs."""
        return self._completed().key if self.is_complete else None

    def failed_since(self) -> list[str]:
        """Return the items that failed in the attempt that made the result, or later.

        What failed earlier was no item of that attempt any more, else it would have been tried again.
        """
        attempt = self._completed().attempt
        return [
            key
            for group in self.index.loops.values()
            for key, failure in group.failed.items()
            if self._record(failure.sequence).attempt >= attempt
        ]

    @property
    def output_digest(self) -> str | None:
        """The digest of the result, None where there is none."""
        return output_digest(self._completed().value) if self.is_complete else None

    @property
    def completed_at(self) -> float:
        """When the result was recorded, in seconds since 1970-01-01 UTC."""
        return float(self._completed().time)

    def document(self, name: str) -> bytes | None:
        """Return a document of the run, None if there is none."""
        return self.session.document(name) if self.session is not None else None

    def result(self) -> Any:
        """Return the result."""
        assert self.session is not None, "a complete run was read"
        return self.session.value(self.index.completed)

    def result_of(self, digest: str) -> Any:
        """Return the result of that *digest*.

        Raises:
            StaleState: It is gone, or another one by now.
        """
        if not self.is_complete or self.output_digest != digest:
            raise StaleState(
                f"{self.phase}: its result is not the one that this run knows of; another process cleared the phase or "
                "ran it meanwhile. Run the workflow again."
            )
        return self.result()

    @property
    def has_receipt(self) -> bool:
        """Whether the receipt is of the result; a crash right behind a result leaves an older one, or none."""
        return self.session is None or has_receipt(self.session)

    def ambiguous(self) -> list[Ambiguous]:
        """Return the paid calls that were sent and not answered."""
        return Steps.listed(self.session) if self.session is not None else []

    def outputs(self) -> list[Output]:
        """Return the files that the phase declared as written."""
        return recorded_outputs(self.session) if self.session is not None else []

    def close(self) -> None:
        """Let go of the files."""
        if self.session is not None:
            self.session.close()

    def _completed(self) -> Record:
        return self._record(self.index.completed)

    def _record(self, sequence: int) -> Record:
        assert self.session is not None, "a run was read"
        return self.session.record(sequence)


def finished_digest(look: Look, phase: str) -> str:
    """Return the digest of the output of a *phase* that a run leaves out.

    Raises:
        InvalidArgument: It is not finished.
    """
    if not look.is_complete:
        raise InvalidArgument(
            f"phase {phase!r} is not finished, and this run leaves it out; run it first, or lift the limit."
        )
    return str(look.output_digest)


def strangers(root: Location, workflow: str, known: set[str]) -> list[str]:
    """Return the phases below *root* that were made by *workflow* and are not among the *known* ones, sorted.

    Raises:
        StorageError: The medium refused.
    """
    found = []
    with suppress(InvalidArgument):  # there is no such folder yet
        for _, phase in names_of_phases(root):
            with suppress(CorruptDocument, NotDecodable, InvalidArgument):  # told by those who read that phase
                found += _made_by(root, workflow, phase)
    return [name for name in found if name not in known]


def _made_by(root: Location, workflow: str, phase: str) -> list[str]:
    """Return the name of a phase in a list of its own if *workflow* made it."""
    store = Place(root, phase).existing()
    if store is None:
        return []
    with store:
        manifest = read_manifest(store)
    is_its = manifest is not None and manifest.keeper == PHASE_KEEPER and manifest.workflow == workflow
    return [phase] if is_its else []
