"""A ring of keys: the first one writes, all of them read. Found by the id that stands beside what was encrypted."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple, NoReturn

from milepost.codec.secret import KEY_BYTES, Secret
from milepost.errors import InvalidArgument, KeyMissing, WrongKey

LABEL = re.compile(r"[A-Za-z0-9_-]{1,64}")
KEY_ID = re.compile(r"(?:([A-Za-z0-9_-]{1,64})\.)?([0-9a-f]{16})")
_HELP = "Give the key with MILEPOST_KEY, --key-file, or encrypt= of the codec."


class Key(NamedTuple):
    """A key and its *id*: its fingerprint, with the label before it where it has one."""

    id: str
    secret: Secret


class Source(NamedTuple):
    """Where a key comes from: its *label* (``""`` for none), and what fetches its 32 bytes."""

    label: str
    fetch: Callable[[], Secret]


class KeyRing:
    """Keys by id. Made by `milepost.keys`; its repr and its errors name ids, never keys."""

    def __init__(self, sources: Iterable[Source]) -> None:
        """Hold keys from *sources*, the one that writes first; each is fetched when it is needed first.

        Raises:
            InvalidArgument: There is none, or a label stands twice or is of no known form.
        """
        self._sources = tuple(sources)
        self._keys: dict[int, Key] = {}
        self._mutex = threading.Lock()
        labels = [source.label for source in self._sources if source.label]
        if not self._sources:
            raise InvalidArgument("a key ring needs a key.")
        if len(set(labels)) < len(labels) or not all(map(LABEL.fullmatch, labels)):
            raise InvalidArgument("a key's label is 1 to 64 letters, digits, _ or -, and stands once in a ring.")

    @property
    def first(self) -> Key:
        """The key that writes."""
        return self._key(0)

    @property
    def ids(self) -> list[str]:
        """The ids of all keys, in order; fetches them."""
        return [self._key(number).id for number in range(len(self._sources))]

    def find(self, key_id: str, where: str) -> Secret:
        """Return the key that was named beside what is to be opened.

        Args:
            key_id: Its id.
            where: What is to be opened, for messages.

        Raises:
            WrongKey: The ring holds another key of that label, or none such at all.
        """
        match = KEY_ID.fullmatch(key_id)
        label, fingerprint = match.groups() if match else (None, "")
        order = sorted(range(len(self._sources)), key=lambda number: self._sources[number].label != (label or ""))
        for number in order:  # the one of that label first: a callable need not fetch every key there ever was
            key = self._key(number)
            if key.id.rpartition(".")[2] == fingerprint:
                return key.secret
        raise WrongKey(f"{where}: it was encrypted under key {key_id}; the ring holds {', '.join(self.ids)}. {_HELP}")

    def __add__(self, other: KeyRing) -> KeyRing:
        """Return a ring of the keys of both; the first of this one writes."""
        return KeyRing((*self._sources, *other._sources))

    def __repr__(self) -> str:
        """Return the ids or labels, as far as they are known without fetching."""
        known = [
            self._keys[number].id if number in self._keys else source.label or "…"
            for number, source in enumerate(self._sources)
        ]
        return f"KeyRing({', '.join(known)})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied into another process."""
        raise TypeError("keys are not pickled: open the key ring in the process that needs it")

    def _key(self, number: int) -> Key:
        with self._mutex:
            if number not in self._keys:
                source = self._sources[number]
                secret = source.fetch()
                name = f"{source.label}." if source.label else ""
                self._keys[number] = Key(name + secret.fingerprint(), secret)
            return self._keys[number]


def no_key(key_id: str, where: str) -> KeyMissing:
    """Return the error of something encrypted where no key was given at all."""
    return KeyMissing(f"{where}: it is encrypted under key {key_id}, and no key was given. {_HELP}")


def secret_of(material: object) -> Secret | None:
    """Return the key of 32 bytes of *material*; None if it is none."""
    return Secret(material) if isinstance(material, bytes) and len(material) == KEY_BYTES else None
