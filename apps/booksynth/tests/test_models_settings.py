"""Every setting of the models and their limits has an effect, which a change of the YAML alone shows."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import milepost
from apps.booksynth.tests.model_server import ModelServer, model_server
from apps.booksynth.tests.test_models_books import advice_of, chapter
from apps.booksynth.tests.test_models_client import KEY, entry
from apps.booksynth.tests.test_settings import yaml_of
from booksynth import analysing, settings, synthesis
from booksynth.models import ledger
from booksynth.models.advising import Advising
from booksynth.models.client import Client
from booksynth.models.errors import FailedError, UnusableError
from booksynth.settings import Settings
from milepost.errors import ConfigError

BASE = {
    "provider": "compatible",
    "model": "loop-1",
    "requests_per_minute": "100000",
    "input_usd_per_million": "3",
    "output_usd_per_million": "15",
}


class Case:
    """Asks one question with one setting changed in the YAML, and nothing else."""

    def __init__(self, folder: Path, server: ModelServer, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.server = server
        for name, value in {**BASE, "base_url": server.base_url}.items():
            patch.setenv(f"BOOKSYNTH_MODELS__{name.upper()}", value)
        self.patch = patch

    def load(self, path: str, value: Any) -> Settings:
        name = path.removeprefix("models.")
        self.patch.delenv(f"BOOKSYNTH_MODELS__{name.upper()}", raising=False)  # it would win over the file
        file = self.folder / "changed.yaml"
        file.write_text(yaml_of(path, value))
        return settings.load({"config": str(file)})

    def ask(self, path: str, value: Any) -> synthesis.Text:
        config = self.load(path, value)
        with (
            milepost.Phase(ledger.NAME, store=self.folder / "kept") as phase,
            Client(config.models, ledger.Ledger(phase, config.cost_limits)) as client,
        ):
            return client.ask(synthesis.question(synthesis.material(entry(), config.models)))

    def sent(self, path: str, value: Any) -> dict[str, Any]:
        self.ask(path, value)
        return self.server.received[-1].body


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    with model_server() as server:
        yield Case(tmp_path, server, monkeypatch)


def test_models_provider(case: Case) -> None:
    """models.provider decides whose interface is spoken."""
    case.patch.setenv("ANTHROPIC_API_KEY", KEY)
    first = case.ask("models.provider", "compatible")
    case.patch.setenv("BOOKSYNTH_MODELS__BASE_URL", case.server.base_url.removesuffix("/v1"))
    assert case.ask("models.provider", "anthropic") == first
    assert case.server.paths == ["/v1/chat/completions", "/v1/messages"]
    assert KEY in case.server.received[1].authorization
    assert len(set(case.server.keys)) == 2


def test_models_model(case: Case) -> None:
    """models.model names the model that is asked, and without one none is."""
    assert case.sent("models.model", "loop-7")["model"] == "loop-7"
    assert not synthesis.is_wanted(case.load("models.model", None).models)


def test_models_base_url(case: Case) -> None:
    """models.base_url says where the server is, and holds no password."""
    with pytest.raises(FailedError):
        case.ask("models.base_url", "http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="no user, password or query") as caught:
        case.load("models.base_url", f"http://me:{KEY}@127.0.0.1/v1")
    assert KEY not in str(caught.value)


def test_models_api_key_variable(case: Case) -> None:
    """models.api_key_variable names the variable of the key, which may be none that is printed."""
    case.patch.setenv("OTHER_KEY", KEY)
    case.ask("models.api_key_variable", "OTHER_KEY")
    assert case.server.received[0].authorization == f"Bearer {KEY}"
    with pytest.raises(ConfigError, match="must not begin with BOOKSYNTH_"):
        case.load("models.api_key_variable", "BOOKSYNTH_KEY")


def test_models_analyse_books(case: Case) -> None:
    """models.analyse_books: false leaves the books to the quoting of advice."""
    for value, expected in ((True, "language model"), (False, "quoted advice")):
        case.patch.setenv("BOOKSYNTH_PATHS__OUTPUT_DIR", str(case.folder / "out"))
        with analysing.analyser_of(case.load("models.analyse_books", value)) as analyser:
            assert analyser.method.startswith(expected)


def test_models_synthesise(case: Case) -> None:
    """models.synthesise: false leaves merged texts as they are."""
    assert synthesis.is_wanted(case.load("models.synthesise", True).models)
    assert not synthesis.is_wanted(case.load("models.synthesise", False).models)


def test_models_output_mode(case: Case) -> None:
    """models.output_mode decides whether a tool is sent."""
    assert "tools" in case.sent("models.output_mode", "tool")
    with pytest.raises(UnusableError):
        case.ask("models.output_mode", "prompted")  # this server only calls tools
    assert "tools" not in case.server.received[-1].body


def test_models_temperature(case: Case) -> None:
    """models.temperature is sent, and null sends none."""
    assert case.sent("models.temperature", 0.5)["temperature"] == 0.5
    assert "temperature" not in case.sent("models.temperature", None)


def test_models_max_output_tokens(case: Case) -> None:
    """models.max_output_tokens is sent as the longest answer."""
    body = case.sent("models.max_output_tokens", 321)
    assert 321 in {body.get("max_tokens"), body.get("max_completion_tokens")}


def test_models_max_input_chars(case: Case) -> None:
    """models.max_input_chars cuts what is sent."""
    long = entry(books=2)
    long["variants"][0]["fields"]["description"] = "d" * 9_000
    sizes = [
        len(synthesis.material(long, case.load("models.max_input_chars", chars).models).text)
        for chars in (2_000, 4_000, 100_000)
    ]
    assert sizes[0] < sizes[1] < sizes[2]


@pytest.mark.parametrize("corrections", [0, 1])
def test_models_max_corrections(case: Case, corrections: int) -> None:
    """models.max_corrections bounds how often an answer is sent back."""
    case.server.script = ["wrong-schema"] * 9
    with pytest.raises(UnusableError):
        case.ask("models.max_corrections", corrections)
    assert len(case.server.received) == corrections + 1


def test_models_max_iterations(case: Case) -> None:
    """models.max_iterations bounds how often a chapter is asked for more."""
    case.server.answer = advice_of
    for number in (1, 2):
        config = case.load("models.max_iterations", number)
        with (
            milepost.Phase(ledger.NAME, store=case.folder / str(number)) as phase,
            Client(config.models, ledger.Ledger(phase, config.cost_limits)) as client,
        ):
            found = Advising(client, config.models).analyse(chapter("Always a. Always b. Always c."))
        assert len(found.advice) == number


def test_models_timeout_seconds(case: Case) -> None:
    """models.timeout_seconds ends a try that drips."""
    case.server.script = ["drip"]
    case.ask("models.timeout_seconds", 0.3)
    assert [one.word for one in case.server.received] == ["drip", "ok"]


def test_models_max_retries(case: Case) -> None:
    """models.max_retries bounds the further tries."""
    case.server.script = ["429"] * 9
    case.server.retry_after = "0.01"
    with pytest.raises(FailedError, match="429"):
        case.ask("models.max_retries", 1)
    assert len(case.server.received) == 2


def test_models_requests_per_minute(case: Case) -> None:
    """models.requests_per_minute spreads the tries."""
    case.server.script = ["half"]
    case.ask("models.requests_per_minute", 30)
    # Two seconds apart, of which the first request may have been under way for one; the client's own pause is half a one.
    assert case.server.received[1].at - case.server.received[0].at >= 1


def test_models_parallel_calls(case: Case) -> None:
    """models.parallel_calls has no part in results, so a change of it asks for nothing."""
    one, four = (case.load("models.parallel_calls", number).models for number in (1, 4))
    assert (one.parallel_calls, four.parallel_calls) == (1, 4)
    assert synthesis.parts_of_results(one) == synthesis.parts_of_results(four)


@pytest.mark.parametrize("name", ["input_usd_per_million", "output_usd_per_million"])
def test_a_model_needs_prices(case: Case, name: str) -> None:
    """A model without a price is refused, with the names of what is missing."""
    with pytest.raises(ConfigError, match="needs input_usd_per_million and output_usd_per_million"):
        case.load(f"models.{name}", None)


def test_models_input_usd_per_million(case: Case) -> None:
    """models.input_usd_per_million is an exact decimal that calls are counted with."""
    case.ask("models.input_usd_per_million", 0.1)
    with milepost.open(ledger.NAME, store=case.folder / "kept") as reader:
        (call,) = reader.state["calls"].values()
    response = case.server.received[0]
    tokens = (response.usd * 1_000_000 - 15 * 52) / 3
    assert Decimal(call["usd"]) == (Decimal("0.1") * tokens + 15 * 52) / 1_000_000


def test_models_output_usd_per_million(case: Case) -> None:
    """models.output_usd_per_million bounds what a request can cost."""
    with pytest.raises(milepost.BudgetReached):
        case.ask("models.output_usd_per_million", 5_000)
    assert case.server.received == []


@pytest.mark.parametrize(("name", "is_reached"), [("phase_2_usd", False), ("phase_3_usd", True), ("total_usd", True)])
def test_cost_limits(case: Case, name: str, is_reached: bool) -> None:
    """Each limit stops what it is for, and nothing else."""
    if is_reached:
        with pytest.raises(milepost.BudgetReached, match=name):
            case.ask(f"cost_limits.{name}", 0.01)
    else:
        case.ask(f"cost_limits.{name}", 0.01)
    assert len(case.server.received) == (not is_reached)
