"""The form of a checkpoint file that is compressed or encrypted: its head stays readable in front; no I/O.

``.json.zst`` is two frames: one that unpackers skip and that holds the head, and the plain file, compressed; so
``zstdcat`` gives the plain file. ``.json.enc`` and ``.json.zst.enc`` are::

    {"format":1,…,"check":…}                        the head, one line
    {"codec":"zstd+aes256gcm:KEY"}                  what was done, one line
    …                                               the sealed text of the plain, or the compressed, file
    {"digest":"xxh3-128:…"}                         of all bytes before it

The digest tells damage by accident from what somebody altered who knew how to make it fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import xxhash

from milepost.codec import packing
from milepost.codec.coding import ZSTD, Steps
from milepost.codec.sealing import Sealing
from milepost.errors import CorruptCheckpoint
from milepost.fs import Content
from milepost.records import digest

PACKED, SEALED = ".zst", ".enc"
_CODEC, _CODEC_END = b'{"codec":"', b'"}\n'
_DIGEST, _DIGEST_END = b'\n{"digest":"xxh3-128:', b'"}\n'
_TAIL_BYTES = len(_DIGEST) + 32 + len(_DIGEST_END)
_LONGEST_NAME = 128


class Coded(NamedTuple):
    """A checkpoint as it is written: its file's *name*, and the *data* in pieces."""

    name: str
    data: Content


def coded_name(name: str) -> bool:
    """Tell whether a checkpoint of that file name is compressed or encrypted."""
    return name.endswith((PACKED, SEALED))


def plain_name(name: str) -> str:
    """Return the name that a checkpoint has where it is neither compressed nor encrypted."""
    return name.removesuffix(SEALED).removesuffix(PACKED)


def check(name: str, data: bytes) -> None:
    """Pass a compressed or encrypted file that is whole, as far as that shows without a key.

    Raises:
        CorruptCheckpoint: It is not.
    """
    if name.endswith(SEALED):
        _sealed_parts(name, data)
    else:
        _unfolded(name, data)


def head_in(start: bytes) -> bytes | None:
    """Return the head at the start of a compressed or encrypted file, newline and all; None if there is none."""
    skipped = packing.read_aside(start)
    if skipped is not None:
        return skipped.content
    line, newline, rest = start.partition(b"\n")
    return line + newline if rest.startswith(_CODEC) else None


def is_encrypted(start: bytes) -> str | None:
    """Return what the start of an encrypted file names as its codec; None for one that is only compressed."""
    head = None if packing.read_aside(start) is not None else head_in(start)
    if head is None:
        return None
    return start[len(head) + len(_CODEC) :].partition(b'"')[0].decode("ascii", "replace")


def file_of(
    name: str, head: bytes, plain: Sequence[bytes], packed: bytes | None, sealing: Sealing | None, key_id: str
) -> Coded:
    """Return a checkpoint as its codec writes it.

    Args:
        name: The plain file's name.
        head: Its head, a line.
        plain: All of its bytes, in pieces.
        packed: The same compressed, or None.
        sealing: What encrypts it, or None.
        key_id: The id of the key for that.
    """
    if packed is not None:
        name += PACKED
    if sealing is not None:
        name += SEALED
        named = str(Steps(is_packed=packed is not None, key_id=key_id))
        return Coded(name, _sealed(name, head, named, plain if packed is None else [packed], sealing))
    return Coded(name, plain if packed is None else [packing.aside(head), packed])


def _sealed(name: str, head: bytes, named: str, text: Sequence[bytes], sealing: Sealing) -> Iterator[bytes]:
    """Yield the bytes of an encrypted checkpoint, made as they are written: a large state is not held twice."""
    start = head + _CODEC + named.encode() + _CODEC_END
    running = xxhash.xxh3_128(start)
    yield start
    for piece in sealing.seal_file(name, head, named, text):
        running.update(piece)
        yield piece
    yield _DIGEST + running.hexdigest().encode() + _DIGEST_END


def plain_of(name: str, data: bytes, sealing: Sealing) -> bytes:
    """Return the plain file of one that `file_of` made.

    Raises:
        CorruptCheckpoint: It is torn or was altered.
        NotDecodable, Tampered, KeyMissing, WrongKey: See `Sealing.open_record`.
    """
    if name.endswith(SEALED):
        head, named, blob = _sealed_parts(name, data)
        text = sealing.open_file(name, head, named, blob)
        return _unpacked(name, text) if named.startswith(ZSTD) else text
    return _unfolded(name, data)


def _sealed_parts(name: str, data: bytes) -> tuple[bytes, str, bytes]:
    """Return the head, the codec's name and the sealed text of a file whose digest matches."""
    body = data[:-_TAIL_BYTES]
    if data[len(body) :] != _DIGEST + digest(body).encode() + _DIGEST_END:
        raise CorruptCheckpoint(f"{name}: its digest does not match: the file is torn or was altered.")
    head = head_in(body) or b""
    named, found, blob = body[len(head) :].removeprefix(_CODEC).partition(_CODEC_END)
    if not head or not found or len(named) > _LONGEST_NAME:
        raise CorruptCheckpoint(f"{name}: it is not of the form that its name says.")
    return head, named.decode("ascii", "replace"), blob


def _unfolded(name: str, data: bytes) -> bytes:
    """Return the plain file of one that is compressed, and not encrypted."""
    skipped = packing.read_aside(data)
    if skipped is None:
        raise CorruptCheckpoint(f"{name}: it is not of the form that its name says.")
    plain = _unpacked(name, skipped.rest)
    if not plain.startswith(skipped.content.rstrip(b"}\n")):
        raise CorruptCheckpoint(f"{name}: its head is not that of what it holds.")
    return plain


def _unpacked(name: str, packed: bytes | memoryview) -> bytes:
    try:
        return packing.unpack(packed)
    except packing.NotPacked as error:
        raise CorruptCheckpoint(f"{name}: {error}.") from None
