"""The laws of journals: numbered lines, appended all or none, never under a number that is taken."""

from __future__ import annotations

from milepost.errors import Fenced
from milepost.testing.conformance.handles import Handles, held, refused

JOURNAL = "run/journal-1"
EVERY_BYTE_BUT_NEWLINE = bytes(byte for byte in range(256) if byte != ord("\n"))


def lines_of(*numbers: int) -> list[bytes]:
    """Return a line for each number, which tells it."""
    return [b'{"n":%d}' % number for number in numbers]


def numbered(*numbers: int) -> list[tuple[int, bytes]]:
    """Return these lines as `held` does."""
    return list(zip(numbers, lines_of(*numbers), strict=True))


class JournalLaws:
    """What a store promises about journals. *tells_overlaps* says whether it looks at every number of a batch."""

    tells_overlaps = True

    def test_lines_come_back_in_order(self, handles: Handles) -> None:
        """What was appended is read under its numbers, in order, by every handle."""
        handles.one.append(JOURNAL, 1, lines_of(1))
        handles.other.append(JOURNAL, 2, lines_of(2, 3, 4))
        handles.one.append(JOURNAL, 5, lines_of(5))
        for store in (handles.one, handles.other):
            assert held(store, JOURNAL) == numbered(1, 2, 3, 4, 5)

    def test_a_line_is_every_byte_but_a_newline(self, handles: Handles) -> None:
        """Lines of any bytes come back as they were: empty, of 1 MB, with carriage returns and zeros."""
        lines = [b"", EVERY_BYTE_BUT_NEWLINE, b"\r", b"\0", b"", b" ", b"x" * 1_000_000, b"\xff\xfe", b"\x85\x0b\x0c"]
        handles.one.append(JOURNAL, 1, lines)
        handles.one.append(JOURNAL, len(lines) + 1, [b""])
        assert [line for _, line in held(handles.other, JOURNAL)] == [*lines, b""]

    def test_a_journal_that_is_not_there_has_no_lines(self, handles: Handles) -> None:
        """Reading and trimming where nothing was appended is no error and finds nothing."""
        assert held(handles.one, JOURNAL) == []
        handles.one.trim(JOURNAL, 5, [2])
        assert held(handles.one, JOURNAL) == []

    def test_a_taken_number_is_refused(self, handles: Handles) -> None:
        """An append under a number that is taken writes none of its lines, be they the very same or more."""
        handles.one.append(JOURNAL, 1, lines_of(1))
        handles.one.append(JOURNAL, 2, lines_of(2))
        for store in (handles.one, handles.other):
            for lines in (lines_of(20), lines_of(2), lines_of(20, 30), lines_of(2, 3, 4)):
                with refused(Fenced):
                    store.append(JOURNAL, 2, lines)
        assert held(handles.other, JOURNAL) == numbered(1, 2)

    def test_an_append_is_all_or_nothing(self, handles: Handles) -> None:
        """Where a later number of a batch is taken, or a middle one of a batch that stands, nothing is written."""
        if not self.tells_overlaps:
            return
        handles.one.append(JOURNAL, 3, lines_of(3, 4, 5))
        for first, numbers in ((1, (10, 20, 30)), (4, (40,)), (5, (50, 60)), (2, (20, 30, 40, 50, 60))):
            with refused(Fenced):
                handles.other.append(JOURNAL, first, lines_of(*numbers))
        assert held(handles.one, JOURNAL) == numbered(3, 4, 5)

    def test_a_journal_begins_with_any_number(self, handles: Handles) -> None:
        """The first line that a journal holds may have any number, and the next ones follow it."""
        handles.one.append(JOURNAL, 4_000_000_000, lines_of(4_000_000_000, 4_000_000_001))
        handles.one.append(JOURNAL, 4_000_000_002, lines_of(4_000_000_002))
        assert held(handles.other, JOURNAL) == numbered(4_000_000_000, 4_000_000_001, 4_000_000_002)

    def test_reading_begins_behind_a_number(self, handles: Handles) -> None:
        """Of a journal the lines behind a number are read, as many as are wanted, wherever batches begin."""
        numbers = tuple(range(1, 31))
        for first in range(1, 31, 6):
            handles.one.append(JOURNAL, first, lines_of(*range(first, first + 6)))
        for after in (0, 1, 5, 6, 7, 12, 29, 30, 31, 1000):
            for most in (None, 0, 1, 2, 6, 7, 13, 30, 99):
                expected = numbered(*numbers[after:][:most])
                assert held(handles.other, JOURNAL, after, most) == expected, f"lines(after={after}, most={most})"

    def test_many_lines_come_in_pieces(self, handles: Handles) -> None:
        """Some thousand lines are read whole, though not as one piece of any size."""
        for first in range(1, 5001, 1000):
            handles.one.append(JOURNAL, first, lines_of(*range(first, first + 1000)))
        assert held(handles.other, JOURNAL) == numbered(*range(1, 5001))
        assert held(handles.other, JOURNAL, 4998) == numbered(4999, 5000)

    def test_a_store_works_on_while_lines_are_read(self, handles: Handles) -> None:
        """Between two pieces of a journal that is being read the same handle may read and write."""
        for first in range(1, 3001, 1000):
            handles.one.append(JOURNAL, first, lines_of(*range(first, first + 1000)))
        seen = 0
        for number, (first, lines) in enumerate(handles.one.lines(JOURNAL)):
            assert first == seen + 1
            seen += len(lines)
            if number < 5:
                handles.one.append("another", number + 1, lines_of(number + 1))
                handles.one.create(f"between/{number}", b"")
                assert handles.one.read(f"between/{number}").data == b""
                assert next(iter(handles.one.lines(JOURNAL)))[0] == 1
        assert seen == 3000
        next(iter(handles.one.lines(JOURNAL)))  # broken off
        handles.one.append(JOURNAL, 3001, lines_of(3001))
        assert held(handles.other, JOURNAL, 2999) == numbered(3000, 3001)

    def test_journals_are_apart(self, handles: Handles) -> None:
        """Journals with names that resemble each other, and a document of the same name, share nothing."""
        names = ["j", "J", "j/1", "j-1", "j%", "j_", "jx", "j/10"]
        for number, name in enumerate(names, 1):
            handles.one.append(name, number, lines_of(number))
        handles.one.create("j", b"a document")
        for number, name in enumerate(names, 1):
            assert held(handles.other, name) == numbered(number), name
        handles.one.trim("j", 100)
        handles.one.delete(["j", "J"])
        assert held(handles.other, "j") == []
        for number, name in enumerate(names[1:], 2):
            assert held(handles.other, name) == numbered(number), name

    def test_journals_are_no_documents(self, handles: Handles) -> None:
        """A journal is neither listed among the keys nor read or deleted as a document."""
        handles.one.append("phase/area/journal-1", 1, lines_of(1))
        handles.one.create("phase/head", b"")
        assert handles.other.keys("") == ["phase/head"]
        assert handles.other.branches("") == ["phase"]
        assert handles.other.branches("phase/") == []
        with refused(FileNotFoundError):
            handles.other.read("phase/area/journal-1")
        handles.other.delete(["phase/area/journal-1"])
        assert held(handles.one, "phase/area/journal-1") == numbered(1)

    def test_trimming_forgets_lines_up_to_a_number(self, handles: Handles) -> None:
        """Lines up to a number go, those behind it stay, and appending goes on."""
        for number in range(1, 11):
            handles.one.append(JOURNAL, number, lines_of(number))
        handles.one.trim(JOURNAL, 4)
        handles.one.trim(JOURNAL, 4)
        handles.one.trim(JOURNAL, 0)
        assert held(handles.other, JOURNAL) == numbered(5, 6, 7, 8, 9, 10)
        handles.other.append(JOURNAL, 11, lines_of(11))
        assert held(handles.one, JOURNAL, 9) == numbered(10, 11)
        handles.one.trim(JOURNAL, 1_000)
        assert held(handles.other, JOURNAL) == []

    def test_trimming_keeps_what_it_is_told_to(self, handles: Handles) -> None:
        """A number to keep keeps its line and stays taken for ever, however often is trimmed."""
        for number in range(1, 9):
            handles.one.append(JOURNAL, number, lines_of(number))
        handles.one.trim(JOURNAL, 4, [2, 4, 7])
        assert held(handles.other, JOURNAL) == numbered(2, 4, 5, 6, 7, 8)
        handles.one.trim(JOURNAL, 8, [2, 7])
        assert held(handles.other, JOURNAL) == numbered(2, 7)
        for number in (2, 7):
            with refused(Fenced):
                handles.other.append(JOURNAL, number, lines_of(number))
        assert held(handles.one, JOURNAL) == numbered(2, 7)

    def test_trimming_spares_the_rest_of_a_batch(self, handles: Handles) -> None:
        """Lines behind the number stay, and those to keep, also where they were appended together with others."""
        handles.one.append(JOURNAL, 1, lines_of(1, 2, 3))
        handles.one.append(JOURNAL, 4, lines_of(4, 5, 6, 7))
        handles.one.append(JOURNAL, 8, lines_of(8, 9))
        handles.one.trim(JOURNAL, 5, [2])
        found = held(handles.other, JOURNAL)
        assert set(numbered(2, 6, 7, 8, 9)) <= set(found), "lines to keep went"
        assert set(found) <= set(numbered(*range(1, 10))), "lines changed"
        handles.one.trim(JOURNAL, 9)
        assert held(handles.other, JOURNAL) == []
