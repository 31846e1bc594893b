"""``milepost export`` and ``import``: what goes on elsewhere exactly as here, and what is never let in."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

import milepost
from milepost import upkeep
from milepost.errors import CorruptDocument, DamageError, InvalidArgument
from milepost.records import Position, digest, seal, start_of, unseal
from milepost.report import names
from milepost.upkeep import tape, unpacking
from tests.support.commands import ITEMS, files_of, flipped, job, managed, run

Members = dict[str, bytes]


def journal_of(folder: Path) -> bytes:
    """Return the records of a folder's journal."""
    return b"".join(path.read_bytes()[4096:].rstrip(b"\n\0") for path in sorted(folder.glob("journal_*.jsonl")))


@pytest.mark.parametrize("name", ["all.tar", "all.tar.gz", "all.tgz"])
def test_what_is_exported_goes_on_elsewhere(tmp_path: Path, name: str) -> None:
    """Records, checkpoints and results are the same elsewhere, byte for byte, and both jobs go on there."""
    here, there, archive = tmp_path / "here", tmp_path / "there", tmp_path / name
    job(here, items=ITEMS[:2], complete=False)
    managed(here)
    exported = run("export", "--all", "-o", archive, "--dir", here, "--json").json
    assert {one["phase"] for one in exported["runs"]} == {"items", "states"}
    imported = run("import", archive, "--dir", there, "--json").json
    assert [(one["was_there"], one["aside"]) for one in imported] == [(False, False)] * 2
    for phase in ("items", "states"):
        assert journal_of(there / phase) == journal_of(here / phase)
        mine, theirs = ({path.name: path.read_bytes() for path in (one / phase).glob("c*_*")} for one in (here, there))
        assert mine == theirs
    with milepost.open("items", store=here) as old, milepost.open("items", store=there) as new:
        assert dict(old.results()) == dict(new.results())
        assert old.state == new.state
    assert job(here) == job(there) == ITEMS[2:]
    states = [milepost.CheckpointManager("states", root).get_latest_checkpoint() for root in (here, there)]
    assert states[0] == states[1]
    assert run("verify", "--dir", there).code == 0


def test_an_archive_is_plain_tar_with_plain_lines(tmp_path: Path) -> None:
    """Any tar reads an archive; its journal is lines of JSON, and its manifest has the SHA-256 of each member."""
    job(tmp_path)
    run("export", "items", "-o", tmp_path / "a.tar", "--dir", tmp_path)
    members = unpacked(tmp_path / "a.tar")
    lines = members["runs/0/journal.jsonl"].splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == list(range(1, len(lines) + 1))
    stated = json.loads(members.pop("manifest.json"))["members"]
    assert {name: hashlib.sha256(data).hexdigest() for name, data in members.items()} == {
        name: one["sha256"] for name, one in stated.items()
    }
    assert list(stated) == list(members)


def test_equal_runs_give_equal_archives(tmp_path: Path) -> None:
    """Nothing of the machine or the moment is in an archive: exporting twice gives the same bytes."""
    job(tmp_path)
    for name in ("one.tar.gz", "two.tar.gz"):
        run("export", "items", "-o", tmp_path / name, "--dir", tmp_path)
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()


def test_runs_that_were_set_aside_travel_on_request(tmp_path: Path) -> None:
    """With --with-runs the archive takes along what was set aside, with its provenance; without it does not."""
    here, there, archive = tmp_path / "here", tmp_path / "there", tmp_path / "a.tar"
    job(here)
    run("fork", "items", "--dir", here, "--from-item", "c")
    run("export", "items", "-o", archive, "--dir", here, "--with-runs")
    run("import", archive, "--dir", there)
    (mine,), (theirs,) = (run("list", "--dir", one, "--json").json for one in (here, there))
    assert (theirs["run"], theirs["origin"], theirs["set_aside"]) == (mine["run"], mine["origin"], mine["set_aside"])
    assert run("diff", "items", "--runs", "current", mine["set_aside"][0], "--dir", there, code=1).code == 1
    run("export", "items", "-o", archive, "--dir", here)
    run("import", archive, "--dir", tmp_path / "bare")
    assert run("list", "--dir", tmp_path / "bare", "--json").json[0]["runs"] == []


def test_a_phase_that_is_there_is_refused_or_set_aside(tmp_path: Path) -> None:
    """An import changes no phase that is there unless told to, and then sets its run aside; another name is free."""
    here, there, archive = tmp_path / "here", tmp_path / "there", tmp_path / "a.tar"
    job(here)
    job(there, items=["x"])
    run("export", "items", "-o", archive, "--dir", here)
    before = files_of(there)
    assert "--replace" in run("import", archive, "--dir", there, code=2).err
    assert files_of(there) == before
    run("import", archive, "--dir", there, "--as", "other")
    with milepost.open("other", store=there) as phase:
        assert list(phase.results()) == ITEMS
    run("import", archive, "--dir", there, "--replace")
    with milepost.open("items", store=there) as phase:
        assert list(phase.results()) == ITEMS
    (listed,) = [one for one in run("list", "--dir", there, "--json").json if one["phase"] == "items"]
    assert len(listed["runs"]) == 1
    assert "was here already" in run("import", archive, "--dir", there).out


def test_a_run_that_went_away_and_came_back_is_one_history(tmp_path: Path) -> None:
    """A run that went on elsewhere takes its older self's place, which is set aside under a name of its own."""
    here, there = tmp_path / "here", tmp_path / "there"
    job(here, items=ITEMS[:2], complete=False)
    run("export", "items", "-o", tmp_path / "a.tar", "--dir", here)
    run("import", tmp_path / "a.tar", "--dir", there)
    job(there)
    run("export", "items", "-o", tmp_path / "b.tar", "--dir", there)
    for _ in range(2):
        run("import", tmp_path / "b.tar", "--dir", here, "--replace")
    assert job(here) == []
    (listed,) = run("list", "--dir", here, "--json").json
    assert listed["set_aside"] == [listed["run"]]
    assert run("show", "items", ".done[]", "--run", listed["run"], "--dir", here).json == 2
    run("fork", "items", "--from-item", "b", "--dir", here)
    assert run("list", "--dir", here, "--json").json[0]["set_aside"] == [listed["run"], f"{listed['run']}-2"]


def test_the_old_managers_files_travel(tmp_path: Path) -> None:
    """Checkpoints of the old manager are exported as they are and load elsewhere."""
    folder = tmp_path / "here" / "phase_3"
    folder.mkdir(parents=True, mode=0o700)
    for path in (Path(__file__).parents[2] / "golden" / "legacy").glob("checkpoint_*.json"):
        (folder / path.name).write_bytes(path.read_bytes())
        (folder / path.name).chmod(0o600)
    run("export", "phase_3", "-o", tmp_path / "a.tar", "--dir", tmp_path / "here")
    run("import", tmp_path / "a.tar", "--dir", tmp_path / "there")
    here, there = (
        milepost.CheckpointManager("phase_3", tmp_path / one, ttl_hours=None).get_latest_checkpoint()
        for one in ("here", "there")
    )
    assert here == there
    assert here is not None


def test_a_damaged_run_is_not_exported(tmp_path: Path) -> None:
    """A run that is not what was written gives no archive, and what stood there stays."""
    job(tmp_path)
    (tmp_path / "a.tar").write_bytes(b"before")
    flipped(tmp_path / "items" / "journal_000001.jsonl", 4300)
    assert "milepost repair" in run("export", "items", "-o", tmp_path / "a.tar", "--dir", tmp_path, code=65).err
    assert (tmp_path / "a.tar").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


# --- archives that somebody made


def unpacked(path: Path) -> Members:
    """Return an archive's members."""
    with tarfile.open(path) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar.getmembers()}  # type: ignore[union-attr]


def packed(path: Path, members: Members, *, honest: bool = True, extra: list[tarfile.TarInfo] | None = None) -> Path:
    """Write an archive of *members*, with a manifest that fits them if it is to be *honest*."""
    if honest:
        members = {name: data for name, data in members.items() if name != "manifest.json"}
        listed = {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in members.items()
        }
        members["manifest.json"] = orjson.dumps({"kind": "milepost-archive", "format": 1, "members": listed})
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for info in extra or []:
            tar.addfile(info)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive of both kinds of runs."""
    root = tmp_path_factory.mktemp("good")
    job(root)
    managed(root)
    upkeep.export_runs(root, ["items", "states"], root / "good.tar")
    return root / "good.tar"


def refused(path: Path, root: Path, error: type[Exception] = CorruptDocument) -> str:
    """Import an archive that must be refused, before anything is written; return what is said."""
    with pytest.raises(error) as caught:
        upkeep.import_runs(path, root / "refused" / "store")
    assert not (root / "refused").exists()
    return str(caught.value)


RENAMES: list[tuple[str, str]] = [
    ("runs/0/documents/../../../x", "no archive has"),
    ("/etc/passwd", "no archive has"),
    ("runs/00/documents/x", "no archive has"),
    ("runs/0/documents/lock", "no archive has"),
    ("runs/0/documents/run.json", "no archive has"),
    ("runs/0/documents/journal_000001.jsonl", "no archive has"),
    ("runs/0/documents/x.quarantine", "no archive has"),
    ("runs/0/documents/.hidden", "no archive has"),
    ("runs/0/checkpoints/evil.json", "no archive has"),
    ("runs/7/documents/x", "not in order"),
    ("runs/0/documents/a\\b", "no archive has"),
]


@pytest.mark.parametrize(("name", "reason"), RENAMES)
def test_a_member_with_a_strange_name_is_refused(good: Path, tmp_path: Path, name: str, reason: str) -> None:
    """A member whose name is a path, or of a file that no archive has, is refused before anything is written."""
    members = unpacked(good)
    named = {**{one: data for one, data in members.items() if one != "manifest.json"}, name: b"{}"}
    assert reason in refused(packed(tmp_path / "bad.tar", named), tmp_path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_only_regular_files_are_let_in(good: Path, tmp_path: Path, kind: bytes) -> None:
    """A link, folder, FIFO or device in an archive is refused."""
    info = tarfile.TarInfo("runs/0/documents/x")
    info.type, info.linkname = kind, "/etc/passwd"
    assert "no regular file" in refused(packed(tmp_path / "bad.tar", unpacked(good), extra=[info]), tmp_path)


def test_every_flipped_bit_is_found(good: Path, tmp_path: Path) -> None:
    """An archive with one changed bit gives a typed error, or exactly what it held; never anything else."""
    data = good.read_bytes()
    path = tmp_path / "bad.tar"
    found = 0
    with path.open("w+b") as file:
        file.write(data)
        file.seek(0)
        whole = tape.Tape(file, path)
        held = unpacking._verified(whole)
    for offset in range(0, len(data), 211):
        changed = bytearray(data)
        changed[offset] ^= 1 << offset % 8
        path.write_bytes(changed)
        with path.open("rb") as file:
            read = tape.Tape(file, path)
            try:
                assert unpacking._verified(read) == held, f"the bit at byte {offset} went unnoticed"
            except DamageError:
                found += 1
            else:
                assert read.digests == whole.digests
    assert found > 50


def test_every_cut_is_found(good: Path, tmp_path: Path) -> None:
    """An archive that is cut off anywhere is refused, packed or not."""
    for data, end in ((good.read_bytes(), -1024), (gzip.compress(good.read_bytes()), -1)):
        for size in [*range(0, len(data) + end, 997), len(data) + end]:
            (tmp_path / "bad.tar").write_bytes(data[:size])
            refused(tmp_path / "bad.tar", tmp_path)
    assert len(data) > 1000


def edited(good: Path, name: str, change: Callable[[Any], Any]) -> Members:
    """Return the archive's members with one of them changed."""
    members = unpacked(good)
    members[name] = change(members[name])
    return members


def said(**fields: Any) -> Callable[[bytes], bytes]:
    """Return what changes fields of a run's description."""
    return lambda data: orjson.dumps(orjson.loads(data) | fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"phase": ".."},
        {"phase": 7},
        {"phase": "x" * 500},
        {"run": "../../x"},
        {"run": "0123456789abcdef"},
        {"aside": "../x"},
        {"keeper": "nobody"},
        {"keeper": "manager"},
        {"records": 3},
        {"records": -1},
        {"chain": "0" * 32},
        {"created": None},
        {"created": 1e300},
        {"origin": {"run": 5}},
        {"checkpoint": -5},
        {"more": 1},
    ],
)
def test_a_description_that_lies_is_refused(good: Path, tmp_path: Path, fields: dict[str, Any]) -> None:
    """A run's description that does not fit its records, or names something outside, is refused with a typed error."""
    path = packed(tmp_path / "bad.tar", edited(good, "runs/0/run.json", said(**fields)))
    with pytest.raises(DamageError):
        upkeep.import_runs(path, tmp_path / "store")
    assert names(tmp_path / "store") == [] if (tmp_path / "store").exists() else True


def test_records_that_do_not_follow_are_refused(good: Path, tmp_path: Path) -> None:
    """Records that were swapped, cut, altered or spelled otherwise are refused, though all digests fit."""
    journal = "runs/0/journal.jsonl"
    for change in (
        lambda data: b"".join(reversed(data.splitlines(keepends=True))),
        lambda data: data[: data.rfind(b"\n", 0, -1) + 1],
        lambda data: data[:-1],
        lambda data: data.replace(b"done", b"DONE"),
        lambda data: data + b"{}\n",
        lambda data: b"\n" + data,
        lambda _: b"",
    ):
        refused(packed(tmp_path / "bad.tar", edited(good, journal, change)), tmp_path)
    respelled = rechained(edited(good, journal, lambda data: data.replace(b'{"sequence"', b'{ "sequence"')))
    assert "spelled in another way" in refused(packed(tmp_path / "bad.tar", respelled), tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"time":1', b'"time":1e300,"x":1'),
        (b'"attempt":1', b'"attempt":"1"'),
        (b'"attempt":1', b'"attempt":-1'),
        (b'"key":"a"', b'"key":["a"]'),
        (b'"value":{', b'"value":{{{'),
        (b'"kind":"done"', b'"kind":"undone"'),
        (b'"sequence":2', b'"sequence":7'),
    ],
)
def test_records_that_are_none_are_refused(good: Path, tmp_path: Path, old: bytes, new: bytes) -> None:
    """A journal whose chain is right and whose records say what none of ours says is refused with a typed error."""
    changed = rechained(edited(good, "runs/0/journal.jsonl", lambda data: data.replace(old, new, 1)))
    assert "Nothing was imported" in refused(packed(tmp_path / "bad.tar", changed), tmp_path, DamageError)


def rechained(members: Members) -> Members:
    """Return the members with a chain that fits the journal as it is now: somebody took pains."""
    journal = "runs/0/journal.jsonl"
    position, lines = start_of(json.loads(members["runs/0/run.json"])["run"]), []
    for line in members[journal].splitlines():
        body = line[: -len(b',"chain":"' + b"0" * 32 + b'"}')]
        position = Position(position.sequence + 1, digest(position.chain.encode() + body))
        lines.append(body + b',"chain":"' + position.chain.encode() + b'"}\n')
    members[journal] = b"".join(lines)
    members["runs/0/run.json"] = said(chain=position.chain)(members["runs/0/run.json"])
    return members


def test_a_phase_that_is_in_it_twice_is_refused(good: Path, tmp_path: Path) -> None:
    """Two runs that would both be one phase's own are refused."""
    twice = edited(good, "runs/1/run.json", said(phase="items"))
    assert "twice" in refused(packed(tmp_path / "bad.tar", twice), tmp_path)


def test_a_checkpoint_that_is_none_is_refused(good: Path, tmp_path: Path) -> None:
    """A checkpoint in an archive is verified like one in a store, and must be of its run."""
    name = next(one for one in unpacked(good) if "/checkpoints/" in one)
    refused(packed(tmp_path / "bad.tar", edited(good, name, lambda data: data[:-9])), tmp_path, DamageError)
    for field in (
        {"time": "noon"},
        {"time": 1e300},
        {"iteration": "9"},
        {"sequence": None},
        {"number": 2.5},
        {"phase": 7},
    ):
        forged = edited(good, name, resealed(field))
        refused(packed(tmp_path / "bad.tar", forged), tmp_path, DamageError)
    missing = {one: data for one, data in unpacked(good).items() if "/checkpoints/" not in one}
    with pytest.raises(DamageError):
        upkeep.import_runs(packed(tmp_path / "bad.tar", missing), tmp_path / "store")
    assert names(tmp_path / "store") == ["items"], (
        "what came before in the archive is whole, what is damaged is not there"
    )


def resealed(fields: dict[str, Any]) -> Callable[[bytes], bytes]:
    """Return what changes fields of a checkpoint's head and makes its check and digest fit."""

    def change(data: bytes) -> bytes:
        line, _, rest = data.partition(b',\n"metadata":')
        head = seal((unseal(line + b"}") or {}) | fields)[:-1]
        body = head + b',\n"metadata":' + rest[: rest.rindex(b',\n"digest"')]
        return body + b',\n"digest":"xxh3-128:' + digest(body).encode() + b'"}\n'

    return change


def test_a_newer_form_is_said(good: Path, tmp_path: Path) -> None:
    """An archive of a form that is not known here is told as such, not as damage."""
    newer = edited(good, "milepost.json", said(format=2))
    assert "newer Milepost" in refused(packed(tmp_path / "bad.tar", newer), tmp_path, DamageError)
    alien = edited(good, "milepost.json", said(kind="other"))
    assert "no archive of Milepost" in refused(packed(tmp_path / "bad.tar", alien), tmp_path)


def test_a_bomb_is_refused_before_it_unfolds(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What unfolds to far more than its size, and members or lines beyond any of ours, are refused."""
    zeros = b"\n" * (80 * 1024 * 1024)
    bomb = packed(tmp_path / "bomb.tar", {"milepost.json": unpacked(good)["milepost.json"], "runs/0/run.json": zeros})
    (tmp_path / "bomb.tar.gz").write_bytes(gzip.compress(bomb.read_bytes(), 9))
    assert "300 times its size" in refused(tmp_path / "bomb.tar.gz", tmp_path)
    monkeypatch.setattr(tape, "MOST_MEMBER_BYTES", 1000)
    assert "larger than" in refused(bomb, tmp_path)
    monkeypatch.setattr(tape, "MOST_MEMBER_BYTES", 1 << 30)
    monkeypatch.setattr(tape, "MOST_LINE_BYTES", 1000)
    long = edited(good, "runs/0/journal.jsonl", lambda data: data + b"x" * 600_000)
    assert "longer than" in refused(packed(tmp_path / "bad.tar", long), tmp_path)
    monkeypatch.setattr(tape, "MOST_MEMBERS", 3)
    assert "more members" in refused(good, tmp_path)


def test_bytes_behind_the_end_are_refused(good: Path, tmp_path: Path) -> None:
    """Nothing may hide behind the end of an archive, nor stand in it twice."""
    for data in (good.read_bytes() + b"x", gzip.compress(good.read_bytes()) + b"x", good.read_bytes()[:-1024] * 2):
        (tmp_path / "bad.tar").write_bytes(data)
        refused(tmp_path / "bad.tar", tmp_path)
    assert data


def test_wrong_words_are_said(good: Path, tmp_path: Path) -> None:
    """Wrong names of files and phases are errors of one line, with exit code 2."""
    assert "ends in .tar" in run("export", "items", "-o", tmp_path / "a.zip", "--dir", good.parent, code=2).err
    assert "name phases" in run("export", "-o", tmp_path / "a.tar", "--dir", good.parent, code=2).err
    assert "no such phase" in run("export", "zz", "-o", tmp_path / "a.tar", "--dir", good.parent, code=2).err
    assert "no such file" in run("import", tmp_path / "zz.tar", "--dir", tmp_path, code=2).err
    with pytest.raises(InvalidArgument, match="2 phases"):
        upkeep.import_runs(good, tmp_path / "store", name="one")
