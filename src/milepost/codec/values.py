"""The codec's face: values to bytes and back, such that what is loaded equals what was saved."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from milepost.codec.form import LONE_SURROGATE, RESERVED_KEY, Malformed, Refused, key_step
from milepost.codec.plain import mentions_tag, plain_bytes
from milepost.errors import NotDecodable, NotEncodable


def encode(value: object, path: str = "value") -> bytes:
    """Return the JSON bytes of *value* from which `decode` gives back an equal value of the same types throughout.

    The same value gives the same bytes. JSON's own types are written as compact plain JSON, all others as tag
    objects (``docs/reference/values.md``).

    Args:
        value: anything the reference lists; other threads must leave it alone meanwhile.
        path: what the value is called in an error message.

    Returns:
        One JSON text in UTF-8, without spaces or a line end.

    Raises:
        NotEncodable: some part of the value would not come back equal; names its path and type, never its content.
    """
    return _encode(value, path, 0)


def _encode(value: object, path: str, depth: int) -> bytes:
    data = plain_bytes(value, depth)
    if data is not None:
        return data
    from milepost.codec.tagging import Packer  # plain values, the rule, need none of its imports

    try:
        try:
            return orjson.dumps(Packer(careful=False).pack(value, depth))
        except orjson.JSONEncodeError:
            # Only text that UTF-8 cannot write is left to fail here; the careful walk finds where it is.
            return orjson.dumps(Packer(careful=True).pack(value, depth))
    except Refused as refused:
        raise NotEncodable(path + refused.path(), refused.reason) from None
    except RecursionError:
        raise NotEncodable(path, "nested deeper than the call stack has room for") from None


def encode_items(mapping: Mapping[str, object], path: str = "value") -> dict[str, bytes] | None:
    """Return the encoding of each top-level value of a dict, whose join is the encoding of the whole.

    ``join_items(encode_items(mapping)) == encode(mapping)``, so that a caller may compare and store keys one by one.

    Args:
        mapping: the dict.
        path: what the dict is called in an error message.

    Returns:
        Key to bytes in the order of the dict; None where the dict itself needs a tag (it is no exact dict, has keys
        that are no exact str, or has the reserved key): then it is to be handled as one value.

    Raises:
        NotEncodable: as `encode` raises it for the whole dict.
    """
    if type(mapping) is not dict or not set(map(type, mapping)) <= {str} or RESERVED_KEY in mapping:
        return None
    encoded: dict[str, bytes] = {}
    for position, (key, value) in enumerate(mapping.items()):
        try:
            key.encode()
        except UnicodeEncodeError:
            raise NotEncodable(f"{path}.keys()[{position}]", LONE_SURROGATE) from None
        encoded[key] = _encode(value, path + key_step(key), 1)
    return encoded


def join_items(items: Mapping[str, bytes]) -> bytes:
    """Return the encoding of a dict from the encodings of its values, as `encode_items` gave them.

    Args:
        items: key to encoded value, in the order of the dict.

    Returns:
        ``{"key":value,...}`` in UTF-8.
    """
    return b"{" + b",".join(orjson.dumps(key) + b":" + data for key, data in items.items()) + b"}"


def decode(data: bytes | memoryview) -> object:
    """Return the value that `encode` was given to write *data*.

    Classes are found by the names they were registered under; none is imported, and nothing is unpickled. Whether
    the bytes are the ones that were written is for a digest to say: see `decode_exact` for bytes without one.

    Args:
        data: one JSON text in UTF-8.

    Returns:
        The value. Arrays own their memory and can be written to.

    Raises:
        NotDecodable: not JSON, an unknown or malformed tag, or a class that is not registered or has changed.
    """
    whole = data if type(data) is bytes else bytes(data)
    try:
        value: object = orjson.loads(whole)
    except orjson.JSONDecodeError as error:
        raise NotDecodable(f"not JSON at line {error.lineno}, column {error.colno}: {error.msg}") from None
    if not mentions_tag(whole):
        return value
    from milepost.codec.untagging import restore  # see `_encode`

    try:
        return restore(value, 0)
    except Malformed as malformed:
        raise NotDecodable(f"value{malformed.path()} {malformed.reason}") from None
    except RecursionError:
        raise NotDecodable("nested deeper than the call stack has room for") from None


def decode_exact(data: bytes | memoryview) -> object:
    """Return the value of *data* if they are the very bytes that `encode` writes for it.

    For bytes that no digest protects: keys that stand twice, numbers rounded on the way, spaces and other spellings
    are refused, at the price of one more encoding.

    Args:
        data: one JSON text in UTF-8.

    Returns:
        The value.

    Raises:
        NotDecodable: as `decode`, or the bytes are not in the exact form.
    """
    value = decode(data)
    try:
        exact = encode(value) == data
    except NotEncodable:
        exact = False
    if not exact:
        raise NotDecodable("the JSON is not in the exact form that Milepost writes (a key twice, or a rounded number?)")
    return value
