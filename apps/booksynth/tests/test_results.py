"""The laws of the files beside the document, and of its published form."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.booksynth.tests.support import record
from apps.booksynth.tests.test_consolidate import document_of, one_book
from apps.booksynth.tests.test_properties import SHELVES
from booksynth import document as form
from booksynth import lineage, results

SCHEMA = Path(__file__).parents[1] / "config" / "consolidated_recommendations.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(form.schema())
DOCUMENT = "consolidated_recommendations.json"


def test_schema_is_published() -> None:
    """The committed schema is the one of the code, and is itself a valid schema."""
    published = json.loads(SCHEMA.read_text())
    assert published == form.schema()
    jsonschema.Draft202012Validator.check_schema(published)


@settings(deadline=None)
@given(SHELVES)
def test_document_has_the_published_form(shelf: dict[str, Any]) -> None:
    """Every document is valid by the published schema, which knows all its fields."""
    document = document_of(shelf, min_confidence=0.6)
    assert list(VALIDATOR.iter_errors(json.loads(json.dumps(document)))) == []


def test_schema_refuses_what_is_wrong() -> None:
    """A field that nobody knows, a missing one, or a wrong type is no valid document."""
    good = document_of({"a": one_book(record())})
    entry = good["recommendations"][0]
    missing = {name: value for name, value in entry.items() if name != "effort"}
    for bad in ({**entry, "new": 1}, missing, {**entry, "cohesion": 1.5}):
        assert not VALIDATOR.is_valid({**good, "recommendations": [bad]})


def table_of(document: dict[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(results.table(document), newline="")))


def test_table_has_every_recommendation() -> None:
    """The table has a row for each recommendation in the order of the list, and empty cells for what is unknown."""
    shelf = {"a": one_book(record("Cache it"), record("Rotate keys", time_estimate="Ongoing"), title="A")}
    rows = table_of(document_of(shelf))
    assert [(row["rank"], row["title"], row["books"]) for row in rows] == [
        ("1", "Cache it", "A"),
        ("2", "Rotate keys", "A"),
    ]
    assert [row["median_hours"] for row in rows] == ["8.0", ""]
    assert rows[0]["steps"] == "Look\nDo it"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "  =1", "\uff1d1", "\n=1", "|x", "%x"])
def test_no_cell_is_a_formula(text: str) -> None:
    """A text that a spreadsheet would run stands behind an apostrophe, and is otherwise as it was."""
    assert results.cell(text) == f"'{text}"
    (row,) = table_of(document_of({"a": one_book(record(f"Cache{text}", description=text))}))
    assert row["description"] == f"'{text}"


def test_no_cell_steers_a_terminal() -> None:
    """Characters that a terminal or a spreadsheet acts on appear as escapes; lines stay lines."""
    assert results.cell("\x1b[2Ja\n\t=1\r") == "\\x1b[2Ja\n\\t=1\\r"
    assert results.cell("\t=1") == "\\t=1"


@given(st.text(alphabet=st.sampled_from("=+-@ \t\nab,;\"'"), max_size=8))
def test_any_text_is_safe_in_the_table(text: str) -> None:
    """Whatever a text holds, what a spreadsheet sees first is no sign of a formula."""
    assert results.cell(text).lstrip()[:1] not in {"=", "+", "-", "@"}


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def keep(folder: Path, document: dict[str, Any]) -> None:
    """Do what phase 3 does: the lineage first, then the document."""
    lineage.keep(folder, document, write)
    (folder / DOCUMENT).write_text(json.dumps(document))


def changes(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / lineage.LINEAGE).read_text())["changes"]
    return found


def test_new_ids_name_the_old_ones(tmp_path: Path) -> None:
    """When other records are merged, the new id names those whose members it has; what has no heir is said so."""
    first = document_of({"a": one_book(record("Cache it"), record("Rotate keys"), title="A")})
    keep(tmp_path, first)
    assert not (tmp_path / lineage.LINEAGE).exists()
    more = one_book(record("Cache it", description="Another text"), title="B")
    second = document_of({"a": one_book(record("Cache it"), title="A"), "b": more})
    keep(tmp_path, second)
    old = {entry["title"]: entry["id"] for entry in first["recommendations"]}
    (new,) = [entry["id"] for entry in second["recommendations"]]
    assert changes(tmp_path) == [{"id": new, "was": [old["Cache it"]]}, {"id": None, "was": [old["Rotate keys"]]}]


def test_lineage_survives_a_kill_between_the_two_writes(tmp_path: Path) -> None:
    """A run that is killed behind the lineage and before the document adds nothing twice when it is run again."""
    keep(tmp_path, document_of({"a": one_book(record("Cache it", description="One"))}))
    second = document_of({"a": one_book(record("Cache it", description="One"), record("cache IT", description="Two"))})
    lineage.keep(tmp_path, second, write)
    once = changes(tmp_path)
    keep(tmp_path, second)
    keep(tmp_path, second)
    assert changes(tmp_path) == once
    assert len(once) == 1


def test_lineage_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more changes than are kept the oldest go; a document that cannot be read has no say."""
    monkeypatch.setattr(lineage, "MOST_CHANGES", 2)
    for number in range(4):
        keep(tmp_path, document_of({"a": one_book(record("Cache it", description=f"text {number}"))}))
    last = changes(tmp_path)
    assert len(last) == 2
    (tmp_path / DOCUMENT).write_text("{")
    keep(tmp_path, document_of({"a": one_book(record("Other"))}))
    assert changes(tmp_path) == last
