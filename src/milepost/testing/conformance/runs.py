"""The laws of runs in any place: one writer, who finds what was acknowledged, and damage that is told as such."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from milepost.clock import SystemClock
from milepost.errors import DamageError, MilepostError, RunLocked
from milepost.run.place import FolderLocation, Location, SharedLocation
from milepost.stores import JournalReading, RunStore
from milepost.stores.terms import Terms
from milepost.testing.conformance.handles import BackDoor, Opener, refused
from milepost.testing.residents import Refusal, Residents, winners
from milepost.testing.run_machine import Places, check_runs, record, values

RUN = "conformance"
_PATIENCE_SECONDS = 60


def shared(opener: Opener, terms: Terms) -> Location:
    """Return the phases in the store that *opener* opens."""
    return SharedLocation(opener(), terms)


def in_folder(root: Path, _: Terms) -> Location:
    """Return the phases below the folder *root*."""
    return FolderLocation(root)


class RunConformance:
    """What a run promises wherever it is kept. *fences* says whether a writer that is alive can be superseded there.

    Subclass it as `StoreConformance`; a place that is no shared store has the fixture ``places`` instead of ``opener``.
    """

    between_processes = True
    fences = True
    run_examples = 12
    """How many ways to write a run the state machine tries."""
    races = 50
    """How often two openers race for one phase."""

    @pytest.fixture
    def places(self, opener: Opener) -> Places:
        """Return what opens one more handle on the phases of the store."""
        return partial(shared, opener)

    @pytest.fixture
    def place(self, places: Places) -> Iterator[Location]:
        """Return the phases."""
        with _opened(places, Terms()) as location:
            yield location

    @pytest.fixture
    def back_door(self) -> BackDoor | None:
        """Return no back door; a subclass may have one."""
        return None

    def test_runs_agree_with_lists(self, places: Places) -> None:
        """Whoever writes a run, and however writers end, what was acknowledged is there and nothing else."""
        check_runs(places, examples=self.run_examples, fences=self.fences)

    def test_a_second_writer_is_refused(self, place: Location, places: Places) -> None:
        """Beside a writer nobody becomes one, through whichever handle, and the error names who holds the run."""
        with _writing(place, "phase") as writer, _opened(places, Terms()) as other:
            for location in (place, other):
                second = location.made("phase")
                with pytest.raises(RunLocked) as caught:
                    second.lock(SystemClock())
                second.close(clean=False)
                assert caught.value.pid is not None
                assert str(caught.value.pid) in str(caught.value)
            writer.append([record(1)], expected=0)
        with _writing(place, "phase") as writer:
            assert _numbers(writer) == [1]

    def test_of_two_openers_one_wins(self, places: Places) -> None:
        """Of two that open a phase at the same moment exactly one becomes its writer, and the other is told so."""
        race = _race_of_processes if self.between_processes else _race_of_threads
        for won in race(places, self.races):
            assert len(won) == 1, f"{len(won)} winners"

    def test_a_superseded_writer_is_refused(self, place: Location, places: Places) -> None:
        """From the moment on that another took over, nothing that the older writer tries is acknowledged."""
        if not self.fences:
            return
        older = place.made("phase")
        older.lock(SystemClock())
        older.recover(RUN)
        end = older.append([record(1)], expected=0).sequence
        with _opened(places, Terms(take_over=True)) as other, _writing(other, "phase") as newer:
            for act in (
                lambda: older.append([record(2)], expected=end),
                lambda: older.replace("doc", b"older"),
                lambda: older.create("doc", b"older"),
                older.restart_journal,
            ):
                with refused(MilepostError):
                    act()
            older.close()
            assert _numbers(newer) == [1]
            assert newer.names("doc") == []

    @pytest.mark.parametrize("how", ["altered", "lost", "swapped", "cut off", "emptied", "doubled"])
    def test_damaged_records_are_told(self, place: Location, back_door: BackDoor | None, how: str) -> None:
        """Lines that were altered, lost, swapped or cut off behind the store's back are damage, never other records."""
        if back_door is None:
            return
        journal = _written(place)
        held = back_door.lines(journal)
        first, last = min(held), max(held)
        changes: dict[str, dict[int, bytes | None]] = {
            "altered": {first + 2: held[first + 2].replace(b":3", b":4").replace(b'"value":', b'"value": ')},
            "lost": {first + 1: None},
            "swapped": {first + 1: held[first + 2], first + 2: held[first + 1]},
            "cut off": {last: None, last - 1: None},
            "emptied": {first + 1: b""},
            "doubled": {first + 2: held[first + 1]},
        }
        for number, line in changes[how].items():
            back_door.put_line(journal, number, line)
        store = place.existing("phase")
        assert store is not None
        with store:
            found = _damaged(store.read_journal)
        assert found != [1, 2, 3, 4, 5, 6], "the damage was not noticed"
        assert found == [1, 2, 3, 4, 5, 6][: len(found)], "records were served that were not written"

    @pytest.mark.parametrize("how", ["altered", "lost", "cut off", "longer", "swapped"])
    def test_damaged_documents_are_told(self, place: Location, back_door: BackDoor | None, how: str) -> None:
        """A document that was altered, lost or swapped behind the store's back is damage, never read as another one."""
        if back_door is None or not isinstance(place, SharedLocation):
            return
        _written(place)
        keys = {name: _key_of(place, name) for name in ("doc", "doc2")}
        held = {name: back_door.document(key) for name, key in keys.items()}
        data = held["doc"]
        assert data is not None
        if how == "swapped":
            back_door.put_document(keys["doc"], held["doc2"])
            back_door.put_document(keys["doc2"], data)
        else:
            changed = {"altered": b"T" + data[1:], "lost": None, "cut off": data[:-1], "longer": data + b"x"}[how]
            back_door.put_document(keys["doc"], changed)
        store = place.existing("phase")
        assert store is not None
        with store, refused(DamageError, FileNotFoundError):
            store.read("doc")

    @pytest.mark.parametrize("name", ["head", "directory"])
    def test_damaged_bookkeeping_is_told(self, place: Location, back_door: BackDoor | None, name: str) -> None:
        """A head or directory with one altered byte, or cut off, is damage for readers and writers alike."""
        if back_door is None or not isinstance(place, SharedLocation):
            return
        _written(place)
        [key] = [key for key in place.store.keys("phase/") if key.rpartition("/")[2] == name]
        data = back_door.document(key)
        assert data is not None
        for changed in (data[:40] + bytes([data[40] ^ 1]) + data[41:], data[:-1], b""):
            back_door.put_document(key, changed)
            with refused(DamageError):
                _look(place)
            with refused(DamageError), _writing(place, "phase"):
                pass


@contextmanager
def _opened(places: Places, terms: Terms) -> Iterator[Location]:
    location = places(terms)
    yield location
    if isinstance(location, SharedLocation):
        location.store.close()


@contextmanager
def _writing(place: Location, phase: str) -> Iterator[RunStore]:
    with place.made(phase) as store:
        store.lock(SystemClock())
        store.recover(RUN)
        yield store


def _written(place: Location) -> str:
    """Write a phase of six records and two documents; return the journal's name in the store."""
    with _writing(place, "phase") as writer:
        end = 0
        for number in range(1, 7):
            end = writer.append([record(number)], expected=end).sequence
        writer.create("doc", b"this is the first")
        writer.create("doc2", b"this is the other")
        area = getattr(writer, "_area", "")
    return f"phase/{area}/journal-000001"


def _key_of(place: SharedLocation, name: str) -> str:
    [key] = [key for key in place.store.keys("phase/") if f"/documents/{name}." in key]
    return key


def _look(place: Location) -> None:
    store = place.existing("phase")
    assert store is not None
    with store:
        store.read("doc")


def _numbers(store: RunStore) -> list[int]:
    seen: list[bytes] = []
    reading = store.read_journal(lambda _, lines: seen.extend(lines))
    assert reading is None or not reading.damage
    return values(seen)


def _damaged(read: Callable[..., JournalReading | None]) -> list[int]:
    """Read a journal that must be told as damaged; return what was served all the same."""
    seen: list[bytes] = []
    try:
        reading = read(lambda _, lines: seen.extend(lines))
    except DamageError:
        return values(seen)
    assert reading is not None
    assert reading.damage, f"served as whole: {values(seen)}"
    return values(seen)


def _race_of_processes(places: Places, races: int) -> Iterator[list[int]]:
    with Residents(2) as residents:
        assert residents.together(_stand, places) == [None, None]
        for _ in range(races):
            yield winners(residents.together(_race, secrets.token_hex(6)), "RunLocked")
            assert not [answer for answer in residents.together(_let_go) if isinstance(answer, Refusal)]
        residents.together(_leave)


def _stand(kept: dict[str, Any], places: Places) -> None:
    kept["place"] = places(Terms())


def _race(kept: dict[str, Any], phase: str) -> None:
    store = kept["place"].made(phase)
    kept["store"] = store
    store.lock(SystemClock())


def _let_go(kept: dict[str, Any]) -> None:
    kept.pop("store").close()


def _leave(kept: dict[str, Any]) -> None:
    if isinstance(kept["place"], SharedLocation):
        kept["place"].store.close()


def _race_of_threads(places: Places, races: int) -> Iterator[list[int]]:
    location = places(Terms())
    barrier = Barrier(2)

    def race(phase: str) -> tuple[RunStore, bool]:
        store = location.made(phase)
        barrier.wait(_PATIENCE_SECONDS)
        try:
            store.lock(SystemClock())
        except RunLocked:
            return store, False
        return store, True

    with ThreadPoolExecutor(2) as threads:
        for _ in range(races):
            answers = list(threads.map(race, [secrets.token_hex(6)] * 2))
            yield [who for who, (_, won) in enumerate(answers) if won]
            for store, _ in answers:
                store.close()
