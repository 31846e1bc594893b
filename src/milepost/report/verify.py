"""Whether what is stored is what was written: every check looks at one run, reads only, and says what it finds.

To add a check, write a function from `Look` to findings and add it to `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from milepost.errors import CorruptDocument, DamageError, InvalidArgument, NotDecodable, Tampered
from milepost.records import Position, chain_of, unseal
from milepost.report import receipts
from milepost.report.overview import damaged_checkpoints
from milepost.run import Loaded, load_current
from milepost.run.index import Index
from milepost.run.manifest import MANAGER_KEEPER, PHASE_KEEPER, read_manifest
from milepost.run.place import Where
from milepost.run.subject import SEALED, Subject, looked_at, runs_aside, stored_value
from milepost.stores import JournalReading

_WORD = "milepost-witness"
_LOOKS = 8


class Finding(NamedTuple):
    """Something that is not as it was written: which *check* found it, and what it says."""

    check: str
    message: str


@dataclass(slots=True)
class Witness:
    """A line to keep elsewhere: the run's id and its newest record. A store put back to before it does not agree."""

    phase: str
    run: str
    sequence: int
    chain: str

    def line(self) -> str:
        """Return the line; the phase's name is percent-encoded."""
        return f"{_WORD} 1 {quote(self.phase, safe='')} {self.run} {self.sequence} {self.chain}"


@dataclass(slots=True)
class Verified:
    """What was found of one run; *folder* is its name below ``runs/``, None for the phase's own.

    *notes* are worth knowing and no damage.
    """

    phase: str
    folder: str | None
    records: int = 0
    checkpoints: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    witness: Witness | None = None


@dataclass(slots=True)
class Look:
    """A run and what was read of it once, for all checks."""

    subject: Subject
    reading: JournalReading | None = None
    loaded: Loaded | None = None
    error: DamageError | None = None
    index: Index | None = None
    outputs: bool = True
    kept: Sequence[Witness] = ()
    passed: dict[int, str] = field(default_factory=dict)


Check = Callable[[Look], Iterator[Finding]]


def verify(
    root: Where, phase: str, *, kept: Sequence[Witness] = (), with_runs: bool = False, outputs: bool = True
) -> list[Verified]:
    """Check a phase's run, and those that were set aside if asked; changes nothing and takes no lock.

    Args:
        root: The checkpoint folder or store.
        phase: The phase's name.
        kept: Lines that were kept earlier: each must name a point of this history.
        with_runs: Check the runs below ``runs/`` too.
        outputs: Hold the files that the phase declared as written against its receipt.

    Raises:
        InvalidArgument: There is no such phase, or nothing in it.
        NotDecodable: It was written by a newer Milepost.
        StorageError: The medium refused.
    """
    with looked_at(root, phase) as subject:
        if subject.keeper is None and subject.manifest is None:
            raise InvalidArgument(f"{subject.path}: nothing of Milepost is kept here.")
        aside = runs_aside(subject.store)
        verified = [_verified(subject, [] if aside else kept, outputs=outputs)]
        own = subject.manifest.run if subject.manifest else None
    wanted = aside if with_runs or any(line.run != own for line in kept) else []
    for folder in wanted:
        with looked_at(root, phase, folder) as subject:
            verified.append(_verified(subject, ()))
    if aside and kept:
        verified[0].findings += _disagreements(root, phase, [None, *aside], kept)
    return verified if with_runs else verified[:1]


def read_witnesses(path: Path) -> list[Witness]:
    """Return the lines of a file that `Witness.line` wrote; others in it are passed over.

    Raises:
        InvalidArgument: There is no such file, or no such line in it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"{path}: the file cannot be read: {type(error).__name__}.") from error
    found = []
    for words in map(str.split, lines):
        if words[:1] == [_WORD]:
            if len(words) != 6 or words[1] != "1" or not words[4].isdecimal():
                raise InvalidArgument(f"{path}: a line of it is no witness line of this Milepost.")
            found.append(Witness(unquote(words[2]), words[3], int(words[4]), words[5]))
    if not found:
        raise InvalidArgument(f"{path}: there is no witness line in this file; `milepost verify` prints them.")
    return found


def _verified(subject: Subject, kept: Sequence[Witness], *, outputs: bool = False) -> Verified:
    look = _read(subject, kept)
    look.outputs = outputs  # what was set aside may have written files that a later run replaced
    done = Verified(subject.phase, subject.folder)
    for check in CHECKS:
        done.findings += [one for one in check(look) if one.message not in [known.message for known in done.findings]]
    if look.index is not None and not done.findings and not receipts.is_current(subject, look.index):
        done.notes.append(f"{subject.path}: the newest result has no receipt yet; run the job once more to write it.")
    reading, manifest = look.reading, subject.manifest
    done.records = reading.count if reading else 0
    done.checkpoints = len(look.loaded.entries) if look.loaded else 0
    run = manifest.run if manifest else (reading.run if reading else None)
    if reading is not None and run is not None:
        done.witness = Witness(subject.phase, run, reading.end.sequence, reading.end.chain)
    return done


def _read(subject: Subject, kept: Sequence[Witness]) -> Look:
    """Read a run. A writer may be at work, so damage counts only if two looks in a row agree on it."""
    look = Look(subject, kept=kept)
    wanted = {line.sequence for line in kept}
    told: list[str] | None = None
    for _ in range(_LOOKS):
        index = Index() if subject.keeper == PHASE_KEEPER else None
        look.passed, look.error, look.index = {}, None, index

        def see(first: int, lines: list[bytes], index: Index | None = index) -> None:
            if index is not None:
                index.see(first, lines)
            for sequence in wanted:
                if first <= sequence < first + len(lines):
                    look.passed[sequence] = chain_of(lines[sequence - first])

        try:
            look.reading = subject.store.read_journal(see)
        except NotDecodable as error:
            look.error = error
        damage = [str(one.error) for one in look.reading.damage] if look.reading else []
        if not damage or damage == told:
            break
        told = damage
    if subject.keeper == MANAGER_KEEPER:
        try:
            look.loaded = load_current(subject.store, stored_value)
        except Tampered as error:
            look.error = error
    return look


# --- the checks


def _manifest(look: Look) -> Iterator[Finding]:
    """Find a manifest that is not what was written."""
    try:
        read_manifest(look.subject.store)
    except CorruptDocument as error:
        yield Finding("manifest", str(error))


def _journal(look: Look) -> Iterator[Finding]:
    """Find what chains and watermarks do not prove, and a journal that is not of the manifest's run."""
    if look.error is not None:
        yield Finding("journal", f"{look.subject.path}: {look.error}")
    if look.reading is None:
        if look.subject.manifest is not None and look.subject.keeper == PHASE_KEEPER:
            yield Finding("journal", f"{look.subject.path}: the journal is missing.")
        return
    yield from (Finding("journal", str(one.error)) for one in look.reading.damage)
    yield from (Finding("journal", warning) for warning in look.reading.warnings)
    manifest = look.subject.manifest
    if manifest is not None and look.reading.run not in (None, manifest.run):
        yield Finding("journal", f"{look.subject.path}: the journal is of run {look.reading.run}, not {manifest.run}.")


def _checkpoints(look: Look) -> Iterator[Finding]:
    """Find checkpoints with a byte that is not what was written, and a journal that does not lead to the newest."""
    if look.loaded is not None:
        yield from (Finding("checkpoints", str(error)) for error in look.loaded.damage)
        yield from (Finding("checkpoints", line) for line in damaged_checkpoints(look.subject.store, look.loaded))


def _documents(look: Look) -> Iterator[Finding]:
    """Find other sealed documents that are not what was written."""
    store = look.subject.store
    for name in SEALED:
        if not store.has(name):
            continue
        try:
            data = store.read(name)
        except DamageError as error:
            yield Finding("documents", str(error))
            continue
        if unseal(data.rstrip(b"\n")) is None:
            yield Finding("documents", f"{look.subject.path / name}: it is not what was written.")


def _receipt(look: Look) -> Iterator[Finding]:
    """Find what is not as the receipt of a finished run says; of a damaged journal it would say nothing new."""
    is_sound = look.error is None and look.reading is not None and not look.reading.damage
    if look.index is not None and is_sound:
        with suppress(Tampered):  # it is told as a document
            for line in receipts.differences(look.subject, look.index, outputs=look.outputs):
                yield Finding("receipt", line)


def _witness(look: Look) -> Iterator[Finding]:
    """Find kept lines that name no point of this history."""
    end = look.reading.end if look.reading else Position(0, "")
    for line in look.kept:
        yield from _disagreement(look, line, end)


CHECKS: tuple[Check, ...] = (_manifest, _journal, _checkpoints, _documents, _receipt, _witness)


def _disagreement(look: Look, line: Witness, end: Position) -> Iterator[Finding]:
    path, run = look.subject.path, look.reading.run if look.reading else None
    if line.run != run:
        yield Finding("witness", f"{path}: run {line.run}, which was here when the line was kept, is gone.")
    elif line.sequence > end.sequence:
        yield Finding(
            "witness",
            f"{path}: {line.sequence} records were here when the line was kept, and there are {end.sequence}: the "
            "store was put back to an older state.",
        )
    elif line.sequence and look.passed.get(line.sequence) != line.chain:
        yield Finding("witness", f"{path}: record {line.sequence} is another one than when the line was kept.")


def _disagreements(root: Where, phase: str, folders: list[str | None], kept: Sequence[Witness]) -> Iterator[Finding]:
    """Look for each line's run wherever it is now: it may have been set aside since."""
    for line in kept:
        found: list[Finding] = []
        for folder in folders:
            with looked_at(root, phase, folder) as subject:
                look = _read(subject, [line])
                found = list(_witness(look))
                if look.reading is not None and look.reading.run == line.run:
                    break
        yield from found
