"""Bytes that nobody is to see: no repr, no pickle, no message tells them."""

from __future__ import annotations

from typing import NoReturn

from milepost.errors import MissingExtra

KEY_BYTES = 32
_ID_BYTES = 8


class Secret:
    """Holds key material. Only `reveal` gives it away; a traceback that prints locals prints this object's repr."""

    __slots__ = ("__material",)

    def __init__(self, material: bytes) -> None:
        """Hold *material*."""
        self.__material = material

    def reveal(self) -> bytes:
        """Return the material; never bind it to a name that outlives the call."""
        return self.__material

    def derived(self, salt: bytes, purpose: bytes, size: int) -> Secret:
        """Return *size* bytes derived for a *purpose* (HKDF-SHA-256).

        Raises:
            MissingExtra: The library is not installed.
        """
        try:
            from cryptography.hazmat.primitives.hashes import SHA256
            from cryptography.hazmat.primitives.kdf.hkdf import HKDF
        except ImportError as error:
            raise MissingExtra("encryption needs the cryptography package: pip install 'milepost[crypto]'") from error
        return Secret(HKDF(algorithm=SHA256(), length=size, salt=salt, info=purpose).derive(self.__material))

    def fingerprint(self) -> str:
        """Return 16 hex digits that name the key and tell nothing of it."""
        return self.derived(b"", b"milepost key id", _ID_BYTES).reveal().hex()

    def __eq__(self, other: object) -> bool:
        """Tell whether both hold the same, in a time that tells nothing."""
        from hmac import compare_digest

        return isinstance(other, Secret) and compare_digest(self.__material, other.__material)

    def __hash__(self) -> int:
        """Return a hash that is random in each process."""
        return hash((Secret, self.__material))

    def __repr__(self) -> str:
        """Return a text without the material."""
        return "Secret(…)"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied into another process."""
        raise TypeError("keys are not pickled: open the key ring in the process that needs it")
