"""What is done to stored values on their way: compressed, encrypted, both or neither."""

from __future__ import annotations

from typing import Literal

from milepost.codec import packing
from milepost.codec.cipher import ALGORITHM
from milepost.codec.ring import KeyRing
from milepost.errors import InvalidArgument

ZSTD = "zstd"
SMALLEST_PACKED_BYTES = 512


class Codec:
    """How values are written. Reading needs no codec: what is stored names what was done to it."""

    __slots__ = ("_compress", "_encrypt", "_level")

    def __init__(
        self, compress: Literal["zstd"] | None = None, *, level: int | None = None, encrypt: KeyRing | None = None
    ) -> None:
        """Compress and encrypt what is written.

        Args:
            compress: ``"zstd"``, or None.
            level: How hard it is compressed, from -7 to 19; 1 is usual.
            encrypt: The keys, the first of which encrypts (AES-256-GCM); None leaves values readable.

        Raises:
            InvalidArgument: One of them cannot be worked with.
            MissingExtra: A library for it is not installed.
        """
        if compress not in (None, ZSTD):
            raise InvalidArgument(f"compress {compress!r}: 'zstd' is needed, or None.")
        if level is not None and compress is None:
            raise InvalidArgument("level: it says how hard is compressed, and compress= is missing.")
        if encrypt is not None and not isinstance(encrypt, KeyRing):
            raise InvalidArgument("encrypt: a key ring of milepost.keys is needed.")
        self._compress = compress
        self._level = packing.USUAL_LEVEL if level is None else packing.checked_level(level)
        self._encrypt = encrypt
        if compress is not None:
            packing.library()
        if encrypt is not None:
            _ = encrypt.first  # a key that cannot be had is told now and not after an hour of work

    @property
    def ring(self) -> KeyRing | None:
        """The keys, None where nothing is encrypted."""
        return self._encrypt

    @property
    def packs(self) -> bool:
        """Whether values are compressed."""
        return self._compress is not None

    def encrypting(self, ring: KeyRing) -> Codec:
        """Return the same codec, encrypting under the first key of *ring*."""
        return Codec(self._compress, level=self._level if self._compress else None, encrypt=ring)

    def packed(self, data: bytes) -> bytes | None:
        """Return *data* compressed; None where it is not to be, or would not be smaller."""
        if self._compress is None or len(data) < SMALLEST_PACKED_BYTES:
            return None
        return packing.pack(data, self._level)

    def __repr__(self) -> str:
        """Return what is done, with the ids of keys only."""
        return f"Codec(compress={self._compress!r}, level={self._level}, encrypt={self._encrypt!r})"


class Steps:
    """The name of what was done to a value: ``zstd``, ``aes256gcm:KEY``, or ``zstd+aes256gcm:KEY``."""

    __slots__ = ("is_packed", "key_id")

    def __init__(self, *, is_packed: bool, key_id: str | None) -> None:
        """Hold whether it was compressed, and the id of the key it was encrypted under."""
        self.is_packed = is_packed
        self.key_id = key_id

    @classmethod
    def named(cls, name: str) -> Steps | None:
        """Return what a *name* says; None if it says nothing known here."""
        first, _, rest = name.partition("+")
        last = rest or first
        algorithm, _, key_id = last.partition(":")
        if first == ZSTD and not rest and last == ZSTD:
            return cls(is_packed=True, key_id=None)
        if algorithm != ALGORITHM or not key_id or (rest and first != ZSTD):
            return None
        return cls(is_packed=bool(rest), key_id=key_id)

    def __str__(self) -> str:
        """Return the name."""
        sealed = [] if self.key_id is None else [f"{ALGORITHM}:{self.key_id}"]
        return "+".join([*([ZSTD] if self.is_packed else []), *sealed])
