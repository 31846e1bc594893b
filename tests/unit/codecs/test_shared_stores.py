"""A codec does in a shared store what it does in a folder: the store never sees a value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost import Codec, upkeep
from milepost.errors import KeyMissing, WrongKey
from tests.support.coded import BOTH, MARK, NEW, OLD, SECRET_VALUE, ring
from tests.support.commands import run


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the URL of a database."""
    return f"sqlite:///{tmp_path / 'runs.db'}"


def shows(folder: Path) -> bool:
    """Tell whether the database shows a value, in whatever file of it."""
    return any(MARK in path.read_bytes() for path in folder.glob("runs.db*"))


def work(url: str, codec: Codec | None, upto: int) -> list[str]:
    """Work on items in the store; return what was worked on."""
    worked = []
    with milepost.Phase("items", store=url, codec=codec, params={"word": SECRET_VALUE}) as phase:
        for item in phase.each(["a", "b", "c"][:upto]):
            phase.record({"item": item, "text": SECRET_VALUE * 20})
            worked.append(item)
    return worked


def results(url: str, codec: Codec) -> dict[str, Any]:
    """Return all results."""
    with milepost.open("items", store=url, codec=codec) as reader:
        return dict(reader.results())


def test_a_database_sees_no_value(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Phases and managers go on in a database that shows nothing; forks and rekeyed runs show nothing either."""
    monkeypatch.delenv("MILEPOST_KEY", raising=False)
    assert (work(url, BOTH, 2), work(url, BOTH, 3)) == (["a", "b"], ["c"])
    with milepost.CheckpointManager("states", url, codec=BOTH) as manager:
        manager.save_checkpoint(1, {"texts": [SECRET_VALUE] * 30}, force=True)
        manager.save_checkpoint(2, {"texts": [SECRET_VALUE] * 31})
    with milepost.CheckpointManager("states", url, codec=BOTH) as manager:
        latest = manager.get_latest_checkpoint()
        assert latest is not None
        assert latest["state"] == {"texts": [SECRET_VALUE] * 31}
    with pytest.raises(KeyMissing):
        work(url, None, 3)
    before = results(url, BOTH)
    monkeypatch.setenv("MILEPOST_KEY", OLD)
    run("fork", "items", "--from-item", "c", "--dir", url)
    assert results(url, BOTH) == {key: before[key] for key in ("a", "b")}
    for name in ("items", "states"):
        assert all(one.changed for one in upkeep.rekey(url, name, ring(NEW, OLD)))
    with pytest.raises(WrongKey):
        results(url, BOTH)
    assert results(url, Codec(encrypt=ring(NEW))) == {key: before[key] for key in ("a", "b")}
    assert not shows(tmp_path)


def test_a_plain_database_is_encrypted(url: str) -> None:
    """A plain run in a database is encrypted by a rekeying, and its job goes on with a codec that encrypts."""
    work(url, None, 2)
    upkeep.rekey(url, "items", ring(OLD))
    assert work(url, BOTH, 3) == ["c"]
    assert list(results(url, BOTH)) == ["a", "b", "c"]
