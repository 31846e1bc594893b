"""Keys come from where they are kept, and appear nowhere else."""

from __future__ import annotations

import copy
import os
import pickle
import traceback
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest

from milepost import Codec, keys
from milepost.codec.ring import KeyRing
from milepost.codec.secret import Secret
from milepost.errors import InvalidArgument, KeyMissing, UnsafeStore, WrongKey
from tests.support.coded import NEW, OLD, ring

RAW = urlsafe_b64decode(OLD)


def test_a_new_key_is_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new key is 32 random bytes as text, and is read back from the environment."""
    monkeypatch.setenv("MILEPOST_KEY", keys.new())
    assert len(keys.from_env().ids) == 1
    assert keys.new() != keys.new()


def test_the_environment_holds_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable holds one key or several, and the first writes; a label is part of the id."""
    monkeypatch.setenv("KEYS", f"2026-11:{NEW}, {OLD}")
    found = keys.from_env("KEYS")
    assert found.ids == [f"2026-11.{ring(NEW).first.id}", ring(OLD).first.id]
    assert found.first.secret == Secret(urlsafe_b64decode(NEW))


def test_padding_may_be_left_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base64 of a key may end without its equals sign."""
    monkeypatch.setenv("KEYS", OLD.rstrip("="))
    assert keys.from_env("KEYS").ids == ring(OLD).ids


def test_a_variable_that_is_not_set_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing variable is an error that names it and tells how to make a key."""
    monkeypatch.delenv("MILEPOST_KEY", raising=False)
    monkeypatch.delenv("MILEPOST_KEY_FILE", raising=False)
    with pytest.raises(KeyMissing, match=r"MILEPOST_KEY: .*milepost\.keys\.new"):
        keys.from_env()
    assert keys.given() is None


@pytest.mark.parametrize("text", [OLD[:-3], OLD + "A", "password", f"{OLD},{OLD[:20]}", "a b", f"-:{OLD}:", "=" * 44])
def test_what_is_no_key_is_refused_without_telling_it(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Text that is no key is refused by place, and no part of it is in the message or in the locals."""
    monkeypatch.setenv("KEYS", text)
    with pytest.raises(InvalidArgument, match="KEYS") as error:
        keys.from_env("KEYS")
    shown = traceback.TracebackException.from_exception(error.value, capture_locals=True)
    told = "\n".join(
        [*map(str, shown.stack), *(str(frame.locals) for frame in shown.stack if "milepost" in frame.filename)]
    )
    assert OLD[:12] not in str(error.value) + told
    assert "password" not in str(error.value) + told


def key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    """Write a key file."""
    path = folder / "keys.txt"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_file_holds_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file holds a key to a line, with remarks, and comes before the variable where both are given."""
    path = key_file(tmp_path, f"new:{NEW}   # since November\n\n# the old one\n{OLD}\n")
    assert keys.from_file(path).ids == ring(NEW, OLD, labels=["new"]).ids
    monkeypatch.setenv("MILEPOST_KEY", OLD)
    monkeypatch.setenv("MILEPOST_KEY_FILE", str(path))
    found = keys.given()
    assert found is not None
    assert found.ids == keys.from_file(path).ids


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_a_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    """A key file that anybody else can read or write is not used."""
    with pytest.raises(UnsafeStore):
        keys.from_file(key_file(tmp_path, OLD, mode))


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    """A link, a FIFO or a folder is not used as a key file, and a missing one is told."""
    (tmp_path / "link").symlink_to(key_file(tmp_path, OLD))
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "folder").mkdir()
    for name in ("link", "fifo", "folder"):
        with pytest.raises(UnsafeStore):
            keys.from_file(tmp_path / name)
    with pytest.raises(KeyMissing, match="no such key file"):
        keys.from_file(tmp_path / "missing")


def test_a_function_fetches_what_is_needed() -> None:
    """A callable is asked for a key when that is needed, once, and by its label."""
    asked: list[str] = []

    def fetch(label: str) -> bytes:
        asked.append(label)
        return {"new": urlsafe_b64decode(NEW), "old": RAW, "older": bytes(range(32))}[label]

    found = keys.from_callable(fetch, ["new", "old", "older"])
    assert asked == []
    wanted = f"old.{ring(OLD).first.id}"
    assert found.find(wanted, "here") == Secret(RAW)
    assert found.find(wanted, "here") == Secret(RAW)
    assert asked == ["old"]


def test_what_a_function_raises_is_passed_on() -> None:
    """An error of the KMS is the caller's to see, and what is no key is refused by its label."""
    with pytest.raises(ZeroDivisionError):
        keys.from_callable(lambda _: bytes(1 // 0), ["one"]).first  # noqa: B018
    with pytest.raises(InvalidArgument, match=r"'one'.*32 bytes"):
        keys.from_callable(lambda _: b"short", ["one"]).first  # noqa: B018


def test_a_ring_is_checked() -> None:
    """A ring needs a key, and labels are distinct and of a plain form."""
    for labels in ([], ["a", "a"], ["a b"], ["x" * 65]):
        with pytest.raises(InvalidArgument):
            keys.from_callable(lambda _: RAW, labels)
    with pytest.raises(InvalidArgument, match="list"):
        keys.from_callable(lambda _: RAW, "label")


def test_rings_add_up() -> None:
    """Two rings together hold the keys of both, and the first of the first one writes."""
    both = ring(NEW) + ring(OLD)
    assert both.ids == [ring(NEW).first.id, ring(OLD).first.id]


def test_another_key_is_told_by_ids() -> None:
    """A key that the ring has not is told by its id, with the ids that are there, and how to give it."""
    with pytest.raises(WrongKey, match=f"here: .*{ring(OLD).first.id}.*{ring(NEW).first.id}.*--key-file"):
        ring(NEW).find(ring(OLD).first.id, "here")
    with pytest.raises(WrongKey):  # the label is right, the key another one
        ring(NEW, labels=["main"]).find(ring(OLD, labels=["main"]).first.id, "here")


def test_nothing_shows_a_key() -> None:
    """No repr of a secret, a ring or a codec shows a key, and none can be pickled or copied."""
    shown: list[object] = [ring(OLD).first.secret, ring(OLD).first, ring(OLD), Codec(encrypt=ring(OLD))]
    for one in shown:
        assert not any(text in repr(one) + str(one) for text in (OLD[:10], RAW.decode()[:10], RAW.hex()[:10]))
        with pytest.raises(TypeError):
            pickle.dumps(one)
    for one in (ring(OLD), ring(OLD).first.secret):
        with pytest.raises(TypeError):
            copy.deepcopy(one)
    assert ring(OLD).first.id in repr(Codec(encrypt=_fetched()))


def _fetched() -> KeyRing:
    found = ring(OLD)
    assert found.first.id
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        {"compress": "gzip"},
        {"level": 3},
        {"compress": "zstd", "level": 30},
        {"compress": "zstd", "level": True},
        {"encrypt": OLD},
    ],
)
def test_a_codec_is_checked(arguments: dict) -> None:
    """A codec takes what it can do, and tells which argument is wrong without telling a key."""
    with pytest.raises(InvalidArgument, match=str(next(reversed(arguments)))) as error:
        Codec(**arguments)
    assert OLD not in str(error.value)
