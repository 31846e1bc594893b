"""What changed between two states, in encoded bytes: bytes are compared, never values, since ``1 == True``. No I/O."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from milepost import codec
from milepost.errors import NotDecodable

_TAG_START = b'{"' + codec.RESERVED_KEY.encode() + b'":'


class EncodedState(NamedTuple):
    """A state in encoded form: each top-level key by itself, or the *whole* where it is no plain dict."""

    parts: dict[str, bytes] | None
    whole: bytes | None = None

    def pieces(self) -> list[bytes]:
        """Return the encoding of the whole state in pieces: a large state should not be copied to be joined."""
        if self.parts is None:
            assert self.whole is not None
            return [self.whole]
        pieces: list[bytes] = []
        for key, part in self.parts.items():
            pieces += (b"," if pieces else b"{", orjson.dumps(key), b":", part)
        return [*pieces, b"}"] if pieces else [b"{}"]


def encode_state(state: Any) -> EncodedState:
    """Encode a state, key by key where it is a plain dict.

    Raises:
        NotEncodable: A value would not come back equal; the message names its path.
    """
    parts = codec.encode_items(state, "state") if type(state) is dict else None
    return EncodedState(parts) if parts is not None else EncodedState(None, codec.encode(state, "state"))


def difference(old: EncodedState, new: EncodedState) -> dict[str, Any] | None:
    """Return what turns *old* into *new*, fit for a journal record; None if they are equal.

    ``set`` holds new values by key, ``extend`` what was appended to a list or dict, ``drop`` keys that went,
    ``order`` all keys where their order is not the one that follows; ``whole`` replaces the state.
    """
    if old.parts is None or new.parts is None:
        is_equal = old.parts is new.parts and old.whole == new.whole
        return None if is_equal else {"whole": orjson.Fragment(b"".join(new.pieces()))}
    change: dict[str, Any] = {}
    for key, part in new.parts.items():
        before = old.parts.get(key)
        if before == part:
            continue
        tail = None if before is None else _tail(before, part)
        kind, content = ("set", part) if tail is None else ("extend", tail)
        change.setdefault(kind, {})[key] = orjson.Fragment(content)
    dropped = [key for key in old.parts if key not in new.parts]
    if dropped:
        change["drop"] = dropped
    kept = [key for key in old.parts if key in new.parts]
    following = kept + [key for key in new.parts if key not in old.parts]
    if following != list(new.parts):
        change["order"] = list(new.parts)
    return change or None


def apply(state: Any, change: dict[str, Any]) -> Any:
    """Return *state* with a decoded *change* made to it; a dict is changed in place.

    Raises:
        NotDecodable: The change does not fit the state: the journal is not of this state.
    """
    if "whole" in change:
        return change["whole"]
    try:
        for key in change.get("drop", ()):
            del state[key]
        for key, tail in change.get("extend", {}).items():
            if type(state[key]) is not type(tail):
                raise TypeError(key)
            if type(tail) is list:
                state[key].extend(tail)
            else:
                state[key].update(tail)
        state.update(change.get("set", {}))
        return {key: state[key] for key in change["order"]} if "order" in change else state
    except (KeyError, TypeError, AttributeError) as error:
        raise NotDecodable(
            f"A journalled change does not fit the state before it: {type(error).__name__} {error}."
        ) from error


def _tail(old: bytes, new: bytes) -> bytes | None:
    """Return what *new* appends to the list or dict *old*, as a list or dict; None if it is anything else.

    A tagged value looks like a dict in its bytes and is none, so it never counts as one that grew.
    """
    opener = old[:1]
    if opener not in (b"[", b"{") or old.startswith(_TAG_START) or new.startswith(_TAG_START):
        return None
    if not new.startswith(memoryview(old)[:-1]) or len(new) <= len(old):
        return None
    if len(old) == len(b"[]"):
        return new
    comma = len(old) - 1
    return opener + new[comma + 1 :] if new[comma : comma + 1] == b"," else None
