"""The laws of the back door: what a store says it wrote is really there, and nothing that is there is made up."""

from __future__ import annotations

from milepost.testing.conformance.documents import EVERY_BYTE
from milepost.testing.conformance.handles import BackDoor, Handles, held
from milepost.testing.conformance.journals import EVERY_BYTE_BUT_NEWLINE, JOURNAL, lines_of


class BypassingLaws:
    """What is found where the store is bypassed; without a back door these laws say nothing."""

    def test_a_written_document_is_really_there(self, handles: Handles, back_door: BackDoor | None) -> None:
        """Once a document was created, replaced or deleted, the back door finds exactly that."""
        if back_door is None:
            return
        assert back_door.document("a/k%20") is None
        version = handles.one.create("a/k%20", EVERY_BYTE)
        assert back_door.document("a/k%20") == EVERY_BYTE
        handles.one.replace("a/k%20", b"", version)
        assert back_door.document("a/k%20") == b""
        handles.one.delete(["a/k%20"])
        assert back_door.document("a/k%20") is None

    def test_an_appended_line_is_really_there(self, handles: Handles, back_door: BackDoor | None) -> None:
        """Once lines were appended or trimmed, the back door finds exactly those that are to be there."""
        if back_door is None:
            return
        assert back_door.lines(JOURNAL) == {}
        handles.one.append(JOURNAL, 1, lines_of(1))
        handles.one.append(JOURNAL, 2, [b"", EVERY_BYTE_BUT_NEWLINE])
        handles.one.append(JOURNAL, 4, lines_of(4))
        assert back_door.lines(JOURNAL) == {1: lines_of(1)[0], 2: b"", 3: EVERY_BYTE_BUT_NEWLINE, 4: lines_of(4)[0]}
        handles.one.trim(JOURNAL, 3, [1])
        assert back_door.lines(JOURNAL) == {1: lines_of(1)[0], 4: lines_of(4)[0]}

    def test_a_store_reads_what_is_there(self, handles: Handles, back_door: BackDoor | None) -> None:
        """What the back door changed is what a store reads next, or it says that it is damaged; never what was."""
        if back_door is None:
            return
        handles.one.create("k", b"mine")
        handles.one.append(JOURNAL, 1, lines_of(1))
        handles.one.append(JOURNAL, 2, lines_of(2))
        assert handles.one.read("k").data == b"mine"
        assert len(held(handles.one, JOURNAL)) == 2
        back_door.put_document("k", b"theirs")
        back_door.put_line(JOURNAL, 1, b"theirs")
        back_door.put_line(JOURNAL, 2, None)
        for store in (handles.one, handles.other):
            assert store.read("k").data == b"theirs"
            assert held(store, JOURNAL) == [(1, b"theirs")]
        back_door.put_document("k", None)
        assert handles.one.keys("") == []
