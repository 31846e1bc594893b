"""Compressed bytes are unfolded by somebody who trusts none of them, within a stated memory."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from milepost.codec.packing import (
    FREE_BYTES,
    MOST_RATIO,
    NotPacked,
    aside,
    library,
    most_bytes,
    pack,
    read_aside,
    unpack,
)

zstd = library()
PARAMETER = zstd.CompressionParameter
TEXT = b'{"title":"A book","pages":[1,2,3]}' * 100


def frame(data: bytes, *, checksum: int = 1, declared: bool = True, level: int = 1) -> bytes:
    """Return one frame, with or without what ours have."""
    options = {
        PARAMETER.compression_level: level,
        PARAMETER.checksum_flag: checksum,
        PARAMETER.content_size_flag: int(declared),
    }
    compressor = zstd.ZstdCompressor(options=options)
    if declared:
        compressor.set_pledged_input_size(len(data))
    packed: bytes = compressor.compress(data, compressor.FLUSH_FRAME)
    return packed


@pytest.mark.parametrize("level", [-7, 1, 3, 19])
def test_what_was_packed_comes_back(level: int) -> None:
    """Packed bytes are smaller, and unfold to what they were, at every level."""
    packed = pack(TEXT, level=level)
    assert packed is not None
    assert len(packed) < len(TEXT) / 2
    assert unpack(packed) == TEXT


def test_what_would_not_be_smaller_stays() -> None:
    """Bytes that do not shrink are not packed."""
    assert pack(os.urandom(1000)) is None


def test_nothing_is_packed_that_would_be_taken_for_a_bomb() -> None:
    """Whatever is packed can be unfolded: zeros beyond the cap are not packed."""
    assert pack(bytes(FREE_BYTES + 1)) is None
    packed = pack(bytes(FREE_BYTES))
    assert packed is not None
    assert unpack(packed) == bytes(FREE_BYTES)


WRONG = {
    "no frame": (b"not a frame at all", "no zstd frame"),
    "nothing": (b"", "no zstd frame"),
    "no checksum": (frame(TEXT, checksum=0), "no checksum"),
    "no declared size": (frame(TEXT, declared=False), "does not declare"),
    "two frames": (frame(TEXT) + frame(TEXT), "behind its end"),
    "trailing bytes": (frame(TEXT) + b"\0", "behind its end"),
    "a skipped frame behind": (frame(TEXT) + aside(b"x"), "behind its end"),
    "a skipped frame before": (aside(b"x") + frame(TEXT), "no zstd frame"),
    "cut off": (frame(TEXT)[:-1], "cut off"),
    "cut off early": (frame(TEXT)[:20], "cut off"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_one_whole_frame_is_refused(name: str) -> None:
    """A frame must be one, whole, of a declared size, with a checksum, and nothing may stand beside it."""
    data, why = WRONG[name]
    with pytest.raises(NotPacked, match=why):
        unpack(data)


def test_every_flipped_bit_is_refused() -> None:
    """A frame with one bit flipped, whichever it is, unfolds to nothing or to what it was."""
    packed = frame(TEXT)
    for place in range(len(packed) * 8):
        data = bytearray(packed)
        data[place // 8] ^= 1 << place % 8
        try:
            found = unpack(bytes(data))
        except NotPacked:
            continue
        assert found == TEXT, "a reserved bit may change nothing"


def test_every_cut_is_refused() -> None:
    """A frame that lost its end is refused, wherever it is cut."""
    packed = frame(TEXT)
    for size in range(len(packed)):
        with pytest.raises(NotPacked):
            unpack(packed[:size])


def test_a_lie_about_the_size_is_refused() -> None:
    """A frame that declares less or more than it holds is refused."""
    packed = bytearray(frame(b"a" * 1000))
    assert zstd.get_frame_info(bytes(packed)).decompressed_size == 1000
    at = packed.index((1000 - 256).to_bytes(2, "little"))
    for size in (900, 1100, 60_000):
        packed[at : at + 2] = (size - 256).to_bytes(2, "little")
        with pytest.raises(NotPacked):
            unpack(bytes(packed))


def test_a_skipped_frame_holds_a_head() -> None:
    """What stands aside is read as it is, and a cut one is none."""
    data = aside(b"head") + frame(TEXT)
    found = read_aside(data)
    assert found is not None
    assert found.content == b"head"
    assert unpack(found.rest) == TEXT
    assert read_aside(data[:10]) is None
    assert read_aside(frame(TEXT)) is None


BOMBS = """
import resource, sys
from milepost.codec.packing import FREE_BYTES, NotPacked, library, unpack
zstd = library()
parameter = zstd.CompressionParameter
options = {parameter.checksum_flag: 1, parameter.content_size_flag: DECLARED}
compressor = zstd.ZstdCompressor(options=options)
size = 500 * 1024 * 1024
if DECLARED:
    compressor.set_pledged_input_size(size)
piece = bytes(1024 * 1024)
packed = b"".join([*(compressor.compress(piece) for _ in range(500)), compressor.flush(compressor.FLUSH_FRAME)])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert len(packed) < 100_000, len(packed)
try:
    unpack(packed)
except NotPacked as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("declared", [0, 1])
def test_a_bomb_costs_no_memory(declared: int) -> None:
    """A frame of 500 MB in some kilobytes is refused without a megabyte of it unfolded, declared or not."""
    code = textwrap.dedent(BOMBS).replace("DECLARED", str(declared))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    why, growth_kilobytes = done.stdout.splitlines()
    assert why in {"it does not declare its size", f"it declares more than {FREE_BYTES:,} bytes"}
    assert int(growth_kilobytes) < 1024


def test_the_cap_grows_with_what_is_there() -> None:
    """Packed bytes may unfold to 300 times their size, to 64 MiB in any case, and never beyond what fits a cipher."""
    assert most_bytes(0) == FREE_BYTES
    assert most_bytes(10**6) == MOST_RATIO * 10**6
    assert most_bytes(10**9) == 2**31 - 1
