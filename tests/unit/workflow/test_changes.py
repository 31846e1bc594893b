"""Changed code, parameters and inputs: stop, keep, restart and bless, phase by phase."""

from __future__ import annotations

import pytest

import milepost
from milepost.errors import Changed
from tests.support.flows import Job, minus


@pytest.fixture
def changed(job: Job) -> Job:
    """Return a finished diamond whose parameter and items differ from what was run."""
    job.run()
    job.scale = 2
    job.options["right"] = {"on_change": None}
    return job


def test_stop_names_what_changed_and_runs_nothing(changed: Job) -> None:
    """By default a changed parameter stops the run at its phase, old and new are named, and all results stay."""
    with pytest.raises(Changed, match=r"parameter scale: 1 -> 2"):
        changed.run()
    assert changed.diary.entered == []
    entry = changed.plan().phases[2]
    assert (entry.action, str(entry.reasons[0])) == ("stop", "parameter changed: scale: 1 -> 2")
    changed.scale = 1
    assert changed.run().ran == []


def test_keep_goes_on_with_what_there_is(changed: Job, caplog: pytest.LogCaptureFixture) -> None:
    """With keep the finished phase is reused, a warning and the plan name the change."""
    outputs = changed.run(on_change="keep")
    assert outputs.ran == []
    assert "right: reused, although parameter changed: scale: 1 -> 2" in caplog.text
    kept = changed.built().plan(on_change="keep").phases[2]
    assert (kept.action, [str(one) for one in kept.kept]) == ("reuse", ["parameter changed: scale: 1 -> 2"])


def test_restart_begins_anew(changed: Job) -> None:
    """With restart the phase begins anew, and what builds on it follows."""
    outputs = changed.run(on_change="restart")
    assert outputs.ran == ["right", "join"]
    assert dict(outputs) == changed.expected()


def test_the_variable_overrides_every_word(changed: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """MILEPOST_ON_CHANGE goes before what phase, workflow and call say."""
    monkeypatch.setenv("MILEPOST_ON_CHANGE", "keep")
    changed.options["right"] = {"on_change": "restart"}
    assert changed.run(on_change="stop").ran == []


def test_bless_accepts_the_change_that_stopped(changed: Job) -> None:
    """A blessed change is accepted once and for all, and the finished phase is reused without being entered."""
    with pytest.raises(Changed):
        changed.run()
    assert milepost.bless("right", store=changed.store) == ["parameter scale: 1 -> 2"]
    assert changed.run().ran == []


def test_bless_does_not_accept_that_an_upstream_output_changed(changed: Job) -> None:
    """Where an upstream output changed as well, a blessed phase still begins anew for that."""
    changed.items = [("a", 3), ("b", 2)]
    with pytest.raises(Changed):
        changed.run()
    milepost.bless("right", store=changed.store)
    outputs = changed.run()
    assert "right" in outputs.ran
    assert dict(outputs) == changed.expected()


def test_changed_code_of_a_body_is_named(job: Job) -> None:
    """The body of a phase and what it names in code= belong to the phase, and the function is named."""
    job.options["left"] = {"on_change": "stop"}
    job.run()
    job.way = minus
    with pytest.raises(Changed, match=r"(?s)left: changed .*code tests\.support\.flows\.(plus|minus)"):
        job.run()


def test_what_decorates_a_body_to_declare_it_is_no_code(job: Job) -> None:
    """Options of the declaration that change what a phase may take, not what it does, make nothing stale."""
    job.run()
    job.options["gather"] = {"retries": 2, "max_seconds": 60, "max_cost_usd": 1, "timeout_seconds": 60}
    assert job.run().ran == []
