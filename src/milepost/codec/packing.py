"""Compression with zstd, and its undoing by somebody who trusts no byte of it: sizes are capped, frames checked.

What is packed here is one frame that declares its size and ends with a checksum. Everything else is refused, and so
is a frame that would unfold to more than `most_bytes` says. Nothing is packed that would be refused.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from milepost.errors import InvalidArgument, MissingExtra

USUAL_LEVEL = 1
LEVELS = range(-7, 20)
"""The levels that need no more memory to unfold than the size that is declared."""

FREE_BYTES = 64 * 1024 * 1024
MOST_RATIO = 300
"""Records of one form take about a tenth, zeros a ten-thousandth."""

MOST_BYTES = 2**31 - 1
"""What a cipher of ours takes in one piece, and more than any state that is saved at a sensible pace."""

_MAGIC = b"\x28\xb5\x2f\xfd"
_CHECKSUM = 0x04  # the bit of the frame header's first byte
_MAGIC_ASIDE = b"\x50\x2a\x4d\x18"
_ASIDE_BYTES = 8  # the magic and a size of 4 bytes
_STEP_BYTES = 1024 * 1024
_TWO_THREADS_BYTES = 2 * 1024 * 1024  # below, a second thread costs more than it saves


class NotPacked(Exception):
    """Bytes are not what `pack` makes; the message says why. Never leaves this package's callers as it is."""


class Aside(NamedTuple):
    """What stands in a frame that unpackers skip, and what is behind it."""

    content: bytes
    rest: memoryview


def most_bytes(packed_bytes: int) -> int:
    """Return to how much that many packed bytes may unfold."""
    return min(MOST_BYTES, max(FREE_BYTES, MOST_RATIO * packed_bytes))


def checked_level(level: int) -> int:
    """Return *level* if it is one of `LEVELS`.

    Raises:
        InvalidArgument: It is not.
    """
    if type(level) is not int or level not in LEVELS:
        raise InvalidArgument(f"level {level!r}: a whole number from {LEVELS[0]} to {LEVELS[-1]} is needed.")
    return level


def pack(*pieces: bytes, level: int = USUAL_LEVEL) -> bytes | None:
    """Return *pieces* as one frame; None where that would not be smaller, or would be taken for a bomb.

    Args:
        pieces: Any bytes, one behind the other.
        level: One of `LEVELS`; higher takes longer and is smaller.

    Raises:
        MissingExtra: The library is not installed.
    """
    zstd = library()
    parameter = zstd.CompressionParameter
    size = sum(map(len, pieces))
    options = {parameter.compression_level: level, parameter.checksum_flag: 1, parameter.content_size_flag: 1}
    if size >= _TWO_THREADS_BYTES and parameter.nb_workers.bounds()[1] > 1:
        options[parameter.nb_workers] = 2
    compressor = zstd.ZstdCompressor(options=options)
    compressor.set_pledged_input_size(size)
    packed = b"".join([*map(compressor.compress, pieces), compressor.flush(compressor.FLUSH_FRAME)])
    return packed if len(packed) < size <= most_bytes(len(packed)) else None


def unpack(data: bytes | memoryview) -> bytes:
    """Return what was packed.

    Raises:
        NotPacked: It is not one whole frame with a declared size within the cap, a checksum, and nothing behind it.
        MissingExtra: The library is not installed.
    """
    zstd = library()
    whole = memoryview(data)
    size = _declared(zstd, bytes(whole[:32]), len(whole))
    unpacker = zstd.ZstdDecompressor()
    pieces: list[bytes] = []
    given = 0
    fed: bytes | memoryview = whole
    try:
        while not unpacker.eof and (len(fed) or not unpacker.needs_input):
            piece = unpacker.decompress(fed, min(_STEP_BYTES, size - given + 1))
            fed = b""
            given += len(piece)
            if given > size:
                raise NotPacked("it unfolds to more than it declares")
            pieces.append(piece)
    except zstd.ZstdError:
        raise NotPacked("it does not unfold: it was altered") from None
    if not unpacker.eof or given != size:
        raise NotPacked("it is cut off")
    if unpacker.unused_data:
        raise NotPacked("there are bytes behind its end")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def aside(content: bytes) -> bytes:
    """Return a frame that every unpacker skips, with *content* as it is: a head that is read without unfolding."""
    return _MAGIC_ASIDE + len(content).to_bytes(4, "little") + content


def read_aside(data: bytes | memoryview) -> Aside | None:
    """Return what a skipped frame at the start of *data* holds; None if there is none, or not all of it."""
    whole = memoryview(data)
    if bytes(whole[:4]) != _MAGIC_ASIDE:
        return None
    end = _ASIDE_BYTES + int.from_bytes(whole[4:_ASIDE_BYTES], "little")
    if not _ASIDE_BYTES <= end <= len(whole):
        return None
    return Aside(bytes(whole[_ASIDE_BYTES:end]), whole[end:])


def library() -> Any:
    """Return Python's own zstd, or what brings the same to older ones.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError as error:
        raise MissingExtra("zstd needs a library of its own here: pip install 'milepost[zstd]'") from error
    return zstd


def _declared(zstd: Any, start: bytes, packed_bytes: int) -> int:
    """Return the size that a frame declares, if it is such a frame as we make."""
    if not start.startswith(_MAGIC) or len(start) < len(_MAGIC) + 1:
        raise NotPacked("it is no zstd frame")
    if not start[len(_MAGIC)] & _CHECKSUM:
        raise NotPacked("it has no checksum")
    try:
        info = zstd.get_frame_info(start)
    except zstd.ZstdError:
        raise NotPacked("it is no zstd frame") from None
    size: int | None = info.decompressed_size
    if size is None:
        raise NotPacked("it does not declare its size")
    if info.dictionary_id:
        raise NotPacked("it needs a dictionary")
    if size > most_bytes(packed_bytes):
        raise NotPacked(f"it declares more than {most_bytes(packed_bytes):,} bytes")
    return size
