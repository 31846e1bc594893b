"""A writer that is paused anywhere, superseded, and goes on: every order of the verbs with few changes of turn."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pytest

from milepost.clock import SystemClock
from milepost.errors import Fenced, MilepostError, RunLocked
from milepost.records import Kind, Position, Record, decode_line
from milepost.stores.memory import MemoryStore
from milepost.stores.stored import StoredRun
from milepost.stores.terms import Terms
from tests.support.lease_bugs import BUGS
from tests.support.turns import TO_THE_END, TurnedStore, Turns

RUN = "8aa3d0540103e230"
PATIENT, TAKING = Terms(3600.0), Terms(3600.0, take_over=True)

Schedule = list[tuple[int, int]]


@dataclass
class Told:
    """What a writer was told: which records are durable, what its documents hold, and how it ended."""

    records: list[str] = field(default_factory=list)
    trimmed: set[str] = field(default_factory=set)
    documents: dict[str, bytes] = field(default_factory=dict)
    maybe: set[str] = field(default_factory=set)
    locked: bool = False
    end: BaseException | None = None


class Writer:
    """Writes all that a run can hold, and notes what it is told."""

    def __init__(self, name: str, terms: Terms) -> None:
        self.name = name
        self.told = Told()
        self.run: StoredRun | None = None
        self._terms = terms
        self._first: Position | None = None
        self._end = Position(0, "")
        self._read: list[str] = []

    def work(self, store: TurnedStore) -> None:
        """Do everything once; stop at the first refusal."""
        try:
            self._work(store)
        except MilepostError as error:
            self.told.end = error
        except BaseException as error:  # noqa: BLE001 -- the law looks at it
            self.told.end = error

    def _work(self, store: TurnedStore) -> None:
        run = self.run = StoredRun.made(store, "phase", self._terms)
        run.lock(SystemClock())
        self.told.locked = True
        self._recover(run)
        self._append(run, "1")
        self._document(run, "a", b"first")
        self._document(run, "k", b"kept")
        self._append(run, "2", "3")
        self._document(run, "a", b"second")
        run.restart_journal()
        self._append(run, "4")
        self.told.trimmed |= {*self._read, self.name + "1"}
        assert self._first is not None
        run.trim(self._first)
        del self.told.documents["a" + self.name]
        run.delete(["a" + self.name], durable=True)
        self._change_runs(run)
        self._append(run, "7")
        self._document(run, "c", b"third")
        run.close()

    def _change_runs(self, run: StoredRun) -> None:
        """Begin a run below, let it come, and delete the one that went."""
        aside, next_ = f"aside-{self.name}", f"next-{self.name}"
        run.run(next_, create=True).create("b" + self.name, b"from below")
        run.swap(aside, next_)
        self.told.documents["b" + self.name] = b"from below"
        run.close_journal()
        self._recover(run)
        self._append(run, "5")
        other = f"other-{self.name}"
        run.swap(other, None)
        self._recover(run)
        self._append(run, "6")
        self.told.trimmed.add(self.name + "5")  # from here on they may be gone
        del self.told.documents["b" + self.name]
        run.remove_run(other)

    def _recover(self, run: StoredRun) -> None:
        self._read = []
        reading = run.recover(RUN, visit=lambda _, lines: self._read.extend(_keys(lines)))
        assert reading.damage == [], reading.damage
        self._first, self._end = None, reading.end

    def _append(self, run: StoredRun, *numbers: str) -> None:
        keys = [self.name + number for number in numbers]
        records = [Record(Kind.DONE, 1_795_000_000.0, 1, key=key, value=b"1") for key in keys]
        self.told.maybe = set(keys)
        self._end = run.append(records, expected=self._end.sequence)
        self._first = self._first or self._end
        self.told.records += keys
        self.told.maybe = set()

    def _document(self, run: StoredRun, name: str, data: bytes) -> None:
        run.replace(name + self.name, data)
        self.told.documents[name + self.name] = data


def _keys(lines: list[bytes]) -> list[str]:
    return [record.key for record in map(decode_line, lines) if record.key is not None]


@dataclass
class Found:
    """What a third one finds in the end."""

    records: Counter[str]
    documents: dict[str, bytes]
    damage: list[str]


def _found(store: MemoryStore) -> Found:
    run = StoredRun.made(store, "phase", TAKING)
    run.lock(SystemClock())
    found = Found(Counter(), {}, [])
    for one in (run, *(run.run(name) for name in run.runs())):
        reading = one.read_journal(lambda _, lines: found.records.update(_keys(lines)))
        found.damage.extend(str(damaged.error) for damaged in (reading.damage if reading else []))
        for name in one.names():
            if not name.startswith("journal"):
                try:
                    found.documents[name] = one.read(name)
                except MilepostError as error:
                    found.damage.append(str(error))
    run.close()
    return found


def _played(schedule: Schedule) -> tuple[list[Writer], Found, list[int]]:
    store, turns = MemoryStore(), Turns(schedule)
    names = "xyz"[: 1 + max(who for who, _ in schedule)]
    writers = [Writer(name, TAKING if who else PATIENT) for who, name in enumerate(names)]
    stores = [TurnedStore(store, turns, who) for who in range(len(names))]
    turns.run([lambda who=who: writers[who].work(stores[who]) for who in range(len(names))])  # type: ignore[misc]
    for writer in writers:
        if writer.run is not None and writer.run._tenure is not None:
            writer.run._tenure.abandon()
    return writers, _found(store), [one.verbs for one in stores]


def _wrong(schedules: Iterable[Schedule]) -> list[str]:
    """Return what is wrong behind the first of *schedules* where anything is."""
    for schedule in schedules:
        writers, found, _ = _played(schedule)
        wrong = [*_lies(writers, found), *_refusals(writers, found)]
        if wrong:
            return [f"{schedule}: {one}" for one in wrong]
    return []


def _lies(writers: list[Writer], found: Found) -> Iterator[str]:
    """Say what is not as a writer was told it is."""
    yield from found.damage
    told = {key for writer in writers for key in (*writer.told.records, *writer.told.maybe)}
    trimmed = {key for writer in writers for key in writer.told.trimmed}
    for writer in writers:
        gone = set(writer.told.records) - trimmed - found.records.keys()
        yield from (f"{key} was acknowledged and is gone" for key in sorted(gone))
        for name, data in writer.told.documents.items():
            if found.documents.get(name) != data:
                yield f"{name} of {writer.name} is not as it was acknowledged"
    yield from (f"{key} is there {times} times" for key, times in found.records.items() if times > 1)
    yield from (f"{key} came from nowhere" for key in found.records.keys() - told)


def _refusals(writers: list[Writer], found: Found) -> Iterator[str]:
    """Say who was refused wrongly, in a wrong way, or only by word."""
    new = writers[-1]
    for writer in writers:
        if writer.told.end is not None and not isinstance(writer.told.end, Fenced | RunLocked):
            yield f"{writer.name} ended with {writer.told.end!r}"
        if isinstance(writer.told.end, Fenced):
            yield from (f"{key} was refused and is there" for key in writer.told.maybe & found.records.keys())
    taking = any(not writer.told.locked and isinstance(writer.told.end, Fenced) for writer in writers[:-1])
    if new.told.end is not None and not taking:  # of two that take over at once, none may be left
        yield f"the one that took over was refused: {new.told.end!r}"


def _verbs() -> tuple[int, int]:
    """How many verbs the old writer does alone, and the new one behind it."""
    _, _, verbs = _played([(0, TO_THE_END), (1, TO_THE_END)])
    return verbs[0], verbs[1]


def _one_pause() -> Iterator[Schedule]:
    """The old writer is paused at any verb, the new one does all it has to do, the old one goes on."""
    olds, _ = _verbs()
    yield from ([(0, at), (1, TO_THE_END), (0, TO_THE_END)] for at in range(olds + 1))


def _two_pauses(stride: int, of: int) -> Iterator[Schedule]:
    """Both are paused once, at any verb each; every *of*-th of these, from *stride* on."""
    olds, news = _verbs()
    both = [(one, two) for one in range(olds + 1) for two in range(1, news + 1)]
    yield from ([(0, one), (1, two), (0, TO_THE_END), (1, TO_THE_END)] for one, two in both[stride::of])


def _three_pauses(count: int, seed: int) -> Iterator[Schedule]:
    olds, news = _verbs()
    choose = random.Random(seed)
    for _ in range(count):
        first = choose.randrange(olds)
        yield [(0, first), (1, choose.randrange(1, news)), (0, choose.randrange(1, olds - first + 1)), (1, TO_THE_END)]


def _three_writers(count: int, seed: int) -> Iterator[Schedule]:
    olds, news = _verbs()
    choose = random.Random(seed)
    for _ in range(count):
        late = [(0, TO_THE_END), (1, TO_THE_END)]
        choose.shuffle(late)
        yield [(0, choose.randrange(olds)), (1, choose.randrange(1, news)), (2, TO_THE_END), *late]


def test_a_writer_paused_once_is_never_told_wrong() -> None:
    """Paused at any verb and superseded, a writer is refused; all that anybody was told is durable is there, once."""
    assert _wrong(_one_pause()) == []


def test_of_three_writers_none_is_told_wrong() -> None:
    """A writer is superseded, so is its successor, and both wake up, first the one and then the other."""
    assert _wrong(_three_writers(120, seed=0)) == []


def test_writers_paused_twice_are_never_told_wrong() -> None:
    """The same where the new writer is paused as well, at any verb, in its takeover too."""
    assert _wrong(_two_pauses(0, 3)) == []


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault that is planted into the lease or the fencing breaks the law in some order of the verbs."""
    schedules = [*_one_pause(), *_two_pauses(0, 7), *_three_writers(200, seed=0)]
    monkeypatch.setattr(*BUGS[bug])
    assert _wrong([[(0, TO_THE_END), (1, TO_THE_END)]]) == []  # where nobody is paused it does no harm
    assert _wrong(schedules) != []


@pytest.mark.soak
def test_writers_paused_in_every_way_are_never_told_wrong() -> None:
    """The same for every two pauses, and for many more of three."""
    assert _wrong((*_two_pauses(0, 1), *_three_pauses(3000, seed=1), *_three_writers(3000, seed=1))) == []
