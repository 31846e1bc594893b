"""Phases and managers keep their promises whatever their codec, and what they keep is as that says."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

import milepost
from milepost import Codec
from milepost.errors import (
    CorruptCheckpoint,
    InvalidArgument,
    KeyMissing,
    MilepostError,
    NotEncrypted,
    Tampered,
    WrongKey,
)
from tests.support.coded import CODECS, MARK, NEW, OLD, PACKED, PLAIN, SEALED, SECRET_VALUE, raw_lines, ring
from tests.support.commands import files_of

ITEMS = ["a", "b", "c", "d"]
STATE = {"texts": [SECRET_VALUE] * 200, "pair": (1, 2)}


@pytest.fixture(autouse=True)
def _no_keys_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without a key in the environment."""
    monkeypatch.delenv("MILEPOST_KEY", raising=False)
    monkeypatch.delenv("MILEPOST_KEY_FILE", raising=False)


@pytest.fixture(params=CODECS)
def codec(request: pytest.FixtureRequest) -> Codec:
    """Return each codec in turn."""
    return CODECS[request.param]


def job(root: Path, codec: Codec | None, *, upto: int = 4, secret: str = SECRET_VALUE) -> list[str]:
    """Work on some items, and complete when all are done; return what was worked on."""
    worked = []
    with milepost.Phase("items", store=root, codec=codec, params={"word": secret}) as phase:
        for item in phase.each(ITEMS[:upto]):
            worked.append(item)
            phase.record({"text": secret * 50, "item": item})
        phase.state["cursor"] = secret
        phase.save()
        if upto == len(ITEMS):
            phase.complete({"all": [secret] * 3})
    return worked


def test_a_phase_goes_on(tmp_path: Path, codec: Codec) -> None:
    """A phase resumes under each codec, reads what it recorded, and completes once."""
    assert job(tmp_path, codec, upto=2) == ["a", "b"]
    assert job(tmp_path, codec) == ["c", "d"]
    assert job(tmp_path, codec) == []
    with milepost.open("items", store=tmp_path, codec=codec) as reader:
        assert reader.results()["c"] == {"text": SECRET_VALUE * 50, "item": "c"}


def test_only_what_is_meant_to_stays_readable(tmp_path: Path, codec: Codec) -> None:
    """An encrypted run shows keys, times and sizes, and no value: not of items, state, params or result."""
    job(tmp_path, codec)
    files = files_of(tmp_path / "items")
    shows = {path.name for path, data in files.items() if MARK in data}
    assert bool(shows) == (codec.ring is None)
    assert all(orjson.loads(line)["sequence"] for line in raw_lines(tmp_path / "items")), "jq reads every line"
    assert b'"key":"c"' in files[tmp_path / "items" / "journal_000001.jsonl"]


def test_a_manager_goes_on(tmp_path: Path, codec: Codec) -> None:
    """A manager loads its checkpoints and what is journalled behind them, type for type, under each codec."""
    with milepost.CheckpointManager("states", tmp_path, codec=codec) as manager:
        path = manager.save_checkpoint(5, STATE, {"note": SECRET_VALUE}, force=True)
        assert manager.save_checkpoint(6, {**STATE, "more": SECRET_VALUE}) is None
    suffix = (".zst" if codec.packs else "") + (".enc" if codec.ring else "")
    assert path is not None
    assert path.name.endswith(f"_iter5.json{suffix}")
    assert any(MARK in data for data in files_of(tmp_path).values()) == (codec.ring is None)
    with milepost.CheckpointManager("states", tmp_path, codec=codec) as manager:
        latest = manager.get_latest_checkpoint()
        assert latest is not None
        assert (latest["iteration"], latest["state"]) == (6, {**STATE, "more": SECRET_VALUE})
        assert [one["iteration"] for one in manager.list_checkpoints()] == [5]
        manager.save_checkpoint(7, STATE, force=True)
        manager.delete_checkpoint(manager.list_checkpoints()[0]["path"])
    with milepost.CheckpointManager("states", tmp_path, codec=codec) as manager:
        latest = manager.get_latest_checkpoint()
        assert latest is not None
        assert latest["iteration"] == 5


def test_a_compressed_checkpoint_is_what_zstdcat_reads(tmp_path: Path) -> None:
    """The compressed file is the plain one for any zstd tool, and at least four times smaller."""
    paths = []
    for name, codec in (("one", PACKED), ("two", PLAIN)):
        with milepost.CheckpointManager(name, tmp_path, codec=codec) as manager:
            paths.append(manager.save_checkpoint(5, STATE, force=True))
    packed, plain = paths
    assert packed is not None
    assert plain is not None
    assert packed.stat().st_size * 4 < plain.stat().st_size
    try:
        done = subprocess.run(["zstdcat", packed], capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("there is no zstdcat on this machine")
    assert orjson.loads(done.stdout)["state"]["texts"] == STATE["texts"]


def test_an_encrypted_run_stays_so_without_a_codec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in the environment is enough to read and to go on, encrypted; without one it is refused by the key's id."""
    job(tmp_path, SEALED, upto=2)
    with pytest.raises(KeyMissing, match=ring(OLD).first.id):
        job(tmp_path, None)
    with pytest.raises(KeyMissing, match="MILEPOST_KEY"):
        milepost.open("items", store=tmp_path)
    monkeypatch.setenv("MILEPOST_KEY", OLD)
    assert job(tmp_path, None) == ["c", "d"]
    assert not any(MARK in data for data in files_of(tmp_path).values())
    monkeypatch.setenv("MILEPOST_KEY", NEW)
    with pytest.raises(WrongKey, match=ring(NEW).first.id):
        milepost.open("items", store=tmp_path)


def test_a_key_alone_encrypts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in the environment does not change how a new run, or one that is plain, is written."""
    monkeypatch.setenv("MILEPOST_KEY", OLD)
    job(tmp_path, None)
    assert any(MARK in data for data in files_of(tmp_path).values())


def test_a_new_run_in_place_of_an_encrypted_one_is_encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is set aside for a new one hands its encryption on, also where only the environment has the key."""
    job(tmp_path, SEALED)
    monkeypatch.setenv("MILEPOST_KEY", OLD)
    with milepost.Phase("items", store=tmp_path, params={"word": "another"}, on_change="restart") as phase:
        for _ in phase.each(ITEMS):
            phase.record(SECRET_VALUE)
    assert not any(MARK in data for data in files_of(tmp_path).values())


def test_a_wrong_key_is_no_damage(tmp_path: Path) -> None:
    """Another key is told from damage: by its own error, that names ids, for journals and checkpoints alike."""
    job(tmp_path, SEALED)
    with milepost.CheckpointManager("states", tmp_path, codec=SEALED) as manager:
        manager.save_checkpoint(5, STATE, force=True)
    other = Codec(encrypt=ring(NEW))
    with pytest.raises(WrongKey):
        job(tmp_path, other)
    with pytest.raises(WrongKey), milepost.CheckpointManager("states", tmp_path, codec=other) as manager:
        manager.get_latest_checkpoint()
    assert job(tmp_path, Codec(encrypt=ring(NEW, OLD))) == []


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Return an encrypted checkpoint, alone with its journal."""
    with milepost.CheckpointManager("states", tmp_path, codec=Codec("zstd", encrypt=ring(OLD))) as manager:
        path = manager.save_checkpoint(5, {"text": SECRET_VALUE * 20}, force=True)
    assert path is not None
    return path


def load(path: Path) -> object:
    """Load the newest checkpoint as a job does."""
    with milepost.CheckpointManager("states", path.parent.parent, codec=SEALED) as manager:
        return manager.get_latest_checkpoint()


def resigned(data: bytes) -> bytes:
    """Return a checkpoint whose digest and head check hold again: what a forger can do."""
    from milepost.codec.files import _DIGEST, _DIGEST_END, _TAIL_BYTES
    from milepost.records import digest

    body = data[:-_TAIL_BYTES]
    head, newline, rest = body.partition(b"\n")
    head = head[: head.rindex(b',"check":"')]
    body = head + b',"check":"' + digest(head).encode() + b'"}' + newline + rest
    return body + _DIGEST + digest(body).encode() + _DIGEST_END


def test_every_flipped_bit_of_a_checkpoint_is_refused(checkpoint: Path) -> None:
    """A checkpoint with a bit flipped is passed over as damaged, never loaded; a forger's is refused."""
    data = checkpoint.read_bytes()
    for place in range(0, len(data), 3):
        altered = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        checkpoint.write_bytes(altered)
        with suppress(MilepostError):
            assert load(checkpoint) is None


def test_a_forged_checkpoint_is_refused(checkpoint: Path) -> None:
    """A head or a text that was altered by somebody who knew how to make the digests fit is refused."""
    data = checkpoint.read_bytes()
    assert resigned(data) == data
    for old, new in (
        (b'"iteration":5', b'"iteration":6'),
        (b'"number":1', b'"number":2'),
        (b'"phase":"s', b'"phase":"t'),
    ):
        checkpoint.write_bytes(resigned(data.replace(old, new, 1)))
        with pytest.raises(Tampered):
            load(checkpoint)
    for place in range(data.index(b'"codec"') + 70, len(data) - 70, 11):
        checkpoint.write_bytes(resigned(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]))
        with pytest.raises(Tampered):
            load(checkpoint)


def test_a_checkpoint_under_another_name_is_refused(checkpoint: Path) -> None:
    """Two checkpoints cannot change names, so that one passes for the other."""
    checkpoint.rename(checkpoint.with_name(checkpoint.name.replace("iter5", "iter9")))
    with pytest.raises(Tampered):
        load(checkpoint)


def test_a_plain_checkpoint_in_an_encrypted_run_is_refused(tmp_path: Path, checkpoint: Path) -> None:
    """Nobody puts a plain checkpoint into an encrypted run."""
    with milepost.CheckpointManager("states", tmp_path / "other", codec=PLAIN) as manager:
        path = manager.save_checkpoint(9, {"text": "forged"}, force=True)
    assert path is not None
    (checkpoint.parent / path.name).write_bytes(path.read_bytes().replace(b'"number":1', b'"number":1'))
    checkpoint.unlink()
    with pytest.raises(Tampered, match="plain"):
        load(checkpoint)


def test_a_document_is_bound_to_its_name(tmp_path: Path) -> None:
    """The receipt of an encrypted run is encrypted, and is neither altered, replaced nor moved unseen."""
    job(tmp_path, SEALED)
    receipt = tmp_path / "items" / "receipt.json"
    data = receipt.read_bytes()
    assert data.startswith(b'{"codec":"aes256gcm:')
    from tests.support.coded import store_at

    for altered in (
        data.replace(b'"value":"A', b'"value":"B').replace(b'"value":"c', b'"value":"d'),
        data[:-9] + b'A"}\n',
    ):
        if altered != data:
            receipt.write_bytes(altered)
            with store_at(tmp_path / "items") as store, pytest.raises(MilepostError):
                store.read("receipt.json")
    receipt.write_bytes(b"{}")
    with store_at(tmp_path / "items") as store, pytest.raises(NotEncrypted):
        store.read("receipt.json")
    receipt.rename(receipt.with_name("digests.json")).write_bytes(data)
    with store_at(tmp_path / "items") as store, pytest.raises(Tampered):
        store.read("digests.json")


def test_what_does_not_unfold_is_told(tmp_path: Path) -> None:
    """A compressed checkpoint that is damaged is passed over as any other, with an error that names it."""
    with milepost.CheckpointManager("states", tmp_path, codec=PACKED) as manager:
        path = manager.save_checkpoint(5, STATE, force=True)
    assert path is not None
    data = path.read_bytes()
    from milepost.codec.files import check

    for altered in (data[:-1], data + b"x", data[:-4] + b"abcd", data[:20]):
        with pytest.raises(CorruptCheckpoint, match="iter5"):
            check(path.name, altered)


def test_arguments_are_checked() -> None:
    """A codec is a codec."""
    with pytest.raises(InvalidArgument, match="codec"):
        milepost.Phase("items", codec="zstd")  # type: ignore[arg-type]
