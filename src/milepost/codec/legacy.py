"""Reads the JSON files that the old manager wrote with the standard library, and nothing looser."""

from __future__ import annotations

import codecs
from math import isinf

from milepost.errors import NotDecodable


class _Refusal(Exception):
    """What the standard library's reader would have let pass."""


def decode_legacy(data: bytes) -> object:
    """Return the value of a JSON file as the standard library wrote it: NaN, Infinity and long integers included.

    What ``json.dumps`` writes loads as ``json.loads`` would load it, lone surrogates too. A dict with the reserved
    key is just a dict here, for the old format had no tags.

    Args:
        data: the whole file, in bytes.

    Returns:
        The value: dict, list, str, int, float, bool or None.

    Raises:
        NotDecodable: no JSON, bad UTF-8, a byte order mark, a key twice in one object, a number beyond the float
            range, an integer of more digits than Python converts, or nesting deeper than Python reads.
    """
    import json  # only the old manager's files need it

    if data.startswith(codecs.BOM_UTF8):
        raise NotDecodable("the file starts with a byte order mark, which the old manager never wrote; remove it")
    try:
        value: object = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise NotDecodable(f"the file is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise NotDecodable(f"the file is not JSON at line {error.lineno}, column {error.colno}") from None
    except _Refusal as refusal:
        raise NotDecodable(f"the file holds {refusal}") from None
    except RecursionError:
        raise NotDecodable("the file is nested deeper than can be read") from None
    except ValueError:  # the interpreter's limit on the digits of an integer
        raise NotDecodable("the file holds an integer with too many digits") from None
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise _Refusal("an object with one key twice")
    return mapping


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise _Refusal("a number beyond the range of a float")
    return number
