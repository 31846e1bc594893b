"""What a hostile store makes up costs a typed error, and little memory: depth, digits, lengths, and what unfolds."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from milepost import codec
from milepost.codec import packing
from milepost.errors import DamageError, NotDecodable
from milepost.records import Kind, Record
from tests.support.coded import PLAIN, forged, read_run

DEPTH = 100_000
JSON_BOMBS = {
    "arrays": b"[" * DEPTH + b"]" * DEPTH,
    "objects": b'{"a":' * DEPTH + b"1" + b"}" * DEPTH,
    "digits": b"1" * 100_000,
    "a fraction": b"0." + b"1" * 100_000 + b"e999999",
    "a huge exponent": b"1e999",
    "a long integer": b'{"$milepost":"int","value":"' + b"9" * 5_000_000 + b'"}',
    "tags in tags": b'{"$milepost":"tuple","items":[' * 5_000 + b"]}" * 5_000,
    "a lone surrogate": b'"\\ud800"',
    "cut off": b'{"a":[1,2',
    "bytes that are no UTF-8": b'"\xff"',
}


@pytest.mark.parametrize("name", JSON_BOMBS)
def test_json_that_is_a_bomb_is_refused(name: str) -> None:
    """A value that no save of ours makes is a typed error, without a crash and without a long wait."""
    try:
        found = codec.decode(JSON_BOMBS[name])
    except NotDecodable:
        return
    assert name in {"digits", "a fraction"}, found
    assert type(found) is float


CHILD = """
import resource, sys, threading
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
import milepost
from milepost.errors import MilepostError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    ACTION
except MilepostError as error:
    print(error.code)
else:
    print("loaded")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def told_by(action: str, *arguments: Path) -> tuple[str, int]:
    """Run *action* in a process that may take 1 GB; return the error's code and how many MB it grew by."""
    code = textwrap.dedent(CHILD).replace("ACTION", action)
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    word, megabytes = done.stdout.splitlines()
    return word, int(megabytes)


def bomb(size: int, *, declared: bool) -> bytes:
    """Return zeros, compressed with all that ours have except perhaps a declared size."""
    zstd = packing.library()
    options = {zstd.CompressionParameter.checksum_flag: 1, zstd.CompressionParameter.content_size_flag: int(declared)}
    compressor = zstd.ZstdCompressor(options=options)
    if declared:
        compressor.set_pledged_input_size(size)
    piece = bytes(1024 * 1024)
    pieces = [compressor.compress(piece) for _ in range(size // len(piece))]
    return b"".join([*pieces, compressor.flush(compressor.FLUSH_FRAME)])


@pytest.mark.parametrize("declared", [True, False])
def test_a_record_that_unfolds_to_500_mb_is_refused(tmp_path: Path, *, declared: bool) -> None:
    """A record of some kilobytes that would become 500 MB is a typed error within 100 MB of memory."""
    import binascii

    value = b'"' + binascii.b2a_base64(bomb(500 * 2**20, declared=declared), newline=False) + b'"'
    forged(tmp_path / "items", [Record(Kind.OPENED, 1.0, 1), Record(Kind.DONE, 2.0, 1, "a", value=value, codec="zstd")])
    with pytest.raises(NotDecodable, match="record 2"):
        read_run(tmp_path / "items", PLAIN)


@pytest.mark.parametrize("declared", [True, False])
def test_a_checkpoint_that_unfolds_to_500_mb_is_passed_over(tmp_path: Path, *, declared: bool) -> None:
    """A checkpoint of some kilobytes that would become 500 MB is damage, told within 100 MB of memory."""
    import milepost

    with milepost.CheckpointManager("states", tmp_path, codec=milepost.Codec("zstd")) as manager:
        path = manager.save_checkpoint(1, {"text": "a" * 5000}, force=True)
    assert path is not None
    held = packing.read_aside(path.read_bytes())
    assert held is not None
    path.write_bytes(packing.aside(held.content) + bomb(500 * 2**20, declared=declared))
    action = 'milepost.CheckpointManager("states", sys.argv[1]).get_latest_checkpoint()'
    word, megabytes = told_by(action, tmp_path)
    assert word == "loaded", "an older or no state is loaded, and the log tells"
    assert megabytes < 100
    assert milepost.CheckpointManager("states", tmp_path).get_latest_checkpoint() is None


def test_many_records_that_unfold_are_held_a_few_at_a_time(tmp_path: Path) -> None:
    """Fifty records that each unfold to 20 MB are gone through within 150 MB of memory."""
    import binascii

    packed = packing.pack(b'"' + b"a" * (20 * 2**20) + b'"')
    assert packed is not None
    value = b'"' + binascii.b2a_base64(packed, newline=False) + b'"'
    records = [Record(Kind.DONE, 2.0, 1, f"key-{number}", value=value, codec="zstd") for number in range(50)]
    forged(tmp_path / "items", [Record(Kind.OPENED, 1.0, 1), *records])
    action = (
        "from milepost.run.coded import CodedRun; from milepost.stores import RunFiles; "
        "from milepost.stores.folder import Folder; from milepost.fs import SystemFiles; "
        "CodedRun(RunFiles(Folder.open(SystemFiles(), Path(sys.argv[1])))).read_journal(lambda first, lines: None)"
    )
    word, megabytes = told_by(action, tmp_path / "items")
    assert word == "loaded"
    assert megabytes < 150


@pytest.mark.parametrize(
    "name",
    [
        "gzip",
        "zstd+zstd",
        "aes256gcm",
        "aes256gcm:",
        "zstd+aes256gcm:",
        "+",
        "zstd+",
        "chacha:00",
        "zstd:00",
        'GZ \\" é',
    ],
)
def test_a_codec_that_is_not_known_is_told(tmp_path: Path, name: str) -> None:
    """A record of a codec that this Milepost does not know is refused as newer, not as damaged or as plain."""
    forged(
        tmp_path / "items", [Record(Kind.OPENED, 1.0, 1), Record(Kind.DONE, 2.0, 1, "a", value=b'"AAAA"', codec=name)]
    )
    with pytest.raises(NotDecodable, match="newer Milepost"):
        read_run(tmp_path / "items", PLAIN)


@pytest.mark.parametrize(
    "value", [b'"AAA"', b'"AA=A"', b'"AAAA\\n"', b"1", b'"', b'""', b'"AAAB"', b"null", b'["AAAA"]']
)
def test_what_is_no_base64_of_ours_is_refused(tmp_path: Path, value: bytes) -> None:
    """A coded value that is not base64 in the one form that is written is a typed error."""
    forged(tmp_path / "items", [Record(Kind.OPENED, 1.0, 1), Record(Kind.DONE, 2.0, 1, "a", value=value, codec="zstd")])
    with pytest.raises(DamageError):
        read_run(tmp_path / "items", PLAIN)
