"""Files of the old manager load as the standard library wrote them, and nothing looser does."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from milepost.codec import decode_legacy
from milepost.errors import NotDecodable
from tests.unit.codec.sameness import same


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        None,
        {"a": [1, 2.5, True, None, "\u00fc"]},
        {"n": math.nan, "i": math.inf, "m": -math.inf},
        10**4000,
        {"text": "\ud800 alone"},
        {"\udfff": 1},
        {"$milepost": "tuple", "items": [1]},
        [1e308, -0.0, 5e-324],
        2**64,
    ],
    ids=str,
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_what_the_old_manager_wrote_is_loaded(value: Any, ascii_only: bool) -> None:
    """What ``json.dumps`` wrote loads as it was, special numbers and lone surrogates included."""
    text = json.dumps(value, indent=2, ensure_ascii=ascii_only)
    if ascii_only or text.encode("utf-8", "replace").decode() == text:
        assert same(decode_legacy(text.encode()), value)
    else:
        with pytest.raises(NotDecodable, match="UTF-8"):
            decode_legacy(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON at line 1, column 1"),
        (b'{"a": 1', "not JSON at line 1"),
        (b'{"a": 1}\nx', "not JSON at line 2, column 1"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        (b'{"a": {"b": 1, "b": 2}}', "one key twice"),
        (b"[1e999]", "beyond the range"),
        (b"[" * 200_000, "nested deeper"),
        (b'{"a":' * 200_000, "nested deeper"),
        (b"1" * 10_000, "too many digits"),
    ],
)
def test_what_it_never_wrote_is_refused(data: bytes, reason: str) -> None:
    """A file that the old manager cannot have written whole is refused with the reason."""
    with pytest.raises(NotDecodable, match=reason):
        decode_legacy(data)
