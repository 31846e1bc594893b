"""Leaf tags for numbers, bytes, UUIDs, decimals and paths."""

from __future__ import annotations

import binascii
import math
import re
import uuid
from decimal import Decimal
from pathlib import PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any

from milepost.codec.form import Leaf, Malformed, Refused, expect_str, require

SMALLEST_PLAIN_INT = -(2**63)
LARGEST_PLAIN_INT = 2**64 - 1

_HEX = re.compile(r"-?0x[1-9a-f][0-9a-f]*")
_DECIMAL = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?(?:E[+-][0-9]+)?|Infinity|s?NaN[0-9]*)")
_NOT_FINITE = ("nan", "inf", "-inf")
_PATHS: dict[str, type[PurePath]] = {
    kind.__name__: kind for kind in (PosixPath, WindowsPath, PurePosixPath, PureWindowsPath)
}


def to_base64(data: bytes | bytearray | memoryview) -> str:
    """Return *data* as standard base64 with padding, on one line."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def from_base64(text: object) -> bytes:
    """Return the bytes of strict base64 *text*. Raises ValueError."""
    return binascii.a2b_base64(expect_str(text), strict_mode=True)


def _int(value: int) -> tuple[object, ...]:
    # Hexadecimal, because Python limits the digits of decimal text (and needs quadratic time for them).
    return (hex(value),)


def _restore_int(text: object) -> int:
    require(_HEX.fullmatch(expect_str(text)) is not None)
    value = int(expect_str(text), 16)
    require(not SMALLEST_PLAIN_INT <= value <= LARGEST_PLAIN_INT)
    return value


def _float(value: float) -> tuple[object, ...]:
    return (repr(value),)


def _restore_float(text: object) -> float:
    require(text in _NOT_FINITE)
    return float(expect_str(text))  # a new object each time: NaNs in a set are told apart by identity


def _complex(value: complex) -> tuple[object, ...]:
    return tuple(part if math.isfinite(part) else repr(part) for part in (value.real, value.imag))


def _restore_complex(real: object, imag: object) -> complex:
    return complex(_restore_part(real), _restore_part(imag))


def _restore_part(part: object) -> float:
    return part if type(part) is float else _restore_float(part)


def _bytes(value: bytes | bytearray) -> tuple[object, ...]:
    return (to_base64(value),)


def _restore_bytearray(text: object) -> bytearray:
    return bytearray(from_base64(text))


def _uuid(value: uuid.UUID) -> tuple[object, ...]:
    return str(value), value.is_safe.value


def _restore_uuid(text: object, is_safe: object) -> uuid.UUID:
    require(is_safe is None or type(is_safe) is int)
    value = uuid.UUID(hex=expect_str(text), is_safe=uuid.SafeUUID(is_safe))
    require(str(value) == text)
    return value


def _decimal_text(value: Decimal) -> str:
    # A context may ask for a small "e"; the same value must give the same bytes.
    return str(value).replace("e", "E")


def _decimal(value: Decimal) -> tuple[object, ...]:
    return (_decimal_text(value),)


def _restore_decimal(text: object) -> Decimal:
    require(_DECIMAL.fullmatch(expect_str(text)) is not None)
    value = Decimal(expect_str(text))
    require(_decimal_text(value) == text)
    return value


def _path(value: PurePath) -> tuple[object, ...]:
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(f"{type(value).__name__} whose bytes are not UTF-8") from None
    if type(value)(text) != value:
        raise Refused(f"{type(value).__name__} that its own text does not give back")
    return type(value).__name__, text


def _restore_path(flavour: object, text: object) -> PurePath:
    try:
        return _PATHS[expect_str(flavour)](expect_str(text))
    except NotImplementedError:
        raise Malformed("is a path of another operating system; store a PurePath to load it anywhere") from None


def _leaf(name: str, kind: Any, fields: tuple[str, ...], pack: Any, restore: Any) -> Leaf:
    return Leaf(name=name, types=(kind,), fields=fields, pack=pack, restore=restore)


INT = _leaf("int", int, ("hex",), _int, _restore_int)
FLOAT = _leaf("float", float, ("value",), _float, _restore_float)

SCALARS: tuple[Leaf, ...] = (
    INT,
    FLOAT,
    _leaf("complex", complex, ("real", "imag"), _complex, _restore_complex),
    _leaf("bytes", bytes, ("base64",), _bytes, from_base64),
    _leaf("bytearray", bytearray, ("base64",), _bytes, _restore_bytearray),
    _leaf("uuid", uuid.UUID, ("value", "is_safe"), _uuid, _restore_uuid),
    _leaf("decimal", Decimal, ("value",), _decimal, _restore_decimal),
    Leaf("path", tuple(_PATHS.values()), ("flavour", "value"), _path, _restore_path),
)
