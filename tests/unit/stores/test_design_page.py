"""The page on storage does not lie: its tests exist, and its examples are what the code writes and reads."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from milepost.checkpoint import decode
from milepost.records import Kind, Position, follow, start_of, unseal
from milepost.stores.segment import HEAD_BYTES, SLOT_OFFSETS, trailer
from tests.support.journals import scanned

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/design/storage.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
RULE = re.compile(r"^(\d+)\. (.*?)(?=^\d+\. |^#)", re.DOTALL | re.MULTILINE)


def _tests(path: str) -> set[str]:
    """Return the names of the tests in a file, without importing it."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def _examples() -> list[str]:
    """Return the lines of the page's JSON examples."""
    return "\n".join(re.findall(r"^```json\n(.*?)\n```", PAGE, re.DOTALL | re.MULTILINE)).splitlines()


def _example(start: str) -> bytes:
    (line,) = (line for line in _examples() if line.startswith(start))
    return line.encode()


def test_every_named_test_exists() -> None:
    """Every test that the page names is one."""
    named = NAMED.findall(PAGE)
    assert len(named) > 50
    known = {path: _tests(path) for path, _ in named}
    assert [f"{path}::{name}" for path, name in named if name not in known[path]] == []


def test_every_must_names_its_test() -> None:
    """Every rule is numbered in order, says MUST, and names at least one test."""
    rules = RULE.findall(PAGE)
    assert [int(number) for number, _ in rules] == list(range(1, len(rules) + 1))
    assert len(rules) > 30
    assert [number for number, text in rules if "MUST" not in text or not NAMED.search(text)] == []


def test_every_kind_of_record_is_named() -> None:
    """The page names every kind of record, and of line."""
    assert [kind for kind in Kind if f"`{kind}`" not in PAGE and f'"kind":"{kind}"' not in PAGE] == []


def test_the_sealed_examples_are_sealed() -> None:
    """Every sealed example on the page is whole."""
    sealed = [line.encode() for line in _examples() if line.endswith('"}') and '"check":"' in line]
    assert len(sealed) == 5
    assert all(unseal(line) for line in sealed)


def test_the_example_of_a_segment_is_one() -> None:
    """Header, watermark and records of the page, put where its table says, are a segment without fault."""
    header, mark = (_example(f'{{"kind":"{kind}"').decode() for kind in ("segment", "watermark"))
    page = f"{header:<1023}\n" + f"{mark:<511}\n" * 2
    records = [_example(f'{{"sequence":{number},') for number in (1, 2)]
    data = page.encode().ljust(HEAD_BYTES, b"\n") + b"\n".join(records) + b"\n"
    assert [data.index(mark.encode()), data.rindex(mark.encode())] == list(SLOT_OFFSETS)
    reading = scanned("example", data)
    assert reading.error is None
    assert reading.head is not None
    assert reading.head.start == start_of(reading.head.run)
    assert reading.lines == records
    assert reading.checkpoint == 1
    assert follow(records[0], reading.head.start) is not None


def test_the_example_of_a_trailer_is_one() -> None:
    """The trailer on the page is what the code writes at that position."""
    assert trailer(Position(3, "c" * 32), 2) == _example('{"kind":"sealed"') + b"\n"


def test_the_example_of_a_checkpoint_is_one() -> None:
    """The checkpoint on the page is read without fault."""
    lines = _examples()
    first = next(index for index, line in enumerate(lines) if line.startswith('{"format"'))
    checkpoint = decode("example", "\n".join(lines[first : first + 4]).encode() + b"\n")
    assert (checkpoint.head.iteration, checkpoint.state, checkpoint.metadata) == (4, {"books": ["A"]}, {})


def test_the_measures_on_the_page_are_the_ones_used() -> None:
    """Page size and places of the watermarks stand on the page as they are in the code."""
    for place in (*SLOT_OFFSETS, HEAD_BYTES):
        assert f"{place}" in PAGE
