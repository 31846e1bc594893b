"""Tells what looks like a secret, and lets a change of one be noticed without keeping it."""

from __future__ import annotations

import hashlib
import re
from itertools import pairwise

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORDS = frozenset(
    {"apikey", "credential", "credentials", "passphrase", "passwd", "password", "passwords", "secret", "secrets"}
)
_KEYS_OF = frozenset({"access", "api", "auth", "encryption", "private", "secret", "signing"})
_TOKENS_OF_TEXT = frozenset(
    {"bos", "cls", "end", "eos", "mask", "next", "pad", "per", "prefix", "sep", "special", "start", "stop", "unk"}
)
_CREDENTIALS_IN_URL = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
_ROUNDS = 20_000


def is_secret_name(name: str) -> bool:
    """Tell whether a thing called *name* is likely a secret.

    Whole words decide, in ``snake_case``, ``kebab-case`` and ``camelCase``: `password`, `secret`, `credential` and the
    like anywhere; `token` at the end, but not the tokens that texts are made of (`pad_token`, `max_tokens`,
    `cost_per_token`); `key` behind `api`, `access`, `private` and the like.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    if not _SECRET_WORDS.isdisjoint(words):
        return True
    if any(before in _KEYS_OF and word in {"key", "keys"} for before, word in pairwise(words)):
        return True
    return bool(words) and words[-1] == "token" and (len(words) == 1 or words[-2] not in _TOKENS_OF_TEXT)


def is_secret_text(text: str) -> bool:
    """Tell whether *text* holds a name with a password, as an address of a database may."""
    return _CREDENTIALS_IN_URL.search(text) is not None


def sealed(data: bytes) -> str:
    """Return what stands for a secret: it changes when the secret does, and is slow to guess back.

    Args:
        data: the encoding of the secret.

    Returns:
        ``(secret, digest ...)`` with 16 hex digits, always the same for the same bytes.
    """
    # Half a digest: enough to notice a change, and one reason less to trust a lucky guess.
    return f"(secret, digest {hashlib.pbkdf2_hmac('sha256', data, b'milepost fingerprint', _ROUNDS)[:8].hex()})"
