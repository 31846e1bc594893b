"""A run is written anew under another key, whole or not at all, and what it holds stays the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost import Codec, upkeep
from milepost.errors import InvalidArgument, KeyMissing, WrongKey
from milepost.upkeep import rekeying
from tests.support.coded import BOTH, MARK, NEW, OLD, SEALED, SECRET_VALUE, ring
from tests.support.commands import files_of, run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with a finished phase, one of its runs set aside, and a manager's states; all plain."""
    make(tmp_path, None)
    return tmp_path


def make(root: Path, codec: Codec | None) -> None:
    with milepost.Phase("items", store=root, codec=codec) as phase:
        for item in phase.each(["a", "b", "c"]):
            phase.record({"item": item, "text": SECRET_VALUE * 20})
        phase.complete({"text": SECRET_VALUE})
    with milepost.Phase("items", store=root, codec=codec, params={"n": 1}, on_change="restart") as phase:
        for item in phase.each(["a", "b"]):
            phase.record({"item": item, "text": SECRET_VALUE * 20})
        phase.complete({"text": SECRET_VALUE})
    with milepost.CheckpointManager("states", root, codec=codec) as manager:
        for iteration in range(4):
            manager.save_checkpoint(iteration, {"texts": [SECRET_VALUE] * 30, "n": iteration}, force=True)
        manager.delete_checkpoint(manager.list_checkpoints()[0]["path"])
        manager.save_checkpoint(8, {"texts": [SECRET_VALUE] * 30, "n": 8}, force=True)
        manager.save_checkpoint(9, {"texts": [SECRET_VALUE] * 31, "n": 9})


def held(root: Path, codec: Codec | None) -> dict[str, Any]:
    """Return all that a reader finds."""
    with milepost.open("items", store=root, codec=codec) as reader:
        results = dict(reader.results())
        result = reader.result
    manager = milepost.CheckpointManager("states", root, codec=codec)
    return {
        "results": results,
        "result": result,
        "latest": manager.get_latest_checkpoint(),
        "iterations": [one["iteration"] for one in manager.list_checkpoints()],
    }


def shows(root: Path) -> bool:
    """Tell whether any file shows the plain text."""
    return any(MARK in data for data in files_of(root).values())


def rekey(root: Path, *keys: str, compress: bool | None = None) -> list[upkeep.Rekeyed]:
    """Rekey both phases."""
    found = ring(*keys) if keys else None
    return [one for name in ("items", "states") for one in upkeep.rekey(root, name, found, compress=compress)]


def unpathed(found: dict[str, Any]) -> dict[str, Any]:
    """Return what was found without file names, which tell the codec."""
    latest = {
        name: value for name, value in found["latest"].items() if name not in ("file", "path", "size_kb", "age_hours")
    }
    return {**found, "latest": latest}


def test_a_plain_run_is_encrypted(root: Path) -> None:
    """Everything of a phase is encrypted, its own run and those set aside, and nothing of the plain one is left."""
    before = unpathed(held(root, None))
    done = rekey(root, OLD)
    assert [one.changed for one in done] == [True, True, True]
    assert not shows(root)
    assert unpathed(held(root, SEALED)) == before
    assert [one.changed for one in rekey(root, OLD)] == [False, False, False]
    names = [path.name for path in (root / "items" / "runs").iterdir()]
    assert len(names) == 1


def test_a_key_is_changed(tmp_path: Path) -> None:
    """Rotation leaves nothing that the old key opens, and the job goes on with the new one alone."""
    make(tmp_path, BOTH)
    before = unpathed(held(tmp_path, BOTH))
    rekey(tmp_path, NEW, OLD)
    assert unpathed(held(tmp_path, Codec("zstd", encrypt=ring(NEW)))) == before
    with pytest.raises(WrongKey):
        held(tmp_path, BOTH)
    assert list(tmp_path.glob("states/*.json.zst.enc")), "what was compressed stays so"


def test_a_run_is_made_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a ring to write with, what is written is plain, and the environment's key opens what is there."""
    make(tmp_path, BOTH)
    before = unpathed(held(tmp_path, BOTH))
    with pytest.raises(KeyMissing):
        rekey(tmp_path)
    monkeypatch.setenv("MILEPOST_KEY", OLD)
    rekey(tmp_path, compress=False)
    monkeypatch.delenv("MILEPOST_KEY")
    assert unpathed(held(tmp_path, None)) == before
    assert shows(tmp_path)
    assert not list(tmp_path.glob("states/*.zst"))


def test_the_receipt_goes_along(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finished run that was rekeyed verifies, receipt and all."""
    rekey(root, OLD)
    monkeypatch.setenv("MILEPOST_KEY", OLD)
    assert run("verify", "--with-runs", "--dir", root, code=0).err.endswith("3 of 3 runs are intact.\n")


class Killed(BaseException):
    """Stands for SIGKILL."""


STEPS = ["_fill", "take_over", "_remove_superseded", "_completed", "_copy_records"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True])
def test_killed_anywhere_the_same_command_finishes(
    root: Path, monkeypatch: pytest.MonkeyPatch, step: str, *, after: bool
) -> None:
    """A rekeying that dies before or after any of its steps leaves a run that loads, and finishes when run again."""
    before = unpathed(held(root, None))
    real = getattr(rekeying, step)

    def dying(*arguments: Any) -> Any:
        found = real(*arguments) if after else None
        raise Killed(found)

    with monkeypatch.context() as patch:
        patch.setattr(rekeying, step, dying)
        with pytest.raises(Killed):
            rekey(root, OLD)
    monkeypatch.setenv("MILEPOST_KEY", OLD)
    with milepost.open("items", store=root) as reader:
        assert dict(reader.results()) == before["results"]
    monkeypatch.delenv("MILEPOST_KEY")
    rekey(root, OLD)
    assert not shows(root)
    assert unpathed(held(root, SEALED)) == before


def test_a_wrong_ring_touches_nothing(tmp_path: Path) -> None:
    """A ring without the key of what is there is refused, and every byte stays."""
    make(tmp_path, SEALED)
    before = files_of(tmp_path)
    with pytest.raises(WrongKey):
        rekey(tmp_path, NEW)
    assert {path: data for path, data in files_of(tmp_path).items() if path.name != "lock"} == {
        path: data for path, data in before.items() if path.name != "lock"
    }


def test_there_must_be_a_run(tmp_path: Path) -> None:
    """A phase that is not there cannot be rekeyed."""
    with pytest.raises(InvalidArgument):
        upkeep.rekey(tmp_path, "none", ring(OLD))


def test_an_archive_of_an_encrypted_run_is_encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Export and import need no key, show nothing, and the run goes on where it was imported."""
    make(tmp_path / "here", BOTH)
    run("export", "items", "states", "--with-runs", "-o", tmp_path / "out.tar", "--dir", tmp_path / "here")
    assert MARK not in (tmp_path / "out.tar").read_bytes()
    run("import", tmp_path / "out.tar", "--dir", tmp_path / "there")
    assert unpathed(held(tmp_path / "there", BOTH)) == unpathed(held(tmp_path / "here", BOTH))
    monkeypatch.setenv("MILEPOST_KEY", OLD)
    assert "3 of 3 runs are intact" in run("verify", "--with-runs", "--dir", tmp_path / "there").err


def test_a_fork_of_an_encrypted_run_is_encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork is written as what it was made of, from items and from checkpoints."""
    make(tmp_path, SEALED)
    monkeypatch.setenv("MILEPOST_KEY", OLD)
    run("fork", "items", "--from-item", "b", "--dir", tmp_path)
    run("fork", "states", "--checkpoint", "1", "--dir", tmp_path)
    assert not shows(tmp_path)
    assert "2 of 2 runs are intact" in run("verify", "--dir", tmp_path).err
    latest = milepost.CheckpointManager("states", tmp_path).get_latest_checkpoint()
    assert latest is not None
    assert latest["state"]["n"] == 1
