"""Reading an archive into a store: all of it is verified first, then each run appears whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from milepost.checkpoint import HEAD_READ_BYTES, Head, decode, decode_head
from milepost.clock import Clock, SystemClock
from milepost.codec.files import check, coded_name
from milepost.errors import CorruptDocument, DamageError, InvalidArgument, KeyMissing, WrongKey
from milepost.records import Position, Record, codec_of, decode_line, encode_lines, follow_all, start_of, with_value
from milepost.run import load
from milepost.run.coded import bare
from milepost.run.handover import staged, sweep, take_over
from milepost.run.index import Index
from milepost.run.manifest import PHASE_KEEPER, Manifest, Origin
from milepost.run.place import Place, Where, folder_name, location_of
from milepost.run.subject import Subject, held, is_bare, keeper_by_names, looked_at, stored_value
from milepost.stores import MANIFEST, RunStore
from milepost.upkeep import archive
from milepost.upkeep.archive import JOURNAL, RUN, Member, RunFacts
from milepost.upkeep.forking import named
from milepost.upkeep.tape import Entry, Tape, opened


class Imported(NamedTuple):
    """One run that came: its *phase* here, its id, its *records*, and whether it *was_there* already, just so."""

    phase: str
    run: str
    records: int
    was_there: bool
    aside: bool


@dataclass(slots=True)
class _Run:
    """A run of the archive while it is read."""

    facts: RunFacts
    position: Position
    index: Index = field(default_factory=Index)
    count: int = 0


def import_runs(
    path: Path, root: Where, *, name: str | None = None, replace: bool = False, clock: Clock | None = None
) -> list[Imported]:
    """Bring the runs of an archive into a checkpoint folder; their jobs go on there as where they came from.

    Every digest and every chain is verified before anything is written. A process that is killed leaves each phase
    as it was or with its whole new run, and the same command goes on. Files are written by what they are, never to
    a path that the archive names.

    Args:
        path: The archive.
        root: The checkpoint folder or store, made where it is missing.
        name: The phase's name here, for an archive of one phase.
        replace: Set aside a run that is there already; otherwise its phase is refused.
        clock: The clock.

    Raises:
        InvalidArgument: There is no such file, a phase is there already, or *name* does not fit.
        RunLocked: A process writes one of the phases.
        DamageError: The archive is not what was written; nothing was changed.
        StorageError: The medium refused.
    """
    clock = clock or SystemClock()
    with opened(path) as file:
        try:
            runs = _verified(Tape(file, path))
        except DamageError as error:
            if str(error).startswith(str(path)):
                raise
            raise type(error)(f"{path}: {error} Nothing was imported from it.") from error
    phases = {facts.phase for facts in runs}
    if name is not None and len(phases) != 1:
        raise InvalidArgument(f"{path}: a name was given, and the archive holds {len(phases)} phases.")
    names = {phase: name or phase for phase in phases}
    there = {number for number, facts in enumerate(runs) if _is_there(root, names[facts.phase], facts)}
    for number, facts in enumerate(runs):
        _check_place(root, names[facts.phase], taken_is_fine=replace or facts.aside is not None or number in there)
    with opened(path) as file:
        return _unpacked(Tape(file, path), runs, there, root, names, clock)


# --- first reading: everything is verified, nothing is written


def _verified(tape: Tape) -> list[RunFacts]:
    """Read all of an archive; return what it holds."""
    runs: list[_Run] = []
    contents: bytes | None = None
    for number, entry in enumerate(tape.entries()):
        if contents is not None:
            raise tape.wrong("there are members behind its manifest")
        if number == 0:
            _check_header(tape, entry)
        elif entry.name == archive.MANIFEST:
            before = dict(tape.digests)
            contents = tape.whole(entry)
            archive.check_contents(contents, before)
        else:
            _verify_member(tape, entry, runs)
    if contents is None:
        raise tape.wrong("its manifest is missing: it is cut off")
    own = [run.facts.phase for run in runs if run.facts.aside is None]
    if len(set(own)) < len(own):
        raise tape.wrong("a phase is in it twice")
    for run in runs:
        if run.count != run.facts.records or (run.count and run.position.chain != run.facts.chain):
            raise tape.wrong("a journal does not end where it is said to end")
        index = run.index
        if run.facts.keeper != PHASE_KEEPER and (index.groups or index.completed or index.intents or index.codes):
            raise tape.wrong("a run in it is not of the kind that it says")
        _checked_name(run.facts.phase)
    return [run.facts for run in runs]


def _check_header(tape: Tape, entry: Entry) -> None:
    if entry.name != archive.HEADER or entry.size > archive.BLOCK_BYTES:
        raise tape.wrong("this is no archive of Milepost")
    archive.check_header(tape.whole(entry))


def _verify_member(tape: Tape, entry: Entry, runs: list[_Run]) -> None:
    member = archive.member_of(entry.name)
    if member is None:
        raise tape.wrong(f"it holds a member that no archive has: {ascii(entry.name)[:100]}")
    if member.part == RUN:
        if member.run != len(runs):
            raise tape.wrong("its runs are not in order")
        facts = archive.facts_of(tape.whole(entry))
        runs.append(_Run(facts, start_of(facts.run or "")))
        return
    if member.run != len(runs) - 1:
        raise tape.wrong("its runs are not in order")
    run = runs[-1]
    if member.part == JOURNAL:
        _verify_journal(tape, entry, run)
    else:
        data = tape.whole(entry)
        if member.part == "checkpoints":
            head = _head_of(member.name, data)
            if head.run not in (None, run.facts.run) or run.facts.keeper == PHASE_KEEPER:
                raise tape.wrong(f"{member.name} belongs to another run")
            if not archive.is_head(head):
                raise tape.wrong(f"{member.name} does not say what a checkpoint says")


def _head_of(name: str, data: bytes) -> Head:
    """Return what a checkpoint says of itself, after a look at all of it; what is encrypted needs no key for that."""
    if coded_name(name):
        check(name, data)
        head = decode_head(name, data[:HEAD_READ_BYTES])
        if head is not None:
            return head
    return decode(name, data, lambda _: None).head


def _verify_journal(tape: Tape, entry: Entry, run: _Run) -> None:
    """Follow the chain, and see that each line is the very one that this record is written as here."""
    for lines in tape.lines(entry):
        before = run.position
        count, run.position = follow_all(lines, before)
        if count < len(lines):
            raise tape.wrong(f"record {run.count + count + 1} of {entry.name} is not what was written")
        if not all(map(archive.is_record, lines)):
            raise tape.wrong(f"{entry.name} holds lines that are no records")
        spelled, _ = encode_lines(map(decode_line, lines), before)
        if any(one != line + b"\n" for one, line in zip(spelled, lines, strict=True)):
            raise tape.wrong(f"{entry.name} holds records that are spelled in another way")
        run.index.see(run.count + 1, [with_value(line, None) if codec_of(line) else line for line in lines])
        run.count += len(lines)


def _checked_name(phase: str) -> None:
    try:
        folder_name(phase)
    except InvalidArgument as error:
        raise CorruptDocument(f"{RUN}: it names a phase that cannot be one.") from error


# --- second reading: each run is made below runs/, then takes its place


def _unpacked(
    tape: Tape, runs: Sequence[RunFacts], there: set[int], root: Where, names: dict[str, str], clock: Clock
) -> list[Imported]:
    done: list[Imported] = []
    members = _members(tape, runs)
    for number, facts in enumerate(runs):
        phase = names[facts.phase]
        mine = _mine(members, number)
        if number in there:
            for entry, _ in mine:
                for _ in tape.pieces(entry):
                    pass
            with held(root, phase, clock):  # what a killed process had begun is finished
                pass
            done.append(Imported(phase, facts.run or "", facts.records, was_there=True, aside=facts.aside is not None))
            continue
        with held(root, phase, clock, make=True) as subject:
            sweep(subject.store)
            run = facts.run or subject.store.token()
            origin = Origin(**facts.origin) if facts.origin else None
            manifest = Manifest(run, phase, facts.created, keeper=facts.keeper, origin=origin)
            aside = facts.aside is not None
            with staged(subject.store, manifest, named=aside) as (folder, store):
                _fill(tape, mine, store, manifest, facts)
            if not aside:
                take_over(subject.store, _current(subject, clock), folder)
        done.append(Imported(phase, run, facts.records, was_there=False, aside=aside))
    return done


_Members = Iterator[tuple[Entry, Member]]


class _Peekable:
    """Members of the archive, the next of which can be looked at without being taken."""

    def __init__(self, members: _Members) -> None:
        self._members = members
        self.next = next(members, None)

    def take(self) -> tuple[Entry, Member]:
        taken = self.next
        assert taken is not None, "there is one more"
        return taken

    def forward(self) -> None:
        self.next = next(self._members, None)


def _members(tape: Tape, runs: Sequence[RunFacts]) -> _Peekable:
    """Return the members of runs, in order; the first reading has seen that there are no others."""

    def all_members() -> _Members:
        for entry in tape.entries():
            member = archive.member_of(entry.name)
            if member is None:
                tape.whole(entry)
            elif member.run >= len(runs):
                raise tape.wrong("it changed while it was read")
            else:
                yield entry, member

    return _Peekable(all_members())


def _mine(members: _Peekable, number: int) -> _Members:
    """Yield the members of run *number*; each is read before the next is asked for."""
    while members.next is not None and members.next[1].run == number:
        yield members.take()
        members.forward()


def _fill(tape: Tape, members: _Members, store: RunStore, manifest: Manifest, facts: RunFacts) -> None:
    """Write a run by the store's own verbs, as it is, and look whether it can be loaded."""
    coded, store = store, bare(store)
    position = store.recover(manifest.run, known=True).end
    for entry, member in members:
        if member.part == JOURNAL:
            for lines in tape.lines(entry):
                records: list[Record] = [decode_line(line) for line in lines]
                position = store.append(records, expected=position.sequence)
        elif member.part == RUN:
            tape.whole(entry)
        else:
            store.replace(member.name, tape.whole(entry))
    if position.sequence != facts.records or (facts.records and position.chain != facts.chain):
        raise tape.wrong("it changed while it was read")
    if facts.checkpoint:
        store.note_checkpoint(facts.checkpoint)
    store.close_journal()
    damage: Sequence[DamageError] = []
    with suppress(KeyMissing, WrongKey):  # whoever has the key will look; every digest and chain is proven
        if facts.keeper == PHASE_KEEPER:
            reading = coded.read_journal()
            damage = [one.error for one in reading.damage] if reading else []
        else:
            damage = load(coded, manifest.run, stored_value).damage
    if damage:
        raise tape.wrong(f"a run in it is damaged ({damage[0].code})")


def _current(subject: Subject, clock: Clock) -> Manifest | None:
    """Return the manifest of the run that is to be set aside; None if there is none."""
    if subject.manifest is not None:
        return subject.manifest
    if subject.keeper is not None:
        return named(subject, "", clock)
    return None


def _is_there(root: Where, phase: str, facts: RunFacts) -> bool:
    """Tell whether the very run is there, as far as the archive has it: a killed import had come that far."""
    with suppress(InvalidArgument), looked_at(root, phase, facts.aside) as subject:
        if (
            subject.manifest is None
            or subject.manifest.run != facts.run
            or (subject.folder is None) != (not facts.aside)
        ):
            return False
        reading = subject.store.read_journal()
        return reading is not None and reading.end == Position(facts.records, facts.chain) and not reading.damage
    return False


def _check_place(root: Where, phase: str, *, taken_is_fine: bool) -> None:
    """Refuse a stranger's folder, and a phase that is there already unless that is fine.

    Raises:
        InvalidArgument: It is one of these.
    """
    place = Place(location_of(root), phase)
    store = place.existing()
    if store is None:
        return
    with store:
        found = store.names()
    if is_bare(found):
        return
    if MANIFEST not in found and keeper_by_names(found) is None:
        raise InvalidArgument(f"{place.path}: this folder holds files that are not Milepost's; nothing was imported.")
    if not taken_is_fine:
        raise InvalidArgument(
            f"{place.path}: this phase is there already. Import it under another name (--as NAME), or set the run "
            "that is there aside (--replace)."
        )
