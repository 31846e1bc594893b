"""Steps, paid calls and the phase's result: computed once, for the same arguments."""

from __future__ import annotations

import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import milepost
import milepost.fingerprint
import milepost.report
from milepost.errors import InvalidArgument, NotEncodable

PROMPT = "say hello"


class Provider:
    """A provider that answers, counts, and fails where it is told to."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.break_after: type[BaseException] | None = None

    def __call__(self, prompt: str, call_id: str) -> str:
        self.received.append(call_id)
        if self.break_after is not None:
            raise self.break_after("the line went dead")
        return prompt.upper()


def opened(folder: Path, **settings: Any) -> milepost.Phase:
    return milepost.Phase("p", store=folder, **settings)


def test_a_step_is_computed_once_per_run(tmp_path: Path) -> None:
    """A step with the same arguments is read from the journal in every later attempt."""
    calls = []

    def cluster(items: list[int], *, least: int) -> list[int]:
        calls.append(least)
        return [one for one in items if one >= least]

    for _ in range(2):
        with opened(tmp_path) as phase:
            assert phase.step("cluster", cluster, [1, 2, 3], least=2) == [2, 3]
    assert calls == [2]


def test_a_step_with_other_arguments_is_computed_again(tmp_path: Path) -> None:
    """A stored step counts for its own arguments only."""
    for number in (1, 2, 2):
        with opened(tmp_path) as phase:
            assert phase.step("double", lambda x: (x, x), number) == (number, number)


def test_a_step_over_results_follows_them(tmp_path: Path) -> None:
    """A step that was given the results is computed again when they are others."""
    totals = []
    for items in (["a"], ["a", "bb"], ["a", "bb"]):
        with opened(tmp_path) as phase:
            for item in phase.each(items):
                phase.record(len(item))
            totals.append(phase.step("total", lambda results: sum(results.values()), phase.results()))
    assert totals == [1, 3, 3]


def test_one_name_serves_one_step_of_an_attempt(tmp_path: Path) -> None:
    """The same name with other arguments in one attempt is refused; with the same it is the stored value."""
    with opened(tmp_path) as phase:
        assert phase.step("s", len, "ab") == 2
        assert phase.step("s", len, "ab") == 2
        with pytest.raises(InvalidArgument, match="own name"):
            phase.step("s", len, "abc")


def test_a_step_that_raises_is_no_step(tmp_path: Path) -> None:
    """What a step raises reaches the caller, nothing is recorded, and the next attempt computes it."""
    outcomes = [ValueError("no"), 7]

    def step() -> Any:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with opened(tmp_path) as phase:
        with pytest.raises(ValueError, match="no"):
            phase.step("s", step)
        assert phase.step("s", step) == 7


def test_a_finished_call_is_never_made_again(tmp_path: Path) -> None:
    """The answer of a paid call is read from the journal in every later attempt."""
    provider = Provider()
    for _ in range(3):
        with opened(tmp_path) as phase:
            assert phase.call("c", provider, PROMPT, cost_usd=0.03) == "SAY HELLO"
    assert len(provider.received) == 1


def test_a_call_that_died_is_listed_with_its_price(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A call that was sent and not answered is ambiguous: named with its price, and made again with the same id."""
    provider = Provider()
    provider.break_after = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), opened(tmp_path) as phase:
        phase.call("c", provider, PROMPT, cost_usd=0.03)
    provider.break_after = None
    with caplog.at_level(logging.WARNING), opened(tmp_path) as phase:
        (sent,) = phase.ambiguous
        assert (sent.key, sent.cost_usd, sent.call_id) == ("c", 0.03, provider.received[0])
        assert phase.call("c", provider, PROMPT, cost_usd=0.03) == "SAY HELLO"
        assert phase.ambiguous == []
    assert provider.received[0] == provider.received[1]
    assert any("'c'" in line and "$0.0300" in line and "same id" in line for line in caplog.messages)


@pytest.mark.parametrize("happened", [True, False])
def test_reconcile_says_what_came_of_an_ambiguous_call(tmp_path: Path, happened: bool) -> None:
    """The callback's result stands for the call that happened; one that did not is made with the same id."""
    provider = Provider()
    provider.break_after = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), opened(tmp_path) as phase:
        phase.call("c", provider, PROMPT, cost_usd=0.03)
    provider.break_after = None
    asked = []

    def reconcile(sent: milepost.Ambiguous) -> Any:
        asked.append(sent)
        return milepost.Happened("found") if happened else None

    with opened(tmp_path) as phase:
        answer = phase.call("c", provider, PROMPT, cost_usd=0.03, reconcile=reconcile)
    assert answer == ("found" if happened else "SAY HELLO")
    assert [one.call_id for one in asked] == provider.received[:1]
    assert len(set(provider.received)) == 1
    assert len(provider.received) == (1 if happened else 2)
    with opened(tmp_path) as phase:
        assert phase.call("c", provider, PROMPT, cost_usd=0.03) == answer


def test_reconcile_answers_in_its_own_word(tmp_path: Path) -> None:
    """A callback that returns a bare value is refused: None and a result must not be mistaken for each other."""
    provider = Provider()
    provider.break_after = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), opened(tmp_path) as phase:
        phase.call("c", provider, PROMPT)
    with opened(tmp_path) as phase, pytest.raises(InvalidArgument, match="Happened"):
        phase.call("c", provider, PROMPT, reconcile=lambda sent: "found")


def test_a_call_that_raised_is_not_ambiguous_and_keeps_its_id(tmp_path: Path) -> None:
    """A call whose function raised has failed: it is made again with the same id, so a provider can tell."""
    provider = Provider()
    provider.break_after = TimeoutError
    with opened(tmp_path) as phase:
        with pytest.raises(TimeoutError):
            phase.call("c", provider, PROMPT, cost_usd=0.03)
        assert phase.ambiguous == []
        provider.break_after = None
        assert phase.call("c", provider, PROMPT, cost_usd=0.03) == "SAY HELLO"
    assert len(set(provider.received)) == 1


def test_other_arguments_are_another_call(tmp_path: Path) -> None:
    """A call with other arguments has another id: a provider would refuse the old one with a new body."""
    provider = Provider()
    for prompt in ("one", "two"):
        with opened(tmp_path) as phase:
            assert phase.call("c", provider, prompt) == prompt.upper()
    assert len(set(provider.received)) == 2


def test_the_intent_is_durable_before_the_call(tmp_path: Path) -> None:
    """While the call is being made, a reader from outside finds its intent with its price."""
    seen: list[milepost.Ambiguous] = []

    def look(call_id: str) -> str:
        with milepost.open("p", store=tmp_path) as reader:
            seen.extend(reader.ambiguous)
        return call_id

    with opened(tmp_path) as phase:
        call_id = phase.call("c", look, cost_usd=1.5)
    assert [(one.key, one.call_id, one.cost_usd) for one in seen] == [("c", call_id, 1.5)]


def test_a_stored_result_wins(tmp_path: Path) -> None:
    """While the items stay as they are, the first result stands, whatever value is given later."""
    for value in ("first", "second"):
        with opened(tmp_path) as phase:
            for item in phase.each(["a"]):
                phase.record(item)
            assert phase.complete(value) == "first"


def test_a_result_of_other_items_is_computed_anew(tmp_path: Path) -> None:
    """Added, removed and changed items each make the stored result stale."""
    results = []
    for items in (["a", "b"], ["a", "b", "c"], ["b", "c"], ["c", "b"], ["c", "b"]):
        with opened(tmp_path) as phase:
            for item in phase.each(items):
                phase.record(item)
            results.append(phase.complete(lambda done: "".join(done.values()), phase.results()))
    assert results == ["ab", "abc", "bc", "cb", "cb"]


def test_a_result_of_other_arguments_is_computed_anew(tmp_path: Path) -> None:
    """A stored result counts for the arguments it was made of."""
    for factor in (2, 3):
        with opened(tmp_path) as phase:
            assert phase.complete(lambda x: 7 * x, factor) == 7 * factor


def test_a_result_that_cannot_be_stored_is_refused(tmp_path: Path) -> None:
    """A result that would not come back equal is named by its path, and the phase is not complete."""
    with opened(tmp_path) as phase, pytest.raises(NotEncodable, match=r"result\.x"):
        phase.complete({"x": object()})
    with milepost.open("p", store=tmp_path) as reader:
        assert not reader.is_complete


def test_state_is_journalled_when_saved(tmp_path: Path) -> None:
    """The state comes back as it was saved last; what was not saved does not."""
    with opened(tmp_path) as phase:
        phase.state["cursor"] = {"page": 1}
        phase.state["seen"] = [1]
        phase.save()
        phase.state["seen"].append(2)
        phase.save()
        del phase.state["cursor"]
        phase.save()
        phase.state["seen"].append(3)
    with opened(tmp_path) as phase:
        assert phase.state == {"seen": [1, 2]}


def test_an_unchanged_state_writes_nothing(tmp_path: Path) -> None:
    """Saving a state that is as it was saved last adds no record."""
    with opened(tmp_path) as phase:
        phase.state["a"] = 1
        phase.save()
        before = (tmp_path / "p" / "journal_000001.jsonl").read_bytes()
        phase.save()
        assert (tmp_path / "p" / "journal_000001.jsonl").read_bytes() == before


def test_random_numbers_belong_to_the_item(tmp_path: Path) -> None:
    """An item draws the same numbers whatever was drawn before, in any order and any attempt."""

    def draws(folder: Path, items: list[str]) -> dict[str, Any]:
        with opened(folder) as phase:
            for _ in phase.each(items):
                phase.record([phase.random().random(), phase.random().random(), phase.numpy_random().random()])
            return dict(phase.results())

    once = draws(tmp_path / "a", ["x", "y", "z"])
    assert draws(tmp_path / "b", ["z", "y", "x"]) == once
    draws(tmp_path / "c", ["y"])
    assert draws(tmp_path / "c", ["x", "y", "z"]) == once
    assert len({value for drawn in once.values() for value in drawn}) == 9


def test_another_seed_draws_other_numbers_and_is_a_change(tmp_path: Path) -> None:
    """The seed is a parameter of the run: other numbers, noticed as a change."""
    with opened(tmp_path) as phase:
        for _ in phase.each(["x"]):
            first = phase.random().random()
            phase.record(first)
    with pytest.raises(milepost.Changed, match="seed"), opened(tmp_path, seed=7):
        pass
    with opened(tmp_path / "other", seed=7) as phase:
        assert phase.random("x").random() != first


def test_a_function_is_fingerprinted_once_per_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop of calls takes the fingerprint of its function once, however many calls there are."""
    taken = []
    original = milepost.fingerprint.function_parts

    def counted(function: Any) -> dict[str, str]:
        taken.append(function)
        return original(function)

    monkeypatch.setattr("milepost.fingerprint.function_parts", counted)
    provider = Provider()
    with opened(tmp_path) as phase:
        for number in range(5):
            phase.call(f"c{number}", provider.__call__, PROMPT)
    assert len(taken) == 1


@pytest.mark.parametrize("price", [float("nan"), float("inf"), -0.01, "0.03", True, 1j])
def test_a_price_that_cannot_be_added_up_is_refused_before_the_call(tmp_path: Path, price: Any) -> None:
    """What is no finite price of at least 0 reaches neither the provider nor the journal, which stays readable."""
    provider = Provider()
    with opened(tmp_path) as phase, pytest.raises(InvalidArgument, match="cost_usd="):
        phase.call("ask", provider, PROMPT, cost_usd=price)
    with opened(tmp_path) as phase:
        assert phase.call("ask", provider, PROMPT, cost_usd=0.01) == "SAY HELLO"
    assert len(provider.received) == 1


def test_a_price_may_be_any_kind_of_number(tmp_path: Path) -> None:
    """A Decimal is a price like another: the run adds it up, and can be opened again."""
    provider = Provider()
    for _ in range(2):
        with opened(tmp_path, max_cost_usd=1) as phase:
            phase.call("ask", provider, PROMPT, cost_usd=Decimal("0.03"))  # type: ignore[arg-type]
    (seen,) = milepost.report.status(tmp_path)
    assert seen.cost_usd == 0.03
    assert len(provider.received) == 1


def test_a_failure_may_name_a_file_that_is_no_text(tmp_path: Path) -> None:
    """What is told of a failure is recorded escaped where it cannot be stored as it is."""
    with opened(tmp_path) as phase:
        for _ in phase.each(["a"]):
            phase.fail("cannot read \udcff.md")
    with milepost.open("p", store=tmp_path) as seen:
        assert seen.failures()["a"]["message"] == "cannot read \\udcff.md"
