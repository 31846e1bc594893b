"""Each defect planted into `Phase`, its session or its index is caught: the checks that guard them are able to fail."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from unittest.mock import ANY

import pytest

import milepost
from milepost.errors import DuplicateKey, MilepostError
from milepost.fs import use
from milepost.phase import completion as completion_module
from milepost.phase import loop as loop_module
from milepost.phase import steps as steps_module
from milepost.phase.changes import Makers
from milepost.phase.loop import Loop
from milepost.phase.loops import Loops, LoopSource
from milepost.phase.state import State
from milepost.phase.steps import Steps
from milepost.records import Kind, Record, encode_line, start_of
from milepost.run import session as session_module
from milepost.run.index import Group, Index
from milepost.run.session import FolderSession
from milepost.stores import Durability
from milepost.testing import ErrorAt, for_each_crash
from tests.support.manager_law import disk
from tests.support.phase_law import keeps_items, looping, phase, value_of

Patch = pytest.MonkeyPatch
ITEMS = ["a", "b", "c"]


class Caught(AssertionError):
    """A guard saw something that must never be."""


def hold(truth: object, law: str) -> None:
    """Raise `Caught` unless the law holds."""
    if not truth:
        raise Caught(law)


# --- the guards: short laws about the behaviour of a phase, each on a disk of its own


def crashes_of_records() -> None:
    """Nothing acknowledged is lost by any crash, and only the item in flight runs again."""
    for_each_crash(looping(ITEMS), keeps_items(ITEMS), disk, limit=20)


def resumed_loop() -> None:
    """A second attempt is handed what is changed, failed or new, in order, and shows fresh results only."""
    with use(disk()):
        with phase() as opened:
            for key, version in opened.each([("a", 1), ("b", 1), ("c", 1)], lambda item: item[0]):
                opened.record([key, version]) if key != "b" else opened.fail("bad luck")
            hold(list(opened.results()) == ["a", "c"], "a failure is no result")
        with phase() as opened:
            handed = []
            for item in opened.each([("d", 1), ("c", 2), ("b", 1), ("a", 1)], lambda item: item[0]):
                hold(item[0] not in opened.results(), "what is handed out has no result yet")
                handed.append(item)
                opened.record([*item])
            hold(handed == [("d", 1), ("c", 2), ("b", 1)], "new, changed and failed items are handed out, no others")
            expected = [("d", ["d", 1]), ("c", ["c", 2]), ("b", ["b", 1]), ("a", ["a", 1])]
            hold(list(opened.results().items()) == expected, "results come in this attempt's order")
            hold(not list(opened.failures()), "a failure is over when the item is done")
            hold(len(opened.results()) == len(expected), "the number of results is that of the items")


def one_key_each() -> None:
    """Two items of one key are refused."""
    with use(disk()), phase() as opened:
        try:
            for _ in opened.each(["a", "a"]):
                opened.record(1)
        except DuplicateKey:
            return
    raise Caught("a duplicate key is accepted")


def remembered_result() -> None:
    """A result is computed once, and anew when items change."""
    made: list[int] = []

    def total(results: Any) -> int:
        made.append(1)
        return len(results)

    with use(disk()):
        for items, calls in ((["a", "b"], 1), (["a", "b"], 1), (["a"], 2), (["a", "c"], 3), (["c", "a"], 4)):
            with phase() as opened:
                for item in opened.each(items):
                    opened.record(opened.call(f"ask {item}", lambda call_id: call_id))
                hold(opened.complete(total, opened.results()) == len(items), "the result is of these items")
                hold(len(made) == calls, "a result is computed exactly when its items differ")
        with phase() as opened:
            for _ in opened.each(["x"]):
                try:
                    opened.complete(1)
                except MilepostError:
                    opened.record(1)
                    continue
                raise Caught("complete before all is recorded")


def paid_once() -> None:
    """Whenever the call is made its intent is on the disk, and an answer is never asked for again."""
    left = disk()
    made: list[str] = []

    def pay(call_id: str) -> str:
        made.append(call_id)
        hold(b'"intent"' in left.files()["/checkpoints/phase_3/journal_000001.jsonl"], "no intent before a call")
        return "answer"

    def dies(call_id: str) -> str:
        made.append(call_id)
        raise SystemExit

    with use(left):
        try:
            with phase() as opened:
                opened.call("c", dies, cost_usd=0.5)
        except SystemExit:
            pass
        for _ in range(2):
            with phase(on_change="keep") as opened:
                hold(len(opened.ambiguous) == (len(made) == 1), "a call is ambiguous until it is answered")
                hold(opened.call("c", pay, cost_usd=0.5) == "answer", "a call returns its answer")
                hold(not opened.ambiguous, "an answered call is not ambiguous")
        hold(len(made) == 2, "a finished call is never made again")
        hold(len(set(made)) == 1, "a call keeps its id")


def set_aside_whole() -> None:
    """A restart keeps the old run under runs/, and begins an empty one."""
    left = disk()
    with use(left):
        for x in (1, 2):
            with phase(params={"x": x}, on_change="restart") as opened:
                hold(len(opened.results()) == 0, "a new run is empty")
                for item in opened.each(ITEMS):
                    opened.record([item, x])
                hold(opened.results()["a"] == ["a", x], "results are of this run")
        old = [name for name in left.files() if "/runs/" in name and name.endswith(".jsonl")]
        hold(len(old) == 1, "the old run is kept")


def told_of_changes() -> None:
    """A changed parameter stops the phase, and an unchanged one does not."""
    with use(disk()):
        for x, is_stopped in ((1, False), (1, False), (2, True), (1, False)):
            try:
                with phase(params={"x": x}) as opened:
                    for item in opened.each(ITEMS):
                        opened.record(item)
            except milepost.Changed:
                hold(is_stopped, "an unchanged run is stopped")
            else:
                hold(not is_stopped, "a changed run goes on")


def _one() -> int:
    return 1


def _two() -> int:
    return 2


def _works(act: Callable[[], object]) -> bool:
    try:
        act()
    except MilepostError:
        return False
    return True


def refused_records() -> None:
    """A record that was refused is not done; it is there once it is made again, and says which function made it."""
    for n in range(1, 14):
        left = disk()
        with use(faulty := ErrorAt(left, 10**6, errno.ENOSPC, among={"write", "sync_data"})), phase() as opened:
            opened.step("before", _one)
            faulty.n = faulty._counted + n
            for item in opened.each(["a", "b"]):
                try:
                    opened.record(value_of("large"))
                except MilepostError:
                    hold(item not in opened.results(), "a refused record is no result")
                    opened.record(value_of("large"))
            try:
                opened.step("after", _two)
            except MilepostError:
                hold(_works(partial(opened.step, "after", _two)), "what was refused once can be done again")
            faulty.n = 10**6  # leaving is not what is looked at here
        with use(left), milepost.open("phase_3", store="/checkpoints") as reader:
            hold(list(reader.results()) == ["a", "b"], "what was recorded in the end is there")
            index = reader._session.index
            hold(index.group("step").made_by() <= set(index.codes), "a function is declared before its record")


def kept_state() -> None:
    """The state is the one saved last, after any number of saves and attempts."""
    with use(disk()):
        for n in range(4):
            with phase() as opened:
                hold(opened.state.get("n", -1) == n - 1, "the state is what was saved last")
                opened.state["n"] = n
                opened.state[f"k{n}"] = [n]
                opened.save()
                opened.state["n"] = "not saved"


def computed_steps() -> None:
    """A step is computed once for the same arguments, and again for others."""
    made: list[int] = []

    def compute(number: int) -> int:
        made.append(number)
        return number

    with use(disk()):
        for number in (1, 1, 2, 2, 1):
            with phase() as opened:
                hold(opened.step("s", compute, number) == number, "a step's value is of its arguments")
    hold(made == [1, 2, 1], "a step is computed when its arguments differ")


def chunks_of_records() -> None:
    """A journal read in chunks says what it said when its records were noted."""
    one_by_one, in_chunks, position, lines = Index(), Index(), start_of("r"), []
    kinds = [(Kind.FAILED, "k"), (Kind.DONE, "a"), (Kind.DONE, "k"), (Kind.DONE, "b"), (Kind.DONE, "a")]
    for sequence, (kind, key) in enumerate(kinds, 1):
        record = Record(kind, 1.0, 1, key, input="0" * 31 + str(sequence), value=b"1")
        line, position = encode_line(record, position)
        lines.append(line[:-1])
        one_by_one.note(sequence, record)
    for first, last in ((0, 1), (1, 4), (4, 5)):
        in_chunks.see(first + 1, lines[first:last])
    one, other = one_by_one.group(None), in_chunks.group(None)
    hold(one.failed == other.failed, "failures are known alike")
    hold(list(one.inputs) == list(other.inputs), "inputs are known alike")
    hold([one.sequence(key) for key in "kab"] == [other.sequence(key) for key in "kab"], "the newest record counts")


# --- the defects


def last_of_a_batch_not_indexed(patch: Patch) -> None:
    original = Index.see
    patch.setattr(Index, "see", lambda self, first, lines: original(self, first, lines[:-1] or lines))


def stale_input_accepted(patch: Patch) -> None:
    original = Loop._is_done
    patch.setattr(
        Loop, "_is_done", lambda self, ordinal, _: original(self, ordinal, None) or self.group.sequences[ordinal]
    )


def failures_count_as_done(patch: Patch) -> None:
    original = Loop._record
    patch.setattr(Loop, "_record", lambda self, one, handed: original(self, one, handed)._replace(kind=Kind.DONE))


def failures_never_forgotten(patch: Patch) -> None:
    original = Group.note_all_done

    def note_all_done(self: Group, first: int, keys: list[str], *rest: Any) -> bool:
        failed, self.failed = self.failed, {}
        try:
            return original(self, first, keys, *rest)
        finally:
            self.failed = failed

    patch.setattr(Group, "note_all_done", note_all_done)


def stale_results_shown(patch: Patch) -> None:
    patch.setattr(LoopSource, "sequence", lambda self, key: self._loop.group.sequence(key))


def results_in_the_order_of_recording(patch: Patch) -> None:
    patch.setattr(LoopSource, "keys", lambda self: (key for key in self._loop.group.keys if self._loop.is_done(key)))


def duplicate_keys_accepted(patch: Patch) -> None:
    patch.setattr(loop_module, "_UNSEEN", ANY)


def complete_ignores_changed_items(patch: Patch) -> None:
    patch.setattr(Loops, "identity", lambda _: "")
    patch.setattr(Steps, "digest_of_arguments", lambda *_: "")


def complete_follows_steps_that_are_not_asked_for(patch: Patch) -> None:
    original = Loops.identity
    given: dict[int, Steps] = {}
    begin = Steps.__init__

    def remember(self: Steps, *args: Any) -> None:
        begin(self, *args)
        given[id(self._session)] = self

    patch.setattr(Steps, "__init__", remember)
    patch.setattr(Loops, "identity", lambda self: original(self) + repr(sorted(given[id(self._session)].used)))


def complete_before_all_is_recorded(patch: Patch) -> None:
    patch.setattr(Loops, "unrecorded", lambda _: [])


def result_never_remembered(patch: Patch) -> None:
    patch.setattr(completion_module, "_is_same", lambda *_: False)


def no_intent_before_a_call(patch: Patch) -> None:
    original = FolderSession.append
    patch.setattr(
        FolderSession,
        "append",
        lambda self, records: (
            original(self, kept) if (kept := [r for r in records if r.kind is not Kind.INTENT]) else 0
        ),
    )


def intents_never_settled(patch: Patch) -> None:
    patch.setattr("milepost.run.index.CALLS", "other")


def another_id_in_each_attempt(patch: Patch) -> None:
    original = Steps._call_id
    patch.setattr(Steps, "_call_id", lambda self, key, given: original(self, f"{key} {id(self)}", given))


def noted_before_the_append(patch: Patch) -> None:
    original = FolderSession.append

    def append(self: FolderSession, records: Sequence[Record]) -> int:
        for record in records:
            if record.kind is Kind.DONE and record.key is not None:
                self.index.group(record.group).note_done(record.key, self._position.sequence + 1, record.input, None)
                for place in range(len(records)):
                    self.index.note(self._position.sequence + 1 + place, records[place])
        return original(self, records)

    def record(self: Loop, finished: Sequence[Any], before: Sequence[Record] = ()) -> None:
        for one in finished:
            self._status[self.group.ordinals[one.key]] = loop_module._DONE
            self.with_value += 1
        done(self, finished, before)

    done = Loop.record
    patch.setattr(FolderSession, "append", append)
    patch.setattr(Loop, "record", record)


def functions_declared_once_only(patch: Patch) -> None:
    def unwritten(self: Makers, code: str | None) -> list[Record]:
        entry = self._unwritten.pop(code, None) if code else None
        return [entry] if entry else []

    patch.setattr(Makers, "unwritten", unwritten)


def restart_loses_the_old_run(patch: Patch) -> None:
    def set_aside(store: Any, _manifest: Any) -> None:
        store.delete([name for name in store.names() if name.startswith(("journal", "run.json"))], durable=True)

    patch.setattr(session_module, "set_aside", set_aside)


def restart_keeps_the_index(patch: Patch) -> None:
    original = FolderSession.restart

    def restart(self: FolderSession) -> None:
        index = self.index
        original(self)
        self.index = index

    patch.setattr(FolderSession, "restart", restart)


def changes_not_told(patch: Patch) -> None:
    patch.setattr("milepost.phase.changes.changes_between", lambda *_: [])


def description_never_kept(patch: Patch) -> None:
    original = FolderSession.begin
    patch.setattr(FolderSession, "begin", lambda self, _: original(self, None))


def no_sync_whatever_the_durability(patch: Patch) -> None:
    original = FolderSession.append

    def append(self: FolderSession, records: Sequence[Record]) -> int:
        self._durability = Durability.PROCESS
        return original(self, records)

    patch.setattr(FolderSession, "append", append)


def states_after_the_second_dropped(patch: Patch) -> None:
    original = State.save

    def save(self: State) -> None:
        if len(self._session.index.states) < 2:
            original(self)

    patch.setattr(State, "save", save)


def arguments_of_steps_ignored(patch: Patch) -> None:
    patch.setattr(steps_module, "short", lambda _: 0)
    patch.setattr("milepost.run.index.short", lambda _: 0)


def old_record_counts_in_chunks(patch: Patch) -> None:
    original = Index._take

    def take(self: Index, sequence: int, head: dict[str, Any], *, has_value: bool) -> None:
        if head["kind"] != "done" or not self.group(head.get("group")).sequence(head["key"]):
            original(self, sequence, head, has_value=has_value)

    patch.setattr(Index, "_take", take)


PLANTED: list[tuple[Callable[[Patch], None], Callable[[], None]]] = [
    (last_of_a_batch_not_indexed, crashes_of_records),
    (no_sync_whatever_the_durability, crashes_of_records),
    (stale_input_accepted, resumed_loop),
    (failures_count_as_done, resumed_loop),
    (stale_results_shown, resumed_loop),
    (results_in_the_order_of_recording, resumed_loop),
    (duplicate_keys_accepted, one_key_each),
    (complete_ignores_changed_items, remembered_result),
    (complete_follows_steps_that_are_not_asked_for, remembered_result),
    (complete_before_all_is_recorded, remembered_result),
    (result_never_remembered, remembered_result),
    (no_intent_before_a_call, paid_once),
    (intents_never_settled, paid_once),
    (another_id_in_each_attempt, paid_once),
    (noted_before_the_append, refused_records),
    (functions_declared_once_only, refused_records),
    (restart_loses_the_old_run, set_aside_whole),
    (restart_keeps_the_index, set_aside_whole),
    (changes_not_told, told_of_changes),
    (description_never_kept, told_of_changes),
    (states_after_the_second_dropped, kept_state),
    (arguments_of_steps_ignored, computed_steps),
    (failures_never_forgotten, chunks_of_records),
    (old_record_counts_in_chunks, chunks_of_records),
]
GUARDS = list(dict.fromkeys(guard for _, guard in PLANTED))


def _outcome(guard: Callable[[], None]) -> AssertionError | None:
    try:
        guard()
    except AssertionError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("plant", "guard"), PLANTED, ids=[f"{plant.__name__}-{guard.__name__}" for plant, guard in PLANTED]
)
def test_each_planted_bug_is_caught(
    plant: Callable[[Patch], None], guard: Callable[[], None], monkeypatch: Patch
) -> None:
    """A defect of a phase makes the check that guards it fail, by its own word and not by an accident."""
    plant(monkeypatch)
    assert _outcome(guard) is not None


@pytest.mark.parametrize("guard", GUARDS)
def test_no_guard_cries_wolf(guard: Callable[[], None]) -> None:
    """Without a planted defect every guard is content."""
    assert _outcome(guard) is None


def test_there_are_enough_defects() -> None:
    """More than twenty different defects are planted."""
    assert len({plant for plant, _ in PLANTED}) > 20
