"""What a difference is called."""

from __future__ import annotations

import pytest

from milepost.drill.clocks import Window
from milepost.drill.naming import Run, hash_difference, output_difference, undisturbed_difference

RUNS = (
    Run(Window(1_772_637_377, 1_772_637_378), frozenset({411})),
    Run(Window(1_772_637_400, 1_772_637_401), frozenset({522})),
)


@pytest.mark.parametrize(
    ("wanted", "found", "told"),
    [
        (b"a\nb\n", b"a\na\nb\n", "has lines twice: appended outside Milepost before its record was durable ('a')"),
        (b"a\nb\n", b"b\n", "lacks lines: recorded before the work was done, saved before it worked ('a')"),
        (b"a\nb\n", b"b\na\n", "in another order"),
        (b"a\nb\n", b"a\nc\n", "has other lines: 'c' instead of 'b'"),
        (b"alder\nbirch\n", b"alder\nbir\n", "cut short: written in place"),
        (b"[1, 2]", b"[1, 1, 2]", "has entries twice"),
        (b'{"a": [1, 2]}', b'{"a": [2]}', "lacks entries"),
        (b"at 1772637377.5", b"at 1772637400.25", "it depends on the clock"),
        (b"\xff\x00", b"\xff\x01", "differs from byte 1 on (2 bytes, now 2)"),
        (b"a", None, "is missing"),
        (None, b"a", "is left behind"),
    ],
)
def test_a_difference_is_named_for_what_it_points_to(wanted: bytes | None, found: bytes | None, told: str) -> None:
    """What an interruption did to an output is said in the words of the defect."""
    assert told in output_difference("out.txt", wanted, found, RUNS)


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (b'{"at": 1772637377.5}', b'{"at": 1772637400.25}', ": the clock"),
        (b"by 411", b"by 522", "the process id"),
        (b"by 411 at 1772637377", b"by 522 at 1772637400", "the clock and the process id"),
        (b"0b1c6a9e-30fd-4d51-a4a5-4f3a1f2f1a11", b"6cc0b2a8-4be8-4b53-9f2f-1d0a3b8c7e42", "UUID"),
        (b"a\nb\n", b"b\na\n", "the order of its lines"),
        (b"took 0.25 s", b"took 0.125 s", "how long something took"),
        (b"heads", b"tails", "randomness"),
        (b"\xff", b"\xfe", "randomness"),
        (b"a", None, "only one of them wrote it"),
    ],
)
def test_two_undisturbed_runs_are_told_apart(one: bytes | None, other: bytes | None, told: str) -> None:
    """What makes two undisturbed runs differ is named: the clock, a process id, randomness."""
    assert told in undisturbed_difference("out.txt", one, other, RUNS)


def test_the_order_of_a_set_is_told_from_a_hash() -> None:
    """Where only the hash seed differs, another order of the same bytes is a set's, and other bytes may be a hash."""
    assert hash_difference("o", b'["a","b"]', b'["b","a"]').endswith("the order of a set or dict of hashes")
    assert hash_difference("o", b"1", b"2").endswith("or a value of hash()")
