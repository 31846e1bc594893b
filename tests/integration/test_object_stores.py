"""Stores in object storage, on real S3 servers: what a bad network, a careless service and many clients leave."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from milepost.clock import SystemClock
from milepost.errors import (
    CorruptDocument,
    CorruptJournal,
    DurabilityUnknown,
    Fenced,
    InvalidArgument,
    StoreUnavailable,
    UnsafeStore,
    VersionConflict,
)
from milepost.records import Kind, Record
from milepost.run.place import SharedLocation
from milepost.stores.opening import open_store
from milepost.stores.store import Store
from milepost.stores.terms import Terms
from tests.support.s3 import BUCKET, S3Server
from tests.support.s3_faults import FAULTS, Asked, Faulty

NAMES = ["a", "b", "c"]


@pytest.fixture(params=["moto", "seaweed"])
def s3(request: pytest.FixtureRequest) -> S3Server:
    """Return each of the servers."""
    server: S3Server = request.getfixturevalue(request.param)
    return server


def _done(key: str) -> Record:
    return Record(Kind.DONE, 1_795_000_000.0, 1, key=key, value=b'"%s"' % key.encode())


def _session(store: Store) -> None:
    """Write a run as a job would, and end as one that is done."""
    run = SharedLocation(store, Terms()).made("phase")
    run.lock(SystemClock())
    position = run.recover("8aa3d0540103e230").end
    run.replace("run.json", b"manifest")
    for name in NAMES:
        position = run.append([_done(name), _done(name * 2)], expected=position.sequence)
    run.replace("digests.json", b"one")
    run.replace("digests.json", b"two")
    run.close()


def _held(store: Store) -> tuple[list[str], bytes]:
    """Return what another process finds of it: the keys in order, and the newest document."""
    run = SharedLocation(store, Terms()).existing("phase")
    assert run is not None
    found: list[bytes] = []
    reading = run.read_journal(lambda _, lines: found.extend(lines))
    assert reading is not None
    assert reading.damage == []
    keys = [line.split(b'"key":"')[1].split(b'"')[0].decode() for line in found]
    return keys, run.read("digests.json")


WHOLE = ([one for name in NAMES for one in (name, name * 2)], b"two")


def test_every_answer_may_go_wrong_once(moto: S3Server) -> None:
    """Whichever request of a run is answered by whichever fault, nothing is lost and nothing is there twice."""
    with Faulty(moto.port) as quiet:
        _session(open_store(moto.fresh(quiet.port)))
        count = len(quiet.asked)
    assert count > 20

    def try_one(case: tuple[int, str]) -> str | None:
        number, fault = case
        with Faulty(moto.port) as proxy:
            proxy.fault_at = lambda at, _: fault if at == number else None
            url = moto.fresh(proxy.port, timeout_seconds=1.5)
            _session(open_store(url))
            if proxy.applied != [fault]:
                return f"{case}: {proxy.applied}"
            proxy.fault_at = lambda _at, _asked: None
            return None if _held(open_store(url)) == WHOLE else f"{case}: {_held(open_store(url))}"

    with ThreadPoolExecutor(12) as pool:
        wrong = [one for one in pool.map(try_one, [(n, fault) for n in range(count) for fault in FAULTS]) if one]
    assert wrong == []


def test_a_service_that_answers_nothing_is_told_in_time(moto: S3Server) -> None:
    """When no answer comes, a read says that the service is out of reach and a write that nobody knows."""
    with Faulty(moto.port, hang_seconds=0.6) as proxy:
        store = open_store(moto.fresh(proxy.port, timeout_seconds=1.5))
        store.append("j", 1, [b"a"])
        proxy.fault_at = lambda _at, _asked: "timeout after"
        with pytest.raises(DurabilityUnknown, match="nobody knows"):
            store.append("j", 2, [b"b"])
        with pytest.raises(StoreUnavailable, match="no usable answer"):
            store.read("x")
        proxy.fault_at = lambda _at, _asked: None
        with pytest.raises(Fenced):  # it had arrived, and this is another write
            store.append("j", 2, [b"c"])


def test_a_write_that_may_have_arrived_is_never_called_unwritten(moto: S3Server) -> None:
    """Where the reply is lost and the credentials then expire, the writer hears that nobody knows."""
    with Faulty(moto.port, hang_seconds=0.6) as proxy:
        store = open_store(moto.fresh(proxy.port, timeout_seconds=1.5))
        store.append("j", 1, [b"a"])
        begin = len(proxy.asked)
        proxy.fault_at = lambda at, _: "timeout after" if at == begin else "403"
        with pytest.raises(DurabilityUnknown, match="nobody knows"):
            store.append("j", 2, [b"b"])
        with pytest.raises(StoreUnavailable, match="may not do this"):
            store.append("j", 3, [b"c"])


@pytest.mark.parametrize(("header", "name"), [("if-none-match", "If-None-Match"), ("if-match", "If-Match")])
def test_a_careless_service_is_refused(moto: S3Server, header: str, name: str) -> None:
    """A service that ignores a precondition is refused by name before anything is kept in it."""
    with Faulty(moto.port, without=(header,)) as proxy:
        url = moto.fresh(proxy.port)
        with pytest.raises(UnsafeStore, match=name):
            open_store(url).create("a", b"1")
    assert moto.keys(url) == []


@pytest.mark.timeout(400)
@pytest.mark.parametrize("rounds", [300, pytest.param(10_000, marks=[pytest.mark.soak, pytest.mark.timeout(0)])])
def test_of_many_that_replace_at_once_one_wins(moto: S3Server, rounds: int) -> None:
    """In each round 16 clients replace one document of one version, and exactly one succeeds."""
    with Faulty(moto.port, in_turn=True) as proxy:  # moto looks at the version and writes in two steps
        won = _rounds(moto.fresh(proxy.port), rounds)
    assert won == [1] * rounds


@pytest.mark.timeout(400)
def test_of_many_that_replace_at_once_on_a_disk_one_wins(seaweed: S3Server) -> None:
    """The same on a server that keeps everything on the disk and compares and swaps by itself."""
    assert _rounds(seaweed.fresh(), 3) == [1] * 3


def _rounds(url: str, rounds: int, clients: int = 16) -> list[int]:
    """Let *clients* replace one document at once, round for round; return how many succeeded in each."""
    stores = [open_store(f"{url}&timeout_seconds={30 + client}") for client in range(clients)]
    version = stores[0].create("head", b"0")
    for store in stores[1:]:
        store.append("warm", 1 + stores.index(store), [b"x"])
    barrier = threading.Barrier(clients)
    won: list[list[str]] = [[] for _ in range(rounds)]
    versions = [version] + [""] * rounds

    def play(client: int) -> None:
        for number in range(rounds):
            barrier.wait()
            try:
                new = stores[client].replace("head", b"%d of %d" % (number, client), versions[number])
            except VersionConflict:
                pass
            else:
                won[number].append(new)
                versions[number + 1] = new
            barrier.wait()

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(play, range(clients)))
    return [len(one) for one in won]


@pytest.mark.parametrize("objects", [1_500, pytest.param(100_000, marks=[pytest.mark.soak, pytest.mark.timeout(0)])])
def test_the_tail_of_a_long_journal_costs_what_the_tail_costs(moto: S3Server, objects: int) -> None:
    """Behind any number of batches, reading the newest takes two listings and one get for each batch."""
    with Faulty(moto.port) as proxy:
        url = moto.fresh(proxy.port)
        store = open_store(url)
        direct = open_store(url.replace(str(proxy.port), str(moto.port)))
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda number: direct.append("j", number, [b"%d" % number]), range(1, objects + 1)))
        proxy.asked.clear()
        assert [lines for _, lines in store.lines("j", objects - 2)] == [[b"%d" % (objects - 1)], [b"%d" % objects]]
        listings = [asked for asked in proxy.asked if "list-type" in asked.path]
        assert len(listings) <= 2
        assert len(proxy.asked) - len(listings) <= 3
        proxy.asked.clear()
        store.create("phase/head", b"")
        assert store.branches("") == ["phase"]
        assert store.keys("phase/") == ["phase/head"]
        assert sum("list-type" in asked.path for asked in proxy.asked) == 2


def test_what_is_written_is_in_the_bucket(s3: S3Server) -> None:
    """A document and a batch are one object each, which another client finds and reads."""
    url = s3.fresh()
    store = open_store(url)
    store.create("a/b", b"\0data")
    store.append("a/j", 1, [b"one", b"two"])
    names = s3.keys(url)
    assert len(names) == 2
    bodies = [s3.client().get_object(Bucket=BUCKET, Key=name)["Body"].read() for name in sorted(names)]
    assert bodies[0].endswith(b"\n\0data")
    assert bodies[1].endswith(b"\none\ntwo\n")


@pytest.mark.parametrize("change", ["cut", "flipped", "foreign"])
def test_an_object_that_was_altered_is_refused(moto: S3Server, change: str) -> None:
    """A document or a batch that is not what was written is damage, never data."""
    url = moto.fresh()
    store = open_store(url)
    store.create("a", b"document")
    store.append("j", 1, [b"one", b"two"])
    client = moto.client()
    for name in moto.keys(url):
        body = client.get_object(Bucket=BUCKET, Key=name)["Body"].read()
        altered = {"cut": body[:-1], "flipped": body[:-2] + b"?" + body[-1:], "foreign": b"something"}[change]
        client.put_object(Bucket=BUCKET, Key=name, Body=altered)
    with pytest.raises(CorruptDocument):
        store.read("a")
    with pytest.raises(CorruptJournal):
        list(store.lines("j"))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://key:secret@bucket/x", "credentials come from the environment"),
        ("s3:///x", "name of a bucket"),
        ("s3://bucket/x?secret_access_key=hush", "known are"),
        ("s3://bucket/x?endpoint=http://storage.example", "not encrypted"),
        ("s3://bucket/x?timeout_seconds=soon", "number of seconds"),
    ],
)
def test_urls_that_cannot_be_are_refused(url: str, words: str) -> None:
    """A URL with credentials, without a bucket, or over plain HTTP is refused, and no secret is told."""
    with pytest.raises(InvalidArgument, match=words) as caught:
        open_store(url)
    assert "secret@" not in str(caught.value)
    assert "hush" not in str(caught.value)


def _fork(url: str) -> None:
    try:
        open_store(url).append("j", 2, [b"child"])
    except StoreUnavailable:
        os._exit(7)


def test_a_forked_child_is_told(moto: S3Server) -> None:
    """After a fork the child is told that it cannot use the store, and the parent goes on."""
    url = moto.fresh()
    store = open_store(url)
    store.append("j", 1, [b"parent"])
    child = multiprocessing.get_context("fork").Process(target=_fork, args=(url,))
    child.start()
    child.join(20)
    assert child.exitcode == 7
    store.append("j", 2, [b"parent"])
    assert [line for _, some in store.lines("j") for line in some] == [b"parent", b"parent"]


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.support.s3 import CREDENTIALS

    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


def test_all_requests_are_of_the_prefix(moto: S3Server) -> None:
    """A store touches nothing outside its prefix of the bucket."""
    with Faulty(moto.port) as proxy:
        url = moto.fresh(proxy.port)
        _session(open_store(url))
        prefix = url.removeprefix("s3://").partition("?")[0]

        def outside(asked: Asked) -> bool:
            return not (asked.path.startswith(f"/{prefix}/") or "list-type" in asked.path or "delete" in asked.path)

        assert [asked.path for asked in proxy.asked if outside(asked)] == []
