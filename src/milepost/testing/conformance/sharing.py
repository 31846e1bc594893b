"""The laws of several at once: handles, threads and processes that write the same things."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

from milepost.errors import Fenced, StoreUnavailable, VersionConflict
from milepost.stores.store import Store
from milepost.testing.conformance.handles import Handles, Opener, held
from milepost.testing.conformance.journals import JOURNAL, lines_of, numbered
from milepost.testing.residents import Residents, winners

_THREADS = 8
_PATIENCE_SECONDS = 60
_CHILD_SECONDS = 20


class SharingLaws:
    """What a store promises to several at once. *between_processes* says whether they may be of several processes."""

    between_processes = True
    rounds = 12
    """How often a race of threads is run."""

    def test_a_write_is_seen_at_once(self, handles: Handles) -> None:
        """What one handle was told is written, replaced, deleted or trimmed the other one sees with its next look."""
        one, other = handles.one, handles.other
        for number in range(5):
            version = one.create(f"k{number}", b"1")
            assert other.read(f"k{number}").data == b"1"
            assert f"k{number}" in other.keys("k")
            one.replace(f"k{number}", b"2", version)
            assert other.read(f"k{number}").data == b"2"
            one.delete([f"k{number}"])
            assert f"k{number}" not in other.keys("k")
            one.append(JOURNAL, number + 1, lines_of(number + 1))
            assert held(other, JOURNAL, number) == numbered(number + 1)
            one.trim(JOURNAL, number)
            assert held(other, JOURNAL) == numbered(number + 1)

    def test_of_many_creates_one_wins(self, handles: Handles) -> None:
        """Of threads that create one key at the same moment exactly one is told that it did, and its bytes stay."""
        for number in range(self.rounds):
            key = f"c{number}"
            won = _raced(handles, partial(_create_as, key), FileExistsError)
            assert len(won) == 1, f"{len(won)} winners"
            assert handles.other.read(key).data == b"%d" % won[0]

    def test_of_many_replaces_one_wins(self, handles: Handles) -> None:
        """Of threads that replace one version at the same moment exactly one is told that it did."""
        version = handles.one.create("k", b"")
        for _ in range(self.rounds):
            won = _raced(handles, partial(_replace_as, "k", version), VersionConflict)
            assert len(won) == 1, f"{len(won)} winners"
            found = handles.other.read("k")
            assert found.data == b"%d" % won[0]
            assert found.version != version
            version = found.version

    def test_of_many_appends_one_wins(self, handles: Handles) -> None:
        """Of threads that append the very same lines under the same numbers exactly one is told that it did."""
        for number in range(self.rounds):
            first = 3 * number + 1
            lines = lines_of(first, first + 1, first + 2)
            won = _raced(handles, partial(_append_at, first, lines), Fenced)
            assert len(won) == 1, f"{len(won)} winners"
        assert held(handles.other, JOURNAL) == numbered(*range(1, 3 * self.rounds + 1))

    def test_no_update_is_lost(self, handles: Handles) -> None:
        """A counter that threads advance by compare and swap ends at the number of their successes."""
        handles.one.create("k", b"0")

        def advance(store: Store, _: int) -> int:
            done = 0
            while done < 3:
                found = store.read("k")
                try:
                    store.replace("k", b"%d" % (int(found.data) + 1), found.version)
                except VersionConflict:
                    continue
                done += 1
            return done

        won = _raced(handles, advance)
        assert len(won) == _THREADS
        assert int(handles.other.read("k").data) == 3 * _THREADS

    def test_one_handle_serves_many_threads(self, handles: Handles) -> None:
        """Threads that share a handle and write different things get what they wrote."""

        def work(store: Store, who: int) -> None:
            for number in range(1, 6):
                store.append(f"j{who}", number, lines_of(number))
                store.create(f"w{who}/{number}", b"%d" % who)
                assert store.read(f"w{who}/{number}").data == b"%d" % who
                assert held(store, f"j{who}") == numbered(*range(1, number + 1))
            assert len(store.keys(f"w{who}/")) == 5

        assert len(_raced(handles, work, shared=True)) == _THREADS
        assert len(handles.other.branches("")) == _THREADS

    def test_closing_a_handle_leaves_the_others(self, handles: Handles) -> None:
        """What a closed handle wrote is there, and handles that are open work on."""
        going = handles.opener()
        going.create("k", b"1")
        going.append(JOURNAL, 1, lines_of(1))
        going.close()
        assert handles.one.read("k").data == b"1"
        handles.one.append(JOURNAL, 2, lines_of(2))
        assert held(handles.other, JOURNAL) == numbered(1, 2)

    def test_processes_race_as_threads_do(self, handles: Handles) -> None:
        """Of two processes that write the same thing at the same moment exactly one is told that it did."""
        if not self.between_processes:
            return
        losses = ("FileExistsError", "VersionConflict", "Fenced")
        with Residents(2) as residents:
            residents.together(_open, handles.opener)
            for number in range(1, 6):
                for task in (_create, _replace, _append):
                    if task is _replace:
                        version = handles.one.read(f"c{number}").version
                        won = winners(residents.together(task, f"c{number}", version), *losses)
                    else:
                        won = winners(residents.together(task, f"c{number}", number), *losses)
                    assert len(won) == 1, f"{len(won)} winners of {task.__name__}"
            residents.together(_close)
        assert held(handles.other, JOURNAL) == numbered(1, 2, 3, 4, 5)

    def test_a_forked_child_opens_its_own(self, handles: Handles) -> None:
        """A forked child works with a handle of its own or is refused at once, and its parent's works on."""
        if not self.between_processes:
            return
        handles.one.create("k", b"parent")
        handles.one.append(JOURNAL, 1, lines_of(1))
        told = _in_a_child(lambda: _child(handles.opener))
        assert told in {"done", "refused"}, told
        if told == "refused":
            handles.one.append(JOURNAL, 2, lines_of(2))
        handles.one.append(JOURNAL, 3, lines_of(3))
        assert held(handles.one, JOURNAL) == numbered(1, 2, 3)


def _create_as(key: str, store: Store, who: int) -> None:
    store.create(key, b"%d" % who)


def _replace_as(key: str, version: str, store: Store, who: int) -> None:
    store.replace(key, b"%d" % who, version)


def _append_at(first: int, lines: list[bytes], store: Store, _: int) -> None:
    store.append(JOURNAL, first, lines)


def _raced(
    handles: Handles, act: Callable[[Store, int], object], *losses: type[Exception], shared: bool = False
) -> list[int]:
    """Let threads do the same at the same moment, on two handles or a *shared* one; return who was not refused."""
    stores = [handles.one] * _THREADS if shared else [(handles.one, handles.other)[who % 2] for who in range(_THREADS)]
    barrier = Barrier(_THREADS)

    def one(who: int) -> bool:
        barrier.wait(_PATIENCE_SECONDS)
        try:
            act(stores[who], who)
        except losses:
            return False
        return True

    with ThreadPoolExecutor(_THREADS) as threads:
        return [who for who, won in enumerate(threads.map(one, range(_THREADS))) if won]


def _open(kept: dict[str, Any], opener: Opener) -> None:
    kept["store"] = opener()


def _create(kept: dict[str, Any], key: str, _: int) -> None:
    kept["store"].create(key, str(os.getpid()).encode())


def _replace(kept: dict[str, Any], key: str, version: str) -> None:
    kept["store"].replace(key, str(os.getpid()).encode(), version)


def _append(kept: dict[str, Any], _: str, number: int) -> None:
    kept["store"].append(JOURNAL, number, lines_of(number))


def _close(kept: dict[str, Any]) -> None:
    kept.pop("store").close()


def _child(opener: Opener) -> None:
    store = opener()
    assert store.read("k").data == b"parent"
    store.append(JOURNAL, 2, lines_of(2))
    store.create("from-the-child", b"")
    store.close()


def _in_a_child(act: Callable[[], None]) -> str:
    """Do something in a forked child; return "done", "refused" where the store said so, or what went wrong."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            act()
            os.write(writing, b"done")
        except StoreUnavailable:
            os.write(writing, b"refused")
        except BaseException as error:  # noqa: BLE001 -- told to the parent
            os.write(writing, repr(error).encode()[:4000])
        finally:
            os._exit(0)
    os.close(writing)
    try:
        answers = select.select([reading], [], [], _CHILD_SECONDS)[0]
        return os.read(reading, 4000).decode() if answers else "it hangs"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
