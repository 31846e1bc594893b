"""JSON as it is found in the wild, read such that one bad value spoils only itself.

The reader accepts what Python's does, and leaves a mark where a value is not to be trusted:
`Refused` for numbers that JSON does not have or Python would change, `Repeated` for an object that
gives a key twice. `clean` then turns a value into plain data, or says what is wrong with it.
"""

from __future__ import annotations

import json
import math
import unicodedata
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 32
MAX_DIGITS = 300


@dataclass(frozen=True)
class Refused:
    """Stands for a number that cannot be kept as it was written."""

    reason: str


class Repeated(dict[str, Any]):
    """An object that gives a key twice; which value was meant, nobody knows."""

    repeated = ""


class FileError(Exception):
    """The file as a whole is not JSON text; *code* is stable, *reason* is for people."""

    def __init__(self, code: str, reason: str) -> None:
        """Hold *code* and *reason*."""
        super().__init__(reason)
        self.code = code
        self.reason = reason


class ValueFaultError(Exception):
    """A value is not usable; *where* is its path, *code* is stable, *reason* is for people."""

    def __init__(self, where: str, code: str, reason: str) -> None:
        """Hold *where*, *code* and *reason*."""
        super().__init__(reason)
        self.where = where
        self.code = code
        self.reason = reason


def read(data: bytes) -> Any:
    """Return what the bytes say, with marks where a value is not to be trusted.

    Raises:
        FileError: The bytes are not UTF-8, not JSON, cut off, or nested too deeply to be read.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError("not-utf8", f"not UTF-8 (byte {error.start})") from None
    if not text.strip():
        raise FileError("empty-file", "the file is empty")
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=lambda name: Refused(f"{name} is not JSON"),
            parse_int=_integer,
            parse_float=_real,
        )
    except RecursionError:
        raise FileError("too-deep", "nested too deeply") from None
    except json.JSONDecodeError as error:
        # Python words the cause differently from release to release, and results must not.
        place = f"line {error.lineno}, column {error.colno}"
        if _is_cut(text, error):
            raise FileError("truncated", f"the file is cut off ({place})") from None
        raise FileError("not-json", f"not JSON ({place})") from None


def _is_cut(text: str, error: json.JSONDecodeError) -> bool:
    return error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            marked = Repeated(pairs)
            marked.repeated = name
            return marked
        result[name] = value
    return result


def _integer(text: str) -> int | Refused:
    return int(text) if len(text) <= MAX_DIGITS else Refused("a number of too many digits")


def _real(text: str) -> float | Refused:
    number = float(text)
    return number if math.isfinite(number) else Refused("a number out of range")


def clean(value: Any, where: str, depth: int = 0) -> Any:
    """Return *value* as plain data, its texts in Unicode's composed form (NFC).

    Raises:
        ValueFaultError: Something in it is not usable; the fault names the path.
    """
    if isinstance(value, str):
        return text(value, where)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Refused):
        raise ValueFaultError(where, "bad-number", value.reason)
    if depth >= MAX_DEPTH:
        raise ValueFaultError(where, "too-deep", f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, list):
        return [clean(item, f"{where}[{n}]", depth + 1) for n, item in enumerate(value)]
    return _clean_object(value, where, depth)


def _clean_object(value: dict[str, Any], where: str, depth: int) -> dict[str, Any]:
    refuse_repeated(value, where)
    result: dict[str, Any] = {}
    for name, item in value.items():
        composed = text(name, where)
        if composed in result:
            raise ValueFaultError(where, "repeated-key", f"the key {composed!a} is given twice")
        result[composed] = clean(item, f"{where}.{composed}", depth + 1)
    return result


def refuse_repeated(value: Any, where: str) -> None:
    """Do nothing for an honest object.

    Raises:
        ValueFaultError: The object gives a key twice.
    """
    if isinstance(value, Repeated):
        raise ValueFaultError(where, "repeated-key", f"the key {value.repeated!a} is given twice")


def text(value: str, where: str) -> str:
    """Return *value* in Unicode's composed form.

    Raises:
        ValueFaultError: It holds half of a surrogate pair, which no file can hold.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueFaultError(where, "bad-text", "half of a surrogate pair") from None
    return unicodedata.normalize("NFC", value)
