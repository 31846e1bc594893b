"""Values to bytes and back: what is loaded equals what was saved, type for type, or the save says why not."""

from milepost.codec.form import MAX_DEPTH, RESERVED_KEY, TAG_START
from milepost.codec.legacy import decode_legacy
from milepost.codec.registry import register
from milepost.codec.values import decode, decode_exact, encode, encode_items, join_items

__all__ = [
    "MAX_DEPTH",
    "RESERVED_KEY",
    "TAG_START",
    "decode",
    "decode_exact",
    "decode_legacy",
    "encode",
    "encode_items",
    "join_items",
    "register",
]
