"""A codec does in a shared store what it does in a folder: the store never sees a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

import milepost
from milepost import Codec, upkeep
from milepost.errors import KeyMissing, WrongKey
from tests.support.back_doors import postgres_door
from tests.support.coded import BOTH, MARK, NEW, OLD, SECRET_VALUE, ring
from tests.support.commands import run
from tests.support.postgres import Server
from tests.support.s3 import BUCKET, CREDENTIALS, S3Server


class Place(NamedTuple):
    """A store, and how to see all that it holds behind its back."""

    url: str
    held: Callable[[], Iterator[bytes]]

    def shows(self) -> bool:
        """Tell whether the store shows a value; what it holds is seen at all, for the names of phases are plain."""
        held = list(self.held())
        assert any(b"items" in data for data in held)
        return any(MARK in data for data in held)


def in_sqlite(_: pytest.FixtureRequest, folder: Path) -> Place:
    """Return a database in a file."""
    return Place(f"sqlite:///{folder / 'runs.db'}", lambda: (path.read_bytes() for path in folder.glob("runs.db*")))


def in_postgresql(request: pytest.FixtureRequest, _: Path) -> Place:
    """Return a namespace of the server."""
    server: Server = request.getfixturevalue("postgres")
    url = server.fresh()
    namespace = parse_qs(urlsplit(url).query)["namespace"][0]

    def held() -> Iterator[bytes]:
        with postgres_door(server.url(), namespace) as door:
            journals = "SELECT id FROM milepost_journals WHERE namespace = ?"
            for rows in (
                door.ask("SELECT key, data FROM milepost_documents WHERE namespace = ?", namespace),
                door.ask(f"SELECT journal, line FROM milepost_records WHERE journal IN ({journals})", namespace),
            ):
                assert rows
                for key, data in rows:
                    yield str(key).encode()
                    yield bytes(data)

    return Place(url, held)


def in_s3(request: pytest.FixtureRequest, _: Path) -> Place:
    """Return a prefix of a bucket."""
    server: S3Server = request.getfixturevalue("moto")
    for name, value in CREDENTIALS.items():
        request.getfixturevalue("monkeypatch").setenv(name, value)
    url = server.fresh()

    def held() -> Iterator[bytes]:
        for key in server.keys(url):
            yield key.encode()
            yield server.client().get_object(Bucket=BUCKET, Key=key)["Body"].read()

    return Place(url, held)


@pytest.fixture(params=[in_sqlite, in_postgresql, in_s3])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return a store of each kind."""
    made: Place = request.param(request, tmp_path)
    return made


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


def test_a_store_sees_no_value(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Phases and managers go on in a store that shows nothing; forks and rekeyed runs show nothing either."""
    url = place.url
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
    assert not place.shows()


def test_a_plain_store_is_encrypted(place: Place) -> None:
    """A plain run in a store is encrypted by a rekeying, and its job goes on with a codec that encrypts."""
    url = place.url
    work(url, None, 2)
    assert place.shows()
    upkeep.rekey(url, "items", ring(OLD))
    assert work(url, BOTH, 3) == ["c"]
    assert list(results(url, BOTH)) == ["a", "b", "c"]
