"""Every format that a Milepost ever wrote is read by this one, and gone on with."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

import milepost
from milepost import upkeep
from tests.golden.formats.make_files import CODECS, ITEMS, KEY, RESULT, STATE, make_runs

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the key of the golden files at hand."""
    monkeypatch.setenv("MILEPOST_KEY", KEY)


def check(store: Path | str) -> list[str]:
    """Read all that `make_runs` wrote, then go on with it; return what was worked on."""
    with milepost.open("items", store=store) as reader:
        assert dict(reader.results()) == ITEMS
        assert reader.result == RESULT
    with milepost.CheckpointManager("states", store, ttl_hours=None) as manager:
        latest = manager.get_latest_checkpoint()
        assert latest is not None
        assert (latest["iteration"], latest["state"]) == (3, {**STATE, "more": 2})
        assert latest["metadata"] == {"note": "third"}
        assert [one["iteration"] for one in manager.list_checkpoints()] == [2, 1]
        manager.save_checkpoint(4, STATE, force=True)
    with milepost.Phase("items", store=store, params={"word": "golden"}) as phase:
        worked = []
        for name in phase.each([*ITEMS, "d"]):
            phase.record(name)
            worked.append(name)
    return worked


@pytest.mark.parametrize("name", CODECS)
def test_a_folder_of_each_codec_is_read(name: str, tmp_path: Path) -> None:
    """A folder with journals, checkpoints and documents is read under each codec, and its jobs go on."""
    shutil.copytree(HERE / name, tmp_path / "store")
    assert check(tmp_path / "store") == ["d"]


@pytest.mark.parametrize("name", ["plain", "zstd_aes"])
def test_an_archive_is_read(name: str, tmp_path: Path) -> None:
    """An archive is imported, plain or encrypted, and its jobs go on."""
    upkeep.import_runs(HERE / f"{name}.tar.gz", tmp_path / "store")
    assert check(tmp_path / "store") == ["d"]


def test_a_database_is_read(tmp_path: Path) -> None:
    """An SQLite database is read, and its jobs go on."""
    connection = sqlite3.connect(tmp_path / "runs.db")
    connection.executescript((HERE / "plain.sql").read_text(encoding="utf-8"))
    connection.close()
    (tmp_path / "runs.db").chmod(0o600)
    assert check(f"sqlite:///{tmp_path / 'runs.db'}") == ["d"]


def test_what_is_checked_is_what_is_made(tmp_path: Path) -> None:
    """The check of these tests passes on files of today, and fails on others."""
    make_runs(tmp_path / "store", None)
    assert check(tmp_path / "store") == ["d"]
    with pytest.raises(AssertionError):
        check(tmp_path / "store")
