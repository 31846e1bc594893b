"""Bytes in shared pages behave as plain bytes do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from milepost.testing.content import EMPTY, PAGE_BYTES, Content

PLACES = st.sampled_from([0, 1, 511, 512, 4095, 4096, 4097, 8192, 9000])
PIECES = st.builds(lambda size, seed: bytes((seed + i) % 256 for i in range(size)), PLACES, st.integers(0, 255))
EDITS = st.lists(st.one_of(st.tuples(st.just("write"), PLACES, PIECES), st.tuples(st.just("resize"), PLACES)))


def _write(content: Content, offset: int, data: bytes) -> Content:
    return content.spliced(Content.of(data, offset), offset, offset + len(data))


@given(EDITS, PLACES, PLACES)
def test_edits_agree_with_a_bytearray(edits: list[tuple], offset: int, size: int) -> None:
    """Writes, gaps, cuts and growth give the bytes that they give in a bytearray."""
    content, model = EMPTY, bytearray()
    for edit in edits:
        if edit[0] == "resize":
            content = content.resized(edit[1])
            model = model[: edit[1]].ljust(edit[1], b"\0")
        elif edit[2]:
            content = _write(content, edit[1], edit[2])
            model = model.ljust(edit[1], b"\0")
            model[edit[1] : edit[1] + len(edit[2])] = edit[2]
    assert content.read() == bytes(model)
    assert content.size == len(model)
    assert content.read(offset, size) == bytes(model[offset : offset + size])
    same = _write(EMPTY, 0, bytes(model))
    assert content == same
    assert hash(content) == hash(same)


@given(PIECES, PIECES, PLACES, PLACES)
def test_a_splice_takes_only_its_range(data: bytes, other: bytes, start: int, stop: int) -> None:
    """A splice changes the bytes of its range and no others, whatever else the source holds."""
    stop = min(stop, len(other))
    model = bytearray(data)
    if start < stop:
        model = model.ljust(start, b"\0")
        model[start:stop] = other[start:stop]
    assert Content.of(data).spliced(Content.of(other), start, stop).read() == bytes(model)


def test_a_change_leaves_the_old_content_alone() -> None:
    """Content never changes, so that a copy of a disk may share it."""
    before = Content.of(b"a" * 5000)
    after = _write(before, 10, b"b")
    assert before.read() == b"a" * 5000
    assert after.read(9, 3) == b"aba"
    assert after != before


def test_a_hole_takes_no_space_and_written_zeros_do() -> None:
    """Space is counted in written pages: a gap is free, zeros are not."""
    grown = EMPTY.resized(10 * PAGE_BYTES)
    assert grown.blocks == 0
    zeros = _write(grown, 0, grown.read(0, PAGE_BYTES))
    assert zeros.blocks == 1
    assert zeros == grown


def test_fitting_counts_only_new_pages() -> None:
    """Overwriting fits always; a new page fits while one is free; a partial fit ends at a page."""
    content = Content.of(b"a" * 100)
    assert content.fitting(0, PAGE_BYTES, 0) == PAGE_BYTES
    assert content.fitting(50, PAGE_BYTES, 0) == PAGE_BYTES - 50
    assert content.fitting(PAGE_BYTES, 1, 0) == 0
    assert content.fitting(50, 3 * PAGE_BYTES, 1) == 2 * PAGE_BYTES - 50


def test_one_page_can_be_taken_from_elsewhere() -> None:
    """A page taken from another content ends at this one's size, and is zeros where the other has none."""
    shown = Content.of(b"n" * 6000)
    assert shown.with_page_of(Content.of(b"o" * 9000), 1).read() == b"n" * 4096 + b"o" * 1904
    longer = shown.with_page_of(Content.of(b"o" * 9000), 1)
    assert longer.resized(9000).read(6000) == bytes(3000)
    assert shown.resized(5000).resized(6000).read(5000) == bytes(1000)
    taken = shown.with_page_of(Content.of(b"o" * 10), 1)
    assert taken.read() == b"n" * 4096 + bytes(1904)
    assert taken.resized(9000).read(6000) == bytes(3000)
