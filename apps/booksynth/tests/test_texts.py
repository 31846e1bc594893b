"""The laws of text keys."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booksynth import texts


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Use Caching", "use  CACHING"),
        ("Hands-On_Machine Learning", "Hands On Machine-Learning"),
        ("Book \u2013 \u201cElements\u201d, 2nd", 'Book - "Elements" 2nd'),
        ("Don\u2019t repeat", "Don't repeat"),
        ("\ufb01nd the \ufb02ow", "find the flow"),
        ("caf\u00e9", "cafe\u0301"),
        ("soft\u00adware", "software"),
        ("no\u00a0break", "no break"),
        ("STRASSE", "stra\u00dfe"),
        ("Scikit-Learn+Keras", "Scikit Learn Keras"),
        ("\uff21\uff22\uff23", "abc"),
        ("... A.", "a"),
    ],
)
def test_spellings_of_one_title(one: str, other: str) -> None:
    """Case, spaces, punctuation, quotes, ligatures and Unicode forms make no difference."""
    assert texts.key(one) == texts.key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Learn C", "Learn C++"),
        ("Learn C++", "Learn C#"),
        ("Use A", "Use B"),
        ("\u0915\u093f", "\u0915\u0940"),
        ("!!!", "???"),
        ("cafe", "caf\u00e9"),
    ],
)
def test_different_titles(one: str, other: str) -> None:
    """What tells two titles apart stays: C and C++, vowel signs, accents."""
    assert texts.key(one) != texts.key(other)


@given(st.text())
def test_key_is_stable(text: str) -> None:
    """A key is its own key, and all Unicode forms of a text share one."""
    key = texts.key(text)
    assert texts.key(key) == key
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert texts.key(unicodedata.normalize(form, text)) == key


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_printable_text_cannot_steer_a_terminal(text: str) -> None:
    """Text for the terminal has no control characters and is one line."""
    shown = texts.printable(text)
    assert shown.isprintable()
    assert texts.printable(shown) == shown
