"""The index of a journal: however its records come, one by one or in chunks of any size, it says the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.records import CHAIN_BYTES, Kind, Position, Record, decode_line, encode_line, start_of
from milepost.run.index import CALLS, STEPS, Group, Index, short

KEYS = st.sampled_from(["a", "b", "é", 'x,"value":1', "sealed", '"kind":"done"'])
GROUPS = st.sampled_from([None, "loop:two", STEPS, CALLS])
DIGESTS = st.sampled_from([None, "0" * 32, "f" * 32, "0" * 31 + "1"])
VALUES = st.sampled_from([None, b"1", b'{"value":[1,2]}', b'",\\"value\\":"'])

done = st.builds(
    lambda key, group, given, code, value: Record(Kind.DONE, 1.5, 1, key, 0.1, given, value, group, code),
    KEYS, GROUPS, DIGESTS, DIGESTS, VALUES,
)  # fmt: skip
fresh = st.integers(0, 8).map(lambda n: Record(Kind.DONE, 1.5, 1, f"n{n}", 0.1, None, b"1", None, None))
failed = st.builds(
    lambda key, group: Record(Kind.FAILED, 1.5, 1, key, 0.1, None, b"{}", group, None),
    st.one_of(KEYS, st.integers(0, 8).map("n{}".format)),
    GROUPS,
)
others = st.one_of(
    st.builds(lambda value: Record(Kind.OPENED, 1.5, 2, value=value), VALUES),
    st.builds(lambda: Record(Kind.STATE, 1.5, 1, value=b"{}")),
    st.builds(lambda key: Record(Kind.INTENT, 1.5, 1, key, group=CALLS, value=b"{}"), KEYS),
    st.builds(lambda code: Record(Kind.CODE, 1.5, 1, code or "c", value=b"{}"), DIGESTS),
    st.builds(lambda: Record(Kind.COMPLETED, 1.5, 1, value=b"1")),
)
runs_of_done = st.lists(
    fresh, min_size=1, max_size=6, unique_by=lambda one: one.key
)  # long stretches of one loop are what the bulk path takes
records = st.lists(
    st.one_of(runs_of_done, st.lists(st.one_of(done, failed, others), max_size=3)), max_size=8
).map(lambda pieces: [one for piece in pieces for one in piece])  # fmt: skip


def content(group: Group) -> dict[str, Any]:
    """Return what a group says of each of its keys, and in which order it met those that are done."""
    known = list(group.done_keys())
    return {
        "done": [(key, group.sequence(key), group.inputs[group.ordinals[key]], group.code(key)) for key in known],
        "count": group.done,
        "failed": dict(group.failed),
        "made by": group.made_by(),
        "keys": group.keys,
        "ordinals": group.ordinals,
    }


def everything(index: Index) -> dict[str, Any]:
    """Return all that an index says."""
    return {
        "groups": {name: content(group) for name, group in index.groups.items() if group.keys or group.failed},
        "states": list(index.states),
        "intents": index.intents,
        "codes": index.codes,
        "opened": index.opened,
        "described": index.described,
        "completed": index.completed,
        "attempt": index.attempt,
        "empty": index.is_empty,
    }


def lines_of(written: list[Record]) -> list[bytes]:
    """Return the journal lines of *written*, without their newlines."""
    position, lines = start_of("r"), []
    for record in written:
        line, position = encode_line(record, position)
        lines.append(line[:-1])
    return lines


@settings(max_examples=400)
@given(written=records, data=st.data())
def test_chunks_of_any_size_say_what_single_records_say(written: list[Record], data: st.DataObject) -> None:
    """Any sequence of records, cut into chunks anywhere, is indexed as if each had been noted by itself."""
    lines = lines_of(written)
    one_by_one, in_chunks = Index(), Index()
    for sequence, record in enumerate(written, 1):
        one_by_one.note(sequence, record)
    place = 0
    while place < len(lines):
        size = min(data.draw(st.integers(1, 6)), len(lines) - place)
        in_chunks.see(place + 1, lines[place : place + size])
        place += size
    assert everything(in_chunks) == everything(one_by_one)


@settings(max_examples=200)
@given(written=records, data=st.data())
def test_an_index_that_goes_on_says_what_a_new_one_says(written: list[Record], data: st.DataObject) -> None:
    """What a writer noted behind what it had read is what the next reader finds."""
    lines = lines_of(written)
    border = data.draw(st.integers(0, len(lines)))
    went_on, anew = Index(), Index()
    went_on.see(1, lines[:border])
    for sequence, record in enumerate(written[border:], border + 1):
        went_on.note(sequence, record)
    anew.see(1, lines)
    assert everything(went_on) == everything(anew)


@settings(max_examples=200)
@given(written=records)
def test_an_index_agrees_with_a_dict(written: list[Record]) -> None:
    """Of each key the newest record counts: a result stands until the next one, a failure until a result."""
    expected: dict[tuple[str | None, str], int] = {}
    failures: dict[tuple[str | None, str], int] = {}
    for sequence, record in enumerate(written, 1):
        named = (record.group, record.key or "")
        if record.kind is Kind.DONE:
            expected[named] = sequence
            failures.pop(named, None)
        elif record.kind is Kind.FAILED:
            failures[named] = failures.get(named, 0) + 1
    index = Index()
    index.see(1, lines_of(written))
    assert {
        (name or None, key): group.sequence(key) for name, group in index.groups.items() for key in group.done_keys()
    } == expected
    assert {
        (name or None, key): failure.in_a_row
        for name, group in index.groups.items()
        for key, failure in group.failed.items()
    } == failures


@given(record=done)
def test_the_head_of_a_line_says_what_the_line_says(record: Record) -> None:
    """Indexing never looks at a value, and whatever stands in a key or a value cannot mislead it."""
    line = lines_of([record])[0]
    index = Index()
    index.see(1, [line])
    assert decode_line(line) == record
    assert len(line) > CHAIN_BYTES
    assert record.key is not None
    group = index.group(record.group)
    assert group.sequence(record.key) == 1
    assert group.inputs[0] == short(record.input)
    assert group.code(record.key) == record.code
    assert index.attempt == record.attempt


def test_a_failure_in_an_earlier_chunk_is_over_once_the_item_is_done() -> None:
    """An item that failed and then succeeded is done, also where its success came in a chunk of successes."""
    failure = Record(Kind.FAILED, 1.0, 1, "k", value=b"{}")
    success = Record(Kind.DONE, 2.0, 2, "k", value=b"1")
    first, position = encode_line(failure, start_of("r"))
    second, end = encode_line(success, position)
    index = Index()
    index.see(1, [first[:-1]])
    index.see(2, [second[:-1]])
    assert index.group(None).failed == {}
    assert index.group(None).sequence("k") == end.sequence
    assert end == Position(2, end.chain)
