"""The laws of runs with a language model: what is written, what is paid, and what a kill leaves."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import milepost
from apps.booksynth.tests import support
from apps.booksynth.tests.model_server import INPUT_USD, OUTPUT_USD, ModelServer, model_server
from apps.booksynth.tests.support import Done, record, standing, tracker
from booksynth.document import schema
from booksynth.models import ledger

SHARED = ("Cache the index", "Test what breaks", "Write it down")
CLIENT = (
    *("booksynth.models.client", "booksynth.models.opening", "booksynth.models.paid", "pydantic_ai.models.openai"),
    *(
        "openai.resources",
        "openai.pagination",
        "openai.resources.chat",
        "genai_prices.data",
        "anyio._backends._asyncio",
    ),
)
SCRIPTS = {
    "429": ["ok", "429"],
    "500": ["ok", "500"],
    "hang": ["ok", "hang"],
    "half": ["ok", "half"],
    "drip": ["ok", "drip"],
    "bad-json": ["ok", "bad-json", "hang"],
    "wrong-schema": ["ok", "wrong-schema", "hang"],
    "invented": ["ok", "invented", "hang"],
}


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


def make_shelf(folder: Path, shared: tuple[str, ...] = SHARED) -> Path:
    """Write two analyses that share some recommendations in other words, and keep one each."""
    for book in ("A", "B"):
        records = [record(title, description=f"{title}, says {book}.") for title in shared]
        records.append(record(f"Only {book}"))
        support.write(folder, book, tracker(f"Book {book}", {"important": records}))
    return folder


@pytest.fixture
def books(tmp_path: Path) -> Path:
    return make_shelf(tmp_path / "shelf")


def variables(server: ModelServer, **settings: Any) -> dict[str, str]:
    """Return the environment in which *server* is asked."""
    given = {
        "model": "loop-1",
        "base_url": server.base_url,
        "api_key_variable": "LOOP_KEY",
        "input_usd_per_million": INPUT_USD,
        "output_usd_per_million": OUTPUT_USD,
        "requests_per_minute": 100_000,
        "parallel_calls": 1,
        "timeout_seconds": 20,
        **settings,
    }
    return {f"BOOKSYNTH_MODELS__{name.upper()}": str(value) for name, value in given.items()} | {"LOOP_KEY": "sk-0815"}


def run(
    server: ModelServer,
    shelf: Path,
    output: Path,
    *more: str,
    kill: str | None = None,
    env: Mapping[str, str] | None = None,
    **settings: Any,
) -> Done:
    """Run the whole workflow."""
    given = {**variables(server, **settings), **(env or {})}
    return support.run(shelf, output, *more, env=given, kill=kill, preload=CLIENT)


def phase_3(server: ModelServer, shelf: Path, output: Path, kill: str | None = None, **settings: Any) -> Done:
    """Run phase 3 alone, which is all that most of these tests need, in a fraction of the time."""
    output.mkdir(exist_ok=True)
    env, module = variables(server, **settings), "synthesising"
    return support.booksynth(shelf, output, env=env, kill=kill, preload=(*CLIENT, module), module=module)


def entries(output: Path) -> dict[str, dict[str, Any]]:
    """Return the recommendations by the first title that a book gives."""
    document = json.loads((output / support.RESULTS[0]).read_bytes())
    return {one["titles"][0]: one for one in document["recommendations"]}


def owed(server: ModelServer) -> str:
    return f"{server.bill.normalize():f}"


@dataclass(frozen=True)
class Plain:
    """An undisturbed run: what it was asked, said and wrote."""

    server: ModelServer
    done: Done
    output: Path
    shelf: Path

    @property
    def standing(self) -> dict[str, str]:
        return standing(self.output)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plain]:
    folder = tmp_path_factory.mktemp("plain")
    with model_server() as running:
        shelf = make_shelf(folder / "shelf")
        yield Plain(running, run(running, shelf, folder / "out", parallel_calls=4), folder / "out", shelf)


def test_texts_by_the_model(plain: Plain) -> None:
    """What several records say is written by the model, with the sources of each step; the rest stays the books' own."""
    assert plain.done.code == 0, plain.done.err
    assert len(plain.server.received) == len(SHARED)
    found = entries(plain.output)
    for title in SHARED:
        assert found[title]["title"] == f"Written: {title}"
        assert found[title]["synthesis"] == {"by": "model", "model": "loop-1", "reason": None}
        steps = found[title]["implementation_steps"]
        assert sorted((one["text"], one["votes"]) for one in steps) == [
            ("Do as Book A says", 1),
            ("Do as Book B says", 1),
        ]
        assert sorted(source for one in steps for source in one["sources"]) == found[title]["members"]
    assert found["Only A"]["synthesis"] == {"by": "merge", "reason": None}
    assert found["Only A"]["title"] == "Only A"
    document = json.loads((plain.output / support.RESULTS[0]).read_bytes())
    jsonschema.validate(document, schema())
    told = plain.done.report["models"]
    assert (told["by_model"], told["usd"]) == (len(SHARED), owed(plain.server))


def test_what_it_can_cost(plain: Plain, tmp_path: Path) -> None:
    """A dry run says how many requests the list that stands can need, and a price that none of them exceeds."""
    planned = run(plain.server, plain.shelf, plain.output, "--dry-run", max_corrections=0).report["models"]
    assert planned["requests"] == len(SHARED) == len(plain.server.received)
    assert Decimal(planned["usd"]) > plain.server.bill
    assert planned["paid_usd"] == owed(plain.server)
    before = run(plain.server, plain.shelf, tmp_path / "none", "--dry-run")
    assert (before.report["models"]["requests"], before.code) == (None, 0)
    assert "how many is not known before there is a list" in before.err


def test_asked_once_and_for_all(server: ModelServer, books: Path, tmp_path: Path) -> None:
    """Another cluster alone is asked for; other prices and times ask nothing, another model asks for all."""
    output = tmp_path / "out"
    phase_3(server, books, output)
    assert len(server.received) == len(SHARED)
    make_shelf(books, (*SHARED, "Another one"))
    assert phase_3(server, books, output).code == 0
    assert len(server.received) == len(SHARED) + 1
    make_shelf(books)
    assert phase_3(server, books, output, input_usd_per_million=9, timeout_seconds=7).code == 0
    assert len(server.received) == len(SHARED) + 1
    assert phase_3(server, books, output, model="loop-2").code == 0
    assert len(server.received) == 2 * len(SHARED) + 1


def kept_bill(output: Path) -> str:
    with milepost.open(ledger.NAME, store=output / "checkpoints") as reader:
        return str(ledger.bill(reader.state["calls"])["usd"])


@pytest.mark.parametrize(("once", "word"), [*((phase_3, word) for word in SCRIPTS), (run, "half"), (run, "invented")])
def test_killed_in_a_call(
    server: ModelServer, books: Path, tmp_path: Path, plain: Plain, once: Callable[..., Done], word: str
) -> None:
    """Killed in a call and run again, only that call is sent again, with its key; the bill and the results are right."""
    output, now = tmp_path / "out", tmp_path / "now"
    server.script = list(SCRIPTS[word])
    server.retry_after = "60"
    last = server.script[-1]
    server.moment = lambda done: now.touch() if done == last else None
    assert once(server, books, output, kill=str(now)).code == -9
    sent = server.keys
    assert len(sent) == len(SCRIPTS[word])
    done = once(server, books, output)
    assert done.code == 0, done.err
    again = server.keys[len(sent) :]
    assert again[0] == sent[-1]
    assert set(again[1:]).isdisjoint(sent)
    assert len(set(server.keys)) == len(SHARED) + (last != word)
    assert kept_bill(output) == owed(server)
    if once is run:
        assert standing(output) == plain.standing
        assert done.report["models"]["usd"] == owed(server)
    else:
        assert list(entries(output).values()) == list(entries(plain.output).values())


def test_no_answers(server: ModelServer, books: Path, tmp_path: Path) -> None:
    """Where no answer can be used the merged text stays, with the reason; only what failed is asked again."""
    output = tmp_path / "out"
    server.script = ["invented"] * 2 + ["refusal", "500"]
    done = run(server, books, output, max_corrections=1, max_retries=0)
    assert done.code == 0, done.err
    reasons = sorted(one["synthesis"]["reason"] or "" for one in entries(output).values())
    assert [one.split(":")[0] for one in reasons if one] == ["failed", "refused", "unusable"]
    assert "500" in reasons[-3]
    assert "sources that are not in the message" in reasons[-1]
    assert {one["synthesis"]["by"] for one in entries(output).values()} == {"merge"}
    assert done.report["models"]["by_model"] == 0
    sent = server.keys
    assert run(server, books, output, max_corrections=1).code == 0
    assert server.keys[len(sent) :] == sent[-1:]
    assert sorted(one["synthesis"]["by"] for one in entries(output).values()) == ["merge"] * 4 + ["model"]


def test_the_limit_is_reached(server: ModelServer, books: Path, tmp_path: Path, plain: Plain) -> None:
    """A limit stops the run with 4 before it is exceeded; a higher one goes on, and also anew nothing is paid again."""
    output = tmp_path / "out"
    done = run(server, books, output, env={"BOOKSYNTH_COST_LIMITS__TOTAL_USD": "0"})
    assert (done.code, server.received) == (4, [])
    at_most = Decimal(re.findall(r"can cost \$([0-9.]+)", done.err)[0])
    limit = at_most + Decimal("0.003")  # a call costs less than three thousandths here, and two cost more
    done = run(server, books, output, env={"BOOKSYNTH_COST_LIMITS__PHASE_3_USD": str(limit)})
    assert done.code == 4
    assert f"phase_3_usd={limit}" in done.err
    assert "Traceback" not in done.err
    sent = len(server.received)
    assert 0 < sent < len(SHARED)
    assert not (output / support.RESULTS[0]).exists()
    assert run(server, books, output, "--fresh").code == 0
    assert len(server.received) == len(set(server.keys)) == len(SHARED)
    assert standing(output) == plain.standing


def test_nothing_is_loaded_by_default(books: Path, tmp_path: Path) -> None:
    """Without a model no client is loaded, no ledger is kept, and the report says nothing of models."""
    output = tmp_path / "out"
    code = (
        "import sys; from booksynth.cli import main\n"
        f"sys.argv = ['booksynth', 'run', '--shelf-dir', {str(books)!r}, '--output-dir', {str(output)!r}]\n"
        "main()\n"
        "print([name for name in sys.modules if name.startswith(('pydantic_ai', 'openai', 'anthropic', 'httpx'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert not (output / "checkpoints" / ledger.NAME).exists()
