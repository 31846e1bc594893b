"""Which sentences of a paragraph give advice, by a rule that a person can check. Pure.

- *Strong*: must, shall, do not, under no circumstances, is essential; never and always where they begin the sentence
  or stand before a verb in the imperative.
- *Plain*: should, ought to, had better, avoid, prefer, recommend, make sure, be sure, ensure, it is better, and a
  sentence that begins with a verb in the imperative (the list is below).
- None: a question, a sentence of fewer than four words, and what only looks so: "must have been", "a key that must be
  changed", "as it should", a noun that begins like a verb ("Use of locks is …", "Test is …"), "Note that …".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_WORDS = 4

_STRONG = re.compile(r"\b(?:must|shall|do not|don't|under no circumstances|(?:is|are) (?:essential|mandatory))\b")
_PLAIN = re.compile(
    r"\b(?:should|ought to|had better|avoid|prefer|recommend|recommended|advise|make sure|be sure|ensure"
    r"|it (?:is|pays) (?:better|best|wise|worth|to)|worth \w+ing)\b"
)
_SEEMING = re.compile(
    r"\b(?:must|should|shall) (?:not )?have\b|\b(?:that|which|who) (?:must|should|shall)\b|\bas (?:it|they) should\b"
    r"|\bnever mind\b|\b(?:why|how|whether) \w+ (?:should|must|shall)\b"
)
_VERBS = """
add allow analyse analyze ask assign assume attach automate avoid back batch begin bound break budget build
cache cap capture check choose clean close collect compare compute configure consider copy count cut decide
define delete deploy describe design detect disable distrust document drop enable encrypt enforce estimate
examine expect expire explain expose extract fail favor favour find fix follow give group guard guess handle hide
hold identify implement include inspect install isolate keep know label learn leave let limit link list listen
load lock log look make mark mask match measure merge minimise minimize mock monitor move name note number
order patch pin place plan prefer prepare print profile prove provide publish put quote raise rate read record
reduce refuse rehearse reject release remove rename repeat replace report reproduce require reset restrict
retry return reuse review revise rotate run save say schedule separate serve set share show sign simplify size
sort specify split spread standardise standardize start state stop store structure swap tag take teach tell
test think throw tie time touch trace track train treat trim try tune turn understand update upgrade use
validate verify version wait warn watch weigh work wrap write
"""
_VERBS_OF_NOUNS = "of is are was were has have had can may might will would could and or does"
_IMPERATIVES = frozenset(_VERBS.split())
# Behind these an opening word is a noun: "Use of …", "Tests are …", "Time is …".
_NOUN_BEFORE = frozenset(_VERBS_OF_NOUNS.split())
_OPENING = re.compile(r"^(?:then|first|instead|finally|next|also|so|but|and|please|therefore|in short)[, ]+")

_TELLING = frozenset({"note that", "note how", "back to"})
# What stands in front of a box; the sentence begins behind it.
_LABEL = re.compile(r"\A(?i:note|tip|hint|caution|warning|important|attention)[:.!]?\s+(?=[\"“‘(]?[A-Z][a-z])")

_END = re.compile(r"[.!?…]+[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9])")
_EMPHASIS = re.compile(r"\b(?:never|always) ([\w'-]+)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|viz|dr|mr|mrs|ms|prof|fig|vol|pp?|approx)|\b[A-Z])\.\s+\Z", re.IGNORECASE
)


class Strength(StrEnum):
    """How strongly a sentence advises."""

    STRONG = "strong"
    PLAIN = "plain"


@dataclass(frozen=True)
class Quote:
    """A sentence of advice, word for word, with the sentences behind it that belong to it."""

    sentence: str
    following: list[str]
    strength: Strength

    @property
    def text(self) -> str:
        """All of it, on one line."""
        return " ".join([self.sentence, *self.following])


def sentences(paragraph: str) -> list[str]:
    """Return the sentences of a text on one line; joined by spaces they are the text again."""
    found: list[str] = []
    begin = 0
    for end in _END.finditer(paragraph):
        piece = paragraph[begin : end.end()]
        if not _ABBREVIATION.search(piece):
            found.append(piece.rstrip())
            begin = end.end()
    last = paragraph[begin:].strip()
    return [*found, last] if last else found


def strength(sentence: str) -> Strength | None:
    """Return how strongly a sentence advises, or None where it gives no advice."""
    unlabelled = _LABEL.sub("", sentence)
    plain = " ".join(unlabelled.lower().replace("’", "'").split()).lstrip("\"'“‘([")
    words = re.findall(r"[\w']+", plain)
    if len(words) < LEAST_WORDS or plain.rstrip("\"'”’)]").endswith("?"):
        return None
    opened = _OPENING.sub("", plain)
    rest = _SEEMING.sub(" ", plain)
    emphasised = _EMPHASIS.findall(rest)
    if _STRONG.search(rest) or not _IMPERATIVES.isdisjoint(emphasised) or (emphasised and _EMPHASIS.match(opened)):
        return Strength.STRONG
    return Strength.PLAIN if _PLAIN.search(rest) or _is_imperative(opened) else None


def quotes(paragraph: str, following: int) -> Iterator[Quote]:
    """Yield the advice of a paragraph, each with up to *following* sentences behind it that are no advice."""
    found = [(sentence, strength(sentence)) for sentence in sentences(paragraph)]
    for place, (sentence, how) in enumerate(found):
        if how is not None:
            behind = takewhile(lambda one: one[1] is None, found[place + 1 : place + 1 + following])
            yield Quote(sentence, [text for text, _ in behind], how)


def _is_imperative(plain: str) -> bool:
    words = re.findall(r"[\w'-]+", plain)
    is_verb = len(words) > 1 and words[0] in _IMPERATIVES and words[1] not in _NOUN_BEFORE
    # "cut(1) selects …", "Tag: …" and "Note that …" tell something, and "back to basics" is a label.
    return is_verb and plain[len(words[0])] == " " and " ".join(words[:2]) not in _TELLING
