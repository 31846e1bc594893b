"""Text keys: what two spellings of one title have in common."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from functools import lru_cache
from typing import Any

# Without its marks a vowel sign of an Indic script would vanish and unlike words would be alike.
_WORD_CATEGORIES = "LNM"
_INVISIBLE = "Cf"
# C, C++ and C# are three things; a sign inside a word ("learn+keras") only separates.
_TRAILING_SIGN = re.compile(r"(?<=\w)[+#]+(?!\w)")


@lru_cache(maxsize=65_536)
def key(text: str) -> str:
    """Return *text* without case, ligatures, punctuation, and differences of spaces and quotes.

    All Unicode normal forms of one text have one key. A text of nothing but punctuation keeps it.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if "+" not in folded and "#" not in folded:
        # Without such signs the place of a character does not matter; this is many times faster.
        return " ".join(folded.translate(_kept_by_code()).split()) or "".join(folded.split())
    signs = {place for match in _TRAILING_SIGN.finditer(folded) for place in range(*match.span())}
    words = "".join(_kept(char, is_sign=place in signs) for place, char in enumerate(folded)).split()
    return " ".join(words) or "".join(folded.split())


def _kept(char: str, *, is_sign: bool) -> str:
    category = unicodedata.category(char)
    if is_sign or category[0] in _WORD_CATEGORIES:
        return char
    return "" if category == _INVISIBLE else " "


class _Kept(dict[int, str]):
    """What becomes of each character, found out when it is first met."""

    def __missing__(self, code: int) -> str:
        kept = self[code] = _kept(chr(code), is_sign=False)
        return kept


@lru_cache(maxsize=1)
def _kept_by_code() -> _Kept:
    # No value of the module: what was met so far would be taken for a change of the code that uses it.
    return _Kept()


def digest(value: Any) -> str:
    """Return the SHA-256 (hex) of a JSON value in one canonical writing."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def printable(text: str) -> str:
    """Return *text* in one line, with everything that could steer a terminal as an escape."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
