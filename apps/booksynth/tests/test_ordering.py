"""The laws of the order that the plans can be carried out in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from booksynth.ordering import needs, order

NAMES = "abcdefgh"
GRAPHS = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=3)).map(
    lambda graph: {name: [one for one in graph.get(name, []) if one != name] for name in NAMES}
)


def reached(needed: Mapping[str, list[str]], start: str) -> set[str]:
    """Return all that *start* needs, directly or not."""
    found: set[str] = set()
    todo = list(needed[start])
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += needed[one]
    return found


@given(GRAPHS)
def test_what_is_needed_comes_first(needed: dict[str, list[str]]) -> None:
    """Each id stands once, behind all that it needs, and with exactly those that need each other."""
    groups = order(needed)
    assert sorted(id_ for group in groups for id_ in group.ids) == sorted(needed)
    place = {id_: number for number, group in enumerate(groups) for id_ in group.ids}
    closure = {id_: reached(needed, id_) for id_ in needed}
    for id_, ids in closure.items():
        for one in ids:
            is_mutual = id_ in closure[one]
            assert place[one] == place[id_] if is_mutual else place[one] < place[id_]
    for group in groups:
        assert all(other in closure[one] for one in group.ids for other in group.ids if one != other)


@given(GRAPHS)
def test_the_order_of_needs_has_no_part(needed: dict[str, list[str]]) -> None:
    """The order depends on the ranks and on who needs whom, not on how the needs are listed."""
    mixed = {name: sorted(ids, reverse=True) for name, ids in needed.items()}
    assert order(mixed) == order(needed)


def test_what_the_best_needs_is_pulled_up() -> None:
    """What a well ranked one needs comes directly before it, ahead of what ranks between them."""
    groups = order({"best": ["far"], "second": [], "third": [], "far": ["further"], "further": []})
    assert [group.ids for group in groups] == [("further",), ("far",), ("best",), ("second",), ("third",)]


def test_cycles_are_groups_by_rank() -> None:
    """Those that need each other are one group, by rank; what the cycle needs comes before it."""
    groups = order({"a": ["c"], "b": ["a"], "c": ["b", "d"], "d": []})
    assert [(group.ids, group.is_cycle) for group in groups] == [(("d",), False), (("a", "b", "c"), True)]


def test_needs_are_those_with_a_plan() -> None:
    """A need that names nothing, itself, or what has no plan is none; one named twice counts once."""
    entries: list[dict[str, Any]] = [
        {"id": "a", "dependencies": [{"id": one} for one in ("b", None, "a", "gone", "b")]},
        {"id": "b", "dependencies": []},
    ]
    assert needs(entries) == {"a": ["b"], "b": []}
