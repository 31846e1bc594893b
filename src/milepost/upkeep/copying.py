"""Copying runs from one store into another: verified, whole or not at all, and going on where a killed copy stood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from milepost.clock import Clock, SystemClock
from milepost.errors import CorruptDocument, DamageError, InvalidArgument, NotDecodable
from milepost.run.coded_place import bare_location
from milepost.run.handover import free_name, half_made, settled, take_over
from milepost.run.manifest import MAKING, MANAGER_KEEPER, Manifest, read_manifest, write_manifest
from milepost.run.place import FolderLocation, Location, Place, Where, location_of
from milepost.run.subject import Subject, held, is_bare, keeper_by_names, looked_at, runs_aside
from milepost.stores import MANIFEST, RunStore
from milepost.upkeep.carrying import (
    Cargo,
    Carried,
    MovedOn,
    Relation,
    agreed,
    carry,
    check,
    looked_over,
    moved_on,
    relation,
)
from milepost.upkeep.forking import named

_LOOKS = 8
COPIED, CONTINUED, THERE, AHEAD = "copied", "continued", "was there", "is further on there"

Told = Callable[[str, int, int], None]
"""Hears of which phase how many records were gone through, of how many."""


class Copied(NamedTuple):
    """One run that stands in the target now, compared byte for byte.

    *outcome* is one of ``copied``, ``continued`` (the same run stood there and got the rest), ``was there``, or ``is
    further on there`` (its job went on there; nothing was done). *new* of its *records* were written by this call.
    """

    phase: str
    run: str
    outcome: str
    records: int
    new: int
    checkpoints: int
    documents: int
    aside: str | None


def copy_runs(
    source: Where,
    target: Where,
    phases: Sequence[str],
    *,
    with_runs: bool = False,
    replace: bool = False,
    told: Told | None = None,
    clock: Clock | None = None,
) -> list[Copied]:
    """Copy the runs of *phases* into another store, byte for byte; their jobs can go on there.

    The source is only read, so a job may go on there meanwhile: what was recorded when its run was looked at is
    copied, and the same call later brings the rest. In the target a new run appears whole or not at all, and one that
    is continued is at every moment as its writer once had it. Whatever kills this, the same call goes on where it
    stood.

    Args:
        source: The folder or store to copy from.
        target: The folder or store to copy into, made where it is missing.
        phases: The phases' names.
        with_runs: Take along runs that were set aside.
        replace: Set aside another run that is there already; otherwise its phase is refused.
        told: Hears of the progress.
        clock: The clock.

    Raises:
        InvalidArgument: There is no such phase, or another run is there already; nothing was copied.
        RunLocked: A process writes one of the phases in the target.
        DamageError: A run is damaged in the source or in the target.
        StorageError: A store refused; run the same command again.
    """
    clock = clock or SystemClock()
    here, there = bare_location(location_of(source)), bare_location(location_of(target))
    if _same(here, there):
        raise InvalidArgument(f"{there.spot}: this is the store to copy from, too.")
    if not phases:
        raise InvalidArgument(f"{here.spot}: there is no phase to copy.")
    asides = {phase: _checked_source(here, phase) for phase in phases}
    for phase in phases:
        _check_target(here, there, phase, replace=replace)
    done: list[Copied] = []
    for phase in phases:
        with held(there, phase, clock, make=True) as subject:
            folders = [None, *(asides[phase] if with_runs else [])]
            done += [_copied(here, one, subject, clock, told or _nobody, replace=replace) for one in folders]
    return done


def _copied(here: Location, folder: str | None, subject: Subject, clock: Clock, told: Told, *, replace: bool) -> Copied:
    """Copy one run; look again where its writer was faster."""
    for looks_left in reversed(range(_LOOKS)):
        with looked_at(here, subject.phase, folder) as source:
            try:
                cargo = looked_over(source)
                manifest = _manifest(source, cargo, clock)
                moving = _Moving(cargo, manifest, subject, clock, lambda done, of: told(subject.phase, done, of))
                outcome, carried = moving.moved(replace=replace, aside=folder is not None)
            except MovedOn:
                if not looks_left:
                    raise
                continue
            checkpoints = sum(map(len, cargo.checkpoints.values()))
            return Copied(
                phase=subject.phase,
                run=cargo.run,
                outcome=outcome,
                records=cargo.end.sequence,
                new=carried.records if carried else 0,
                checkpoints=checkpoints,
                documents=len(cargo.documents),
                aside=folder,
            )
    raise AssertionError("the last look raises or returns")


class _Moving:
    """One run on its way into the phase of *subject*, which is held."""

    def __init__(
        self, cargo: Cargo, manifest: Manifest, subject: Subject, clock: Clock, told: Callable[[int, int], None]
    ) -> None:
        self._cargo = cargo
        self._manifest = manifest
        self._store = subject.store
        self._subject = subject
        self._clock = clock
        self._told = told

    def moved(self, *, replace: bool, aside: bool) -> tuple[str, Carried | None]:
        """Bring the run to where it belongs; return what was done."""
        own = _run_of(self._store)
        if own == self._cargo.run and not aside:
            done = self._continued(self._store)
            if done is not None:
                return done
        if aside:
            for name in runs_aside(self._store):
                with self._store.run(name) as run:
                    done = self._continued(run) if _run_of(run) == self._cargo.run else None
                if done is not None:
                    return done
        elif own == self._cargo.run and self._is_stale():
            return COPIED, self._in_its_place()
        elif not is_bare(self._store.names()) and not replace:
            raise InvalidArgument(
                f"{self._store.path}: the same run went on in both places, and differs. --replace sets the one that is "
                "there aside."
            )
        return COPIED, self._staged(aside=aside)

    def _continued(self, store: RunStore) -> tuple[str, Carried | None] | None:
        """Bring the rest of the very run that is there; None if it cannot be gone on with byte for byte."""
        there, cargo = agreed(store), self._cargo
        found = None if there is None else relation(cargo, store, there)
        if there is None or found is None or found is Relation.STALE:
            return None
        if found is Relation.AHEAD:
            return AHEAD, None
        if there.end.sequence >= cargo.end.sequence and self._has_all_documents(store):
            return THERE, None
        position = store.recover(cargo.run, known=True, refuse_damage=True).end
        carried = carry(cargo, store, position, self._told)
        store.close_journal()
        check(cargo, carried, store)
        return CONTINUED, carried

    def _is_stale(self) -> bool:
        """Tell whether the phase's run is a part of this one that only lacks the place for the rest."""
        there = agreed(self._store)
        return there is not None and relation(self._cargo, self._store, there) is Relation.STALE

    def _has_all_documents(self, store: RunStore) -> bool:
        names = store.names()
        try:
            return all(
                name in names
                and store.read(name, group_may_write=True) == self._cargo.store.read(name, group_may_write=True)
                for name in self._cargo.names
            )
        except FileNotFoundError as error:
            raise moved_on(self._cargo.store) from error

    def _staged(self, *, aside: bool) -> Carried:
        """Make the run below ``runs/``, or go on with what a killed copy made of it there; then let it count."""
        name, run = self._begun()
        try:
            position = run.recover(self._cargo.run, known=True, start=self._cargo.start).end
            carried = carry(self._cargo, run, position, self._told)
            run.close_journal()
            check(self._cargo, carried, run)
            if aside:
                write_manifest(run, self._manifest)
        except BaseException:
            run.close(clean=False)
            raise
        run.close()
        if not aside:
            take_over(self._store, self._old(), name)
        return carried

    def _in_its_place(self) -> Carried:
        """Copy the run anew, and let the part of it go that was there: it holds nothing of its own."""
        before = set(self._store.runs())
        carried = self._staged(aside=False)
        for name in set(self._store.runs()) - before:
            self._store.remove_run(name)
        return carried

    def _begun(self) -> tuple[str, RunStore]:
        for name in half_made(self._store):
            run = self._store.run(name)
            if self._is_beginning(run):
                return name, run
            run.close()
            self._store.remove_run(name)
        name = free_name(self._store.runs(), self._cargo.run)
        run = self._store.run(name, create=True)
        write_manifest(run, self._manifest._replace(stage=MAKING))
        return name, run

    def _is_beginning(self, run: RunStore) -> bool:
        """Tell whether a half made run is the beginning of this one."""
        try:
            there = agreed(run)
        except DamageError:
            return False
        if _run_of(run) != self._cargo.run or there is None or there.end.sequence > self._cargo.end.sequence:
            return False
        return self._cargo.chain_at(there.end.sequence) == there.end.chain

    def _old(self) -> Manifest | None:
        """Return the manifest of the run that is to be set aside; None if there is none."""
        if is_bare(self._store.names()):
            return None
        with suppress(CorruptDocument):
            manifest = settled(self._store, read_manifest(self._store))
            if manifest is not None:
                return manifest
        return named(self._subject, "", self._clock)


def _manifest(source: Subject, cargo: Cargo, clock: Clock) -> Manifest:
    if source.manifest is not None:
        return source.manifest.at_rest
    return Manifest(cargo.run, source.phase, clock.now(), keeper=source.keeper or MANAGER_KEEPER)


def _checked_source(here: Location, phase: str) -> list[str]:
    """Return the runs that were set aside of a phase that has a run."""
    with looked_at(here, phase) as subject:
        if subject.keeper is None:
            raise InvalidArgument(f"{subject.path}: there is no run to copy.")
        return runs_aside(subject.store)


def _check_target(here: Location, there: Location, phase: str, *, replace: bool) -> None:
    """Refuse what is not Milepost's, and another run unless it is to be replaced.

    Raises:
        InvalidArgument: It is one of these.
    """
    store = Place(there, phase).existing()
    if store is None:
        return
    with store:
        found = store.names()
        run = _run_of(store)
    if is_bare(found):
        return
    if MANIFEST not in found and keeper_by_names(found) is None:
        raise InvalidArgument(f"{there.spot / phase}: files that are not Milepost's are here; nothing was copied.")
    with looked_at(here, phase) as subject:
        same = run is not None and subject.manifest is not None and subject.manifest.run == run
        same = same or (subject.manifest is None and looked_over(subject).run == run)
    if not same and not replace:
        raise InvalidArgument(
            f"{there.spot / phase}: another run of this phase is there already; nothing was copied. --replace sets it "
            "aside."
        )


def _run_of(store: RunStore) -> str | None:
    """Return the id of the run that a store says it keeps."""
    with suppress(CorruptDocument, NotDecodable):
        manifest = read_manifest(store)
        if manifest is not None:
            return manifest.run
    return store.journal_run()


def _same(here: Location, there: Location) -> bool:
    if isinstance(here, FolderLocation) and isinstance(there, FolderLocation):
        return Path(here.root).resolve() == Path(there.root).resolve()
    return here == there


def _nobody(_: str, __: int, ___: int) -> None:
    """Hear nothing."""
