"""Retries, and budgets of dollars and seconds: a run stops cleanly when one is reached, and goes on with more."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost.errors import BudgetReached, Interrupted, InvalidArgument, PhaseFailed
from tests.support.flows import Job

BUDGET_USD = 1.0


class Provider:
    """Takes money for each call, and knows what it took."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.mutex = threading.Lock()

    def ask(self, text: str, *, call_id: str) -> str:
        """Answer a paid call."""
        assert call_id
        with self.mutex:
            self.calls.append(text)
        return text.upper()


def _paid(folder: Path, provider: Provider, *, budget_usd: float, workers: int, price_usd: float = 0.3) -> Any:
    flow = milepost.Workflow("w", store=folder)

    @flow.phase(items=[f"item {n}" for n in range(8)], max_cost_usd=budget_usd)
    def pays(phase: milepost.Phase, items: list[str]) -> dict[str, str]:
        def work(item: str) -> str:
            return str(phase.call(f"ask {item}", provider.ask, item, cost_usd=price_usd))

        if workers > 1:
            return dict(phase.map(work, items, workers=workers))
        for item in phase.each(items):
            phase.record(work(item))
        return dict(phase.results())

    return flow.run()


def _failed(folder: Path, phase: str) -> list[str]:
    with milepost.open(phase, store=folder) as seen:
        return list(seen.failures())


def test_coroutines_that_a_budget_holds_up_have_not_failed(tmp_path: Path) -> None:
    """A call from a coroutine that the budget does not cover ends the attempt, and counts no item as failed."""
    flow = milepost.Workflow("w", store=tmp_path)
    provider = Provider()

    @flow.phase(items=["a", "b", "c", "d"], max_cost_usd=0.5)
    def pays(phase: milepost.Phase, items: list[str]) -> dict[str, str]:
        async def ask(item: str) -> str:
            return str(phase.call(item, provider.ask, item, cost_usd=0.2))

        async def all_of_them() -> dict[str, str]:
            return {key: value async for key, value in phase.amap(ask, items, limit=2, on_error="skip")}

        return asyncio.run(all_of_them())

    with pytest.raises(BudgetReached, match="max_cost_usd"):
        flow.run()
    assert len(provider.calls) == 2
    assert _failed(tmp_path, "pays") == []


@pytest.mark.parametrize("workers", [1, 4])
def test_a_budget_of_dollars_is_never_exceeded(tmp_path: Path, workers: int) -> None:
    """No call is made that the budget does not cover, by no thread, and no item fails by that; more goes on."""
    provider = Provider()
    for budget_usd, calls in ((1.0, 3), (1.0, 3), (1.5, 5)):
        with pytest.raises(BudgetReached, match="max_cost_usd") as caught:
            _paid(tmp_path, provider, budget_usd=budget_usd, workers=workers)
        assert caught.value.limit == "max_cost_usd"
        assert len(provider.calls) == calls
        assert _failed(tmp_path, "pays") == []
    outputs = _paid(tmp_path, provider, budget_usd=10, workers=workers)
    assert outputs["pays"] == {f"item {n}": f"ITEM {n}" for n in range(8)}
    assert sorted(provider.calls) == [f"item {n}" for n in range(8)]


def test_a_call_without_a_price_is_refused_where_there_is_a_budget(tmp_path: Path) -> None:
    """Under a budget each call says what it costs, so that the budget can be kept."""
    flow = milepost.Workflow("w", store=tmp_path)
    provider = Provider()
    flow.phase(name="p", max_cost_usd=1)(lambda phase: phase.call("a", provider.ask, "a"))
    with pytest.raises(InvalidArgument, match="each call needs cost_usd="):
        flow.run()
    assert provider.calls == []


def test_calls_that_were_not_answered_count(tmp_path: Path) -> None:
    """What was sent may have been billed, so a call that failed counts against the budget like an answered one."""
    sent: list[str] = []

    def refuses(*, call_id: str) -> None:
        sent.append(call_id)
        raise OSError("refused")

    flow = milepost.Workflow("w", store=tmp_path)
    flow.phase(name="p", max_cost_usd=1)(lambda phase: phase.call("a", refuses, cost_usd=0.4))
    for _ in range(2):
        with pytest.raises(PhaseFailed):
            flow.run()
    with pytest.raises(BudgetReached, match=r"\$0\.8 of max_cost_usd=1 are spent"):
        flow.run()
    assert len(sent) == 2


def test_a_budget_of_seconds_begins_nothing_new_and_is_resumable(
    job: Job, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An attempt that has had its seconds begins no further item, and each run goes on where the last one stopped."""
    caplog.clear()
    at = [0.0]
    monkeypatch.setattr("milepost.phase.limits.time", _Standing(at))
    job.options["right"] = {"max_seconds": 10}

    def work(phase: str, key: str) -> None:
        at[0] += 6 if (phase, key) != (phase, "") else 0

    job.work = work
    with pytest.raises(BudgetReached, match="max_seconds=10") as caught:
        job.run()
    assert caught.value.limit == "max_seconds"
    assert job.diary.keys("right") == ["a", "b"]
    assert "right: stopped after max_seconds=10. Everything recorded is safe" in caplog.text
    assert dict(job.run()) == job.expected()
    assert job.diary.items == [("right", "c")]


class _Standing:
    """Stands for the module `time`, with a clock that goes when it is told to."""

    def __init__(self, at: list[float]) -> None:
        self.monotonic = lambda: at[0]


def test_a_body_that_raised_is_entered_again_and_goes_on(job: Job) -> None:
    """A retry keeps what the try before recorded, tells of itself, and the last error is the one that is raised."""
    job.options["gather"] = {"retries": 2, "retry_wait_seconds": 0}
    tries: list[str] = []

    def fail(phase: str, key: str) -> None:
        if (phase, key) == ("gather", "b"):
            tries.append(key)
            if len(tries) < 3:
                raise OSError(f"try {len(tries)}")

    job.work = fail
    assert dict(job.run()) == job.expected()
    assert job.diary.keys("gather") == ["a", "b", "b", "b", "c"]
    assert [one.error for one in job.diary.events if one.kind == "retried"] == ["OSError: try 1", "OSError: try 2"]
    job.items = [("b", 7)]
    job.work = lambda _phase, key: _fail_with("always") if key == "b" else None
    with pytest.raises(PhaseFailed, match="gather: OSError: always"):
        job.run()
    assert job.diary.keys("gather") == ["b", "b", "b"]


def _fail_with(text: str) -> None:
    raise OSError(text)


@pytest.mark.parametrize("error", [milepost.errors.DuplicateKey("twice"), KeyboardInterrupt(), SystemExit(3)])
def test_what_no_retry_can_mend_is_not_tried_again(job: Job, error: BaseException) -> None:
    """A wrong call of Milepost, an interrupt and an exit are raised as they are, after one try."""
    job.options["gather"] = {"retries": 5, "retry_wait_seconds": 0}

    def fail(_phase: str, key: str) -> None:
        if key:
            raise error

    job.work = fail
    with pytest.raises(type(error)) as caught:
        job.run()
    assert caught.value is error
    assert job.diary.entered == ["gather"]


def test_a_fresh_run_that_is_retried_begins_anew_only_once(job: Job) -> None:
    """Within one fresh run a retry keeps what the first try recorded."""
    job.options["gather"] = {"retries": 1, "retry_wait_seconds": 0}
    job.run()
    failed: list[str] = []

    def fail(phase: str, key: str) -> None:
        if (phase, key) == ("gather", "c") and not failed:
            failed.append(key)
            raise OSError

    job.work = fail
    assert dict(job.run(fresh=True, only="gather"))["gather"] == job.expected()["gather"]
    assert job.diary.keys("gather") == ["a", "b", "c", "c"]


def test_budgets_and_interrupts_are_exits() -> None:
    """Neither is swallowed by an `except Exception` in a job, and a budget has the exit code 4."""
    assert not issubclass(BudgetReached, Exception)
    assert not issubclass(Interrupted, Exception)
    assert BudgetReached("text", limit="max_seconds").code == 4
