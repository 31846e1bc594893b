"""The laws of the client: typed answers over real HTTP, each request paid for once, within the limits."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import milepost
from apps.booksynth.tests import model_server as module
from apps.booksynth.tests.model_server import INPUT_USD, OUTPUT_USD, ModelServer, model_server
from booksynth import synthesis
from booksynth.models import ledger, opening
from booksynth.models.client import Client
from booksynth.models.errors import (
    EmptyError,
    FailedError,
    NoAnswerError,
    NotAllowedError,
    RefusedError,
    UnusableError,
)
from booksynth.models.settings import CostLimits, ModelsSettings
from booksynth.settings import load
from milepost.errors import MissingExtra

KEY = "sk-very-secret-0815"
MODEL = {"provider": "openai", "model": "loop-1", "api_key_variable": "LOOP_KEY", "requests_per_minute": 100_000}
PRICES = {"input_usd_per_million": INPUT_USD, "output_usd_per_million": OUTPUT_USD}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOP_KEY", KEY)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


def entry(name: str = "Cache", books: int = 2) -> dict[str, Any]:
    """Return what is used of a merged recommendation of so many books."""
    digests = [f"{n:x}" * 64 for n in range(1, books + 1)]
    variants = [
        {"digest": one, "fields": {"title": f"{name} {n}", "description": "d" * n}} for n, one in enumerate(digests)
    ]
    sources = [{"book": f"Book {n}", "variant": one} for n, one in enumerate(digests)]
    return {"id": f"rec-{name}", "variants": variants, "sources": sources}


class Asking:
    """Asks in a fresh attempt each time, as each run of the program does."""

    def __init__(self, folder: Path, server: ModelServer) -> None:
        self.folder = folder
        self.server = server

    def __call__(self, name: str = "Cache", limits: CostLimits | None = None, **settings: Any) -> synthesis.Text:
        given = {
            "max_retries": 2,
            "timeout_seconds": 5.0,
            **MODEL,
            **PRICES,
            "base_url": self.server.base_url,
            **settings,
        }
        models = ModelsSettings(**given)
        asked = synthesis.question(synthesis.material(entry(name), models))
        with (
            milepost.Phase(ledger.NAME, store=self.folder, on_change="keep") as phase,
            Client(models, ledger.Ledger(phase, limits or CostLimits())) as client,
        ):
            return client.ask(asked)

    @property
    def bill(self) -> dict[str, Any]:
        with milepost.open(ledger.NAME, store=self.folder) as reader:
            return ledger.bill(reader.state["calls"])


@pytest.fixture
def ask(tmp_path: Path, server: ModelServer) -> Asking:
    return Asking(tmp_path / "kept", server)


def test_asked_once(ask: Asking, server: ModelServer) -> None:
    """A question that was answered is not asked again, another one and another model are; the bill is the server's."""
    first = ask()
    assert first.title == "Written: Cache 0"
    assert ask() == first
    assert len(server.received) == 1
    assert server.received[0].authorization == f"Bearer {KEY}"
    ask("Other")
    ask(model="loop-2")
    ask(temperature=0.5)
    ask(timeout_seconds=9.0, max_retries=0)
    assert len(server.received) == len(set(server.keys)) == 4
    assert ask.bill == {"answered": 4, "unanswered": 0, "usd": f"{server.bill.normalize():f}", "unsure_usd": "0"}


@pytest.mark.parametrize("word", ["429", "500", "504", "half", "hang", "drip"])
def test_tried_again(ask: Asking, server: ModelServer, word: str) -> None:
    """A try that failed is made again with the same idempotency key, not before Retry-After, and paid for once."""
    server.script = [word]
    server.retry_after = "1.5"  # three times the client's own pause
    assert ask(timeout_seconds=0.6).title == "Written: Cache 0"
    assert [one.word for one in server.received] == [word, "ok"]
    assert len(set(server.keys)) == 1
    assert server.keys[0]
    if word == "429":
        assert server.received[1].at - server.received[0].at >= 1
    assert ask.bill["usd"] == f"{server.bill.normalize():f}"
    assert (ask.bill["unsure_usd"] == "0") == (word in {"429", "500"})


@pytest.mark.parametrize("word", ["bad-json", "wrong-schema", "invented"])
def test_corrected(ask: Asking, server: ModelServer, word: str) -> None:
    """An answer that cannot be used is sent back with what is wrong; both requests are paid for, and both are kept."""
    server.script = [word]
    answer = ask()
    assert all(source != "000000000000" for step in answer.steps for source in step.sources)
    assert len(server.received) == len(set(server.keys)) == 2
    assert len(server.received[1].body["messages"]) > len(server.received[0].body["messages"])
    assert ask() == answer
    assert len(server.received) == 2
    assert ask.bill["usd"] == f"{server.bill.normalize():f}"


@pytest.mark.parametrize(
    ("word", "error", "calls"),
    [
        ("invented", UnusableError, 3),
        ("bad-json", UnusableError, 3),
        ("wrong-schema", UnusableError, 3),
        ("empty", EmptyError, 3),
        ("refusal", RefusedError, 1),
    ],
)
def test_no_answer(ask: Asking, server: ModelServer, word: str, error: type[NoAnswerError], calls: int) -> None:
    """Refused, empty and unusable are told apart, and none of them is asked a second time."""
    server.script = [word] * calls
    for _ in range(2):
        with pytest.raises(error) as caught:
            ask()
    assert str(caught.value).startswith(f"{error.code}: ")
    assert len(server.received) == calls


@pytest.mark.parametrize(("word", "tries"), [("500", 2), ("429", 2), ("half", 2), ("garbage", 1), ("400", 1)])
def test_failed(ask: Asking, server: ModelServer, word: str, tries: int) -> None:
    """A request that fails is no answer: it is asked again by the next run, with the same idempotency key."""
    server.script = [word] * tries
    with pytest.raises(FailedError):
        ask(max_retries=1)
    assert len(server.received) == tries
    assert ask(max_retries=1).title == "Written: Cache 0"
    assert len(set(server.keys)) == 1
    is_unsure = word in {"half", "garbage"}
    assert (ask.bill["unsure_usd"] != "0") == is_unsure


def test_nobody_listens(ask: Asking, server: ModelServer) -> None:
    """Where nobody listens the question fails, and nothing counts as paid."""
    with pytest.raises(FailedError):
        ask(base_url="http://127.0.0.1:9/v1", max_retries=1)
    assert ask.bill == {"answered": 0, "unanswered": 1, "usd": "0", "unsure_usd": "0"}


def test_hopeless(ask: Asking, server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused key stops at once and names the variable, and a missing one before anything is sent."""
    server.script = ["401"]
    with pytest.raises(NotAllowedError, match="LOOP_KEY"):
        ask()
    assert len(server.received) == 1
    monkeypatch.setenv("LOOP_KEY", " ")
    with pytest.raises(NotAllowedError, match="LOOP_KEY holds no key"):
        ask()
    assert len(server.received) == 1


def test_the_extra_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where booksynth[models] is not installed the run says so, and names what to install."""
    monkeypatch.delitem(sys.modules, "booksynth.models.client")
    monkeypatch.setitem(sys.modules, "pydantic_ai", None)
    paths = {"paths.output_dir": str(tmp_path), "models.model": "loop-1"}
    prices = {"models.input_usd_per_million": "1", "models.output_usd_per_million": "1"}
    with pytest.raises(MissingExtra, match=r"install booksynth\[models\]"), opening.client(load({**paths, **prices})):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", ["401", "400", "500"])
def test_the_key_is_told_nobody(ask: Asking, server: ModelServer, word: str, caplog: pytest.LogCaptureFixture) -> None:
    """The key stands in no message, traceback, log or stored file, even where the server repeats it."""
    server.script = [word]
    with caplog.at_level("DEBUG"), pytest.raises((FailedError, NotAllowedError)) as caught:
        ask(max_retries=0)
    text = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "(key)" in str(caught.value)
    assert KEY not in text
    stored = [path.read_bytes() for path in ask.folder.rglob("*") if path.is_file()]
    assert stored
    assert not any(KEY.encode() in data for data in stored)


def test_limits(ask: Asking, server: ModelServer) -> None:
    """A call that could exceed a limit is not sent; what is spent stays within it, and more money goes on."""
    limits = CostLimits(phase_3_usd=Decimal("0.254"))
    names = [f"{n:02}" for n in range(20)]
    with pytest.raises(milepost.BudgetReached, match=r"phase_3_usd=0\.254"):
        list(map(partial(ask, limits=limits), names))
    assert 0 < len(server.received) < len(names)
    assert server.bill <= Decimal("0.254")
    sent = len(server.received)
    with pytest.raises(milepost.BudgetReached):
        ask(names[sent], limits)
    with pytest.raises(milepost.BudgetReached, match="total_usd"):
        ask(names[sent], CostLimits(total_usd=Decimal("0.05")))
    assert ask(names[0], limits).title == "Written: 00 0"
    assert len(server.received) == sent
    assert ask(names[sent]).title == f"Written: {names[sent]} 0"
    assert ask.bill["unsure_usd"] == "0"


@pytest.mark.parametrize("mode", ["json_schema", "prompted"])
def test_other_ways_to_answer(ask: Asking, server: ModelServer, mode: str) -> None:
    """A server without tools can be asked for JSON, and answers the same."""

    def plain(arguments: str | None, **more: Any) -> dict[str, Any]:
        return real(None, **{"content": arguments, **more})

    real = module.completion
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "completion", plain)
        assert ask(output_mode=mode, provider="compatible").title == "Written: Cache 0"
    assert "tools" not in server.received[0].body
    assert json.dumps(server.received[0].body).count("technical_details") >= 1


def test_long_records_are_cut(server: ModelServer) -> None:
    """A request is never longer than its limit allows, and what fits no more is not asked."""
    long = entry(books=3)
    for one in long["variants"]:
        one["fields"]["description"] = "é" * 50_000
    models = ModelsSettings(max_input_chars=1_000)
    shown = synthesis.material(long, models)
    assert 1_000 < len(shown.text) < 2_000
    assert "[…]" in shown.text
    reason = synthesis.material(entry(books=9), models).reason
    assert reason == "too-long: 9 records do not fit into 1000 characters"
