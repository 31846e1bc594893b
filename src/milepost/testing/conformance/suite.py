"""All laws of `Store` as one class to be subclassed, with the fixtures that they need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from milepost.testing.conformance.bypassing import BypassingLaws
from milepost.testing.conformance.documents import DocumentLaws
from milepost.testing.conformance.handles import BackDoor, Handles, Opener
from milepost.testing.conformance.journals import JournalLaws
from milepost.testing.conformance.sharing import SharingLaws
from milepost.testing.machine import check_store


class StoreConformance(DocumentLaws, JournalLaws, SharingLaws, BypassingLaws):
    """Every law of a store. Subclass it under a name that pytest collects, with a fixture ``opener``.

    The fixture returns a function without arguments that opens one more handle on the same place, which is empty at
    first, each time another for each test. Where *between_processes* is true, the function must be one that another
    process can be given: of a module, or a `functools.partial` of one.
    """

    examples = 15
    """How many ways to use it the state machine tries."""

    @pytest.fixture
    def handles(self, opener: Opener) -> Iterator[Handles]:
        """Return handles on an empty place, and close them."""
        handles = Handles(opener)
        yield handles
        handles.close()

    @pytest.fixture
    def back_door(self) -> BackDoor | None:
        """Return no back door; a subclass may have one."""
        return None

    def test_it_agrees_with_dicts(self, handles: Handles) -> None:
        """However several handles are used in turn, they answer as dicts would, and no version comes twice."""
        check_store(handles.opener, examples=self.examples, tells_overlaps=self.tells_overlaps)
