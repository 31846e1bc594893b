"""Makes the golden files of every format: ``python -m tests.golden.formats.make_files FOLDER``.

Run once for each format, then never again for it: what stands here was written by the Milepost of its day, and every
later one reads it. The time, the names of runs, salts and nonces are fixed, so that the same Milepost makes the same
bytes. The key is a text that says so; nothing but these files was ever encrypted under it.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import milepost
from milepost import Codec, keys, upkeep
from milepost.fs import SystemFiles, use

KEY = urlsafe_b64encode(b"a key of a test, for tests only.").decode()
STATE = {"texts": ["a text of a golden file"] * 40, "pair": (1, 2), "big": 2**70}
ITEMS = {name: {"item": name, "text": "a text of a golden file " * 40, "pair": (name, 1)} for name in ("a", "b", "c")}
RESULT = ["a", ("b", 3)]
MOMENT = 1_795_000_000.0
CODECS: dict[str, Callable[[], Codec | None]] = {
    "plain": lambda: None,
    "zstd": lambda: Codec("zstd"),
    "aes": lambda: Codec(encrypt=ring()),
    "zstd_aes": lambda: Codec("zstd", encrypt=ring()),
}


class Clock:
    """A clock that goes on by a second at each look."""

    def __init__(self) -> None:
        self._at = count(int(MOMENT))

    def now(self) -> float:
        return float(next(self._at))

    def monotonic(self) -> float:
        return float(next(self._at))


class Files(SystemFiles):
    """The filesystem with names that are the same at each making."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def token(self) -> str:
        return f"{next(self._numbers):016x}"


def ring() -> keys.KeyRing:
    """Return the ring of the one key."""
    return keys.from_callable(lambda _: b"a key of a test, for tests only.", ["golden"])


def fixed_bytes() -> Callable[[int], bytes]:
    """Return what stands in for the system's randomness: never to be used for anything but these files."""
    numbers = count(1)
    return lambda size: hashlib.sha256(b"golden %d" % next(numbers)).digest()[:size]


def make_runs(root: Path | str, codec: Codec | None) -> None:
    """Make a finished run of a `Phase`, and a manager's with a change behind its checkpoints."""
    clock = Clock()
    durations = SimpleNamespace(monotonic=clock.monotonic)
    with (
        mock.patch("milepost.phase.loop.time", durations),
        milepost.Phase("items", store=root, codec=codec, clock=clock, params={"word": "golden"}) as phase,
    ):
        for name in phase.each(list(ITEMS)):
            phase.record(ITEMS[name])
        phase.complete(RESULT)
    with milepost.CheckpointManager("states", root, codec=codec, clock=clock, ttl_hours=None) as manager:
        manager.save_checkpoint(1, STATE, {"note": "first"}, force=True)
        manager.save_checkpoint(2, {**STATE, "more": 1}, {"note": "second"}, force=True)
        manager.save_checkpoint(3, {**STATE, "more": 2}, {"note": "third"})


def main(target: Path) -> None:
    """Make all files below *target*."""
    os.environ["TZ"] = "UTC"
    os.environ["MILEPOST_KEY"] = KEY
    time.tzset()
    for name, codec in CODECS.items():
        with use(Files()), mock.patch("milepost.codec.cipher.os.urandom", fixed_bytes()):
            make_runs(target / name, codec())
        for lock in (target / name).rglob("lock"):
            lock.unlink()
    for name in ("plain", "zstd_aes"):
        upkeep.export_runs(target / name, ["items", "states"], target / f"{name}.tar.gz", clock=Clock())
    database = target / "plain.db"
    make_runs(f"sqlite:///{database}", None)
    with sqlite3.connect(database) as connection:
        (target / "plain.sql").write_text("\n".join(connection.iterdump()) + "\n", encoding="utf-8")
    connection.close()
    for left in target.glob("plain.db*"):
        left.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
