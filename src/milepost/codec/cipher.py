"""Encryption: AES-256-GCM of the `cryptography` package, under a subkey that is drawn for each writer and file.

A sealed text is ``salt (16) | nonce (12) | ciphertext | tag (16)``. The subkey is the HKDF-SHA-256 of the key, the
salt and what the text is for. Salt and nonce come from the system's randomness and from no counter, so that neither
a crash nor a fork nor a machine's snapshot makes one come again under the same subkey with another text; a forked
child draws a salt of its own besides.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from milepost.codec.secret import Secret
from milepost.errors import MissingExtra

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import AEADEncryptionContext
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ALGORITHM = "aes256gcm"
SALT_BYTES, NONCE_BYTES, TAG_BYTES = 16, 12, 16
OVERHEAD_BYTES = SALT_BYTES + NONCE_BYTES + TAG_BYTES
_STEP_BYTES = 256 * 1024
_MOST_TEXTS = 2**28
"""After so many texts a writer draws a new salt: random nonces stay apart with a chance of 1 - 2**-41."""


class NotAuthentic(Exception):
    """A text is not one that was sealed under this key with these associated data. Says nothing more on purpose."""


class Sealer:
    """Seals texts of one *purpose* under a subkey of its own."""

    def __init__(self, key: Secret, purpose: bytes) -> None:
        """Draw the salt at the first text."""
        self._key = key
        self._purpose = purpose
        self._pid = -1
        self._count = 0
        self._salt = b""

    def seal(self, text: bytes, bound: bytes) -> bytes:
        """Return *text* sealed, together with *bound*, which stays readable and must be the same on opening.

        Raises:
            MissingExtra: The library is not installed.
        """
        nonce = self._nonce()
        return self._salt + nonce + _cipher(self._key, self._salt, self._purpose).encrypt(nonce, text, bound)

    def seal_pieces(self, pieces: Iterable[bytes], bound: bytes) -> Iterator[bytes]:
        """Yield what `seal` returns for all *pieces* together, some at a time: a large text is not held twice.

        Raises:
            MissingExtra: The library is not installed.
        """
        nonce = self._nonce()
        encryptor = _encryptor(self._key, self._salt, self._purpose, nonce)
        encryptor.authenticate_additional_data(bound)
        yield self._salt + nonce
        for piece in pieces:
            view = memoryview(piece)
            for at in range(0, len(view), _STEP_BYTES):
                yield encryptor.update(view[at : at + _STEP_BYTES])
        yield encryptor.finalize() + encryptor.tag

    def _nonce(self) -> bytes:
        """Return the next nonce, under a subkey that is drawn where there is none yet, or one of another process."""
        if self._pid != os.getpid() or self._count >= _MOST_TEXTS:
            self._pid, self._count, self._salt = os.getpid(), 0, os.urandom(SALT_BYTES)
        self._count += 1
        return os.urandom(NONCE_BYTES)


def unseal_text(key: Secret, sealed: bytes, bound: bytes, purpose: bytes) -> bytes:
    """Return the text of a *sealed* one.

    Raises:
        NotAuthentic: It, or what is bound to it, is not what was sealed under this key for this purpose.
        MissingExtra: The library is not installed.
    """
    if len(sealed) < OVERHEAD_BYTES:
        raise NotAuthentic
    cipher = _cipher(key, sealed[:SALT_BYTES], purpose)
    from cryptography.exceptions import InvalidTag

    head = SALT_BYTES + NONCE_BYTES
    try:
        return cipher.decrypt(sealed[SALT_BYTES:head], sealed[head:], bound)
    except InvalidTag:
        raise NotAuthentic from None


def tag_of(sealed: bytes) -> bytes:
    """Return the tag of a sealed text, which nobody without the key can make for another one."""
    return sealed[-TAG_BYTES:]


@lru_cache(maxsize=64)
def _cipher(key: Secret, salt: bytes, purpose: bytes) -> AESGCM:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise MissingExtra("encryption needs the cryptography package: pip install 'milepost[crypto]'") from error
    return AESGCM(_subkey(key, salt, purpose).reveal())


def _encryptor(key: Secret, salt: bytes, purpose: bytes, nonce: bytes) -> AEADEncryptionContext:
    subkey = _subkey(key, salt, purpose)
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import GCM

    return Cipher(AES(subkey.reveal()), GCM(nonce)).encryptor()


def _subkey(key: Secret, salt: bytes, purpose: bytes) -> Secret:
    return key.derived(salt, b"milepost " + ALGORITHM.encode() + b" " + purpose, 32)
