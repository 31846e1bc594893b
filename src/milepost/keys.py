"""Where keys come from: the environment, a file that only its owner can read, or a function of yours (a KMS).

A key is 32 random bytes, written as URL-safe base64, one to a line or separated by commas; a label may stand before
it: ``2026-11:…``. The first key writes, all of them read. Nothing here puts a key into a message.
"""

from __future__ import annotations

import binascii
import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from milepost.codec.ring import KeyRing, Source, secret_of
from milepost.codec.secret import KEY_BYTES, Secret
from milepost.errors import InvalidArgument, KeyMissing, UnsafeStore
from milepost.fs import current
from milepost.stores.folder import Folder

VARIABLE = "MILEPOST_KEY"
FILE_VARIABLE = "MILEPOST_KEY_FILE"
_FORM = f"{KEY_BYTES} bytes in URL-safe base64 are needed (python -c 'import milepost; print(milepost.keys.new())')"
_GROUP_AND_OTHERS = 0o077
_MOST_BYTES = 64 * 1024
_BASE64 = re.compile(r"[A-Za-z0-9_-]{43}=?")

__all__ = ["KeyRing", "from_callable", "from_env", "from_file", "given", "new"]


def new() -> str:
    """Return a new random key as text: keep it where your secrets are kept."""
    import secrets
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def from_env(variable: str = VARIABLE) -> KeyRing:
    """Return the keys that an environment variable holds.

    Args:
        variable: Its name.

    Raises:
        KeyMissing: It is not set.
        InvalidArgument: What it holds are no keys.
    """
    if not os.environ.get(variable):
        raise KeyMissing(f"{variable}: this variable is not set; {_FORM}.")
    return KeyRing(_sources(os.environ[variable], variable))


def from_file(path: str | os.PathLike[str]) -> KeyRing:
    """Return the keys in a file, one to a line; what follows ``#`` is a remark.

    Args:
        path: A regular file of this user, which nobody else may read or write (mode 0600 or less).

    Raises:
        KeyMissing: There is no such file.
        UnsafeStore: Others can read it, or it is a link, a device or another user's.
        InvalidArgument: What it holds are no keys.
    """
    where = Path(path)
    try:
        with Folder.open(current(), where.absolute().parent) as folder, folder.opened(where.name, "read") as handle:
            mode = folder.files.stat(handle).permissions
            if mode & _GROUP_AND_OTHERS:
                raise UnsafeStore(f"{where}: others can read this key file (mode {mode & 0o777:04o}): chmod 600 it.")
            text = folder.files.read(handle, _MOST_BYTES, 0)
    except FileNotFoundError as error:
        raise KeyMissing(f"{where}: there is no such key file.") from error
    return KeyRing(_sources(re.sub(rb"#[^\n]*", b"", text).decode("ascii", "replace"), str(where)))


def given() -> KeyRing | None:
    """Return the keys of the file that ``MILEPOST_KEY_FILE`` names, or else of ``MILEPOST_KEY``; None for neither.

    They are for reading, and for going on with a run that is encrypted.
    """
    if os.environ.get(FILE_VARIABLE):
        return from_file(os.environ[FILE_VARIABLE])
    return from_env() if os.environ.get(VARIABLE) else None


def from_callable(fetch: Callable[[str], bytes], labels: Sequence[str]) -> KeyRing:
    """Return keys that a function of yours fetches, from a KMS for example; each is fetched once, when needed.

    Args:
        fetch: Is given a label and returns that key's 32 bytes; what it raises is passed on.
        labels: The labels of all keys, the one that writes first.

    Raises:
        InvalidArgument: A label is of no known form, or stands twice.
    """
    if isinstance(labels, str):
        raise InvalidArgument("labels: a list of labels is needed, not one text.")
    return KeyRing([Source(label, partial(_fetched, fetch, label)) for label in labels])


def _fetched(fetch: Callable[[str], bytes], label: str) -> Secret:
    secret = secret_of(fetch(label))
    if secret is None:
        raise InvalidArgument(f"key {label!r}: the function for it did not return {KEY_BYTES} bytes.")
    return secret


def _sources(text: str, where: str) -> list[Source]:
    """Return the keys in *text*, each behind its label; an error tells the place and never the text."""
    found = [_parsed(word) for word in re.split(r"[\s,]+", text) if word]
    del text  # no traceback that shows locals is to show it
    if not found or None in found:
        raise InvalidArgument(f"{where}: key {found.index(None) + 1 if None in found else 1} is none; {_FORM}.")
    return [Source(label, partial(_held, secret)) for label, secret in filter(None, found)]


def _parsed(word: str) -> tuple[str, Secret] | None:
    from base64 import urlsafe_b64decode

    label, _, encoded = word.rpartition(":")
    if not _BASE64.fullmatch(encoded):
        return None
    try:
        secret = secret_of(urlsafe_b64decode(encoded.rstrip("=") + "="))
    except binascii.Error:
        return None
    return None if secret is None else (label, secret)


def _held(secret: Secret) -> Secret:
    return secret
