"""The store in memory, put through the suites that any store can be put through."""

from __future__ import annotations

import pytest

from milepost.stores.memory import MemoryStore
from milepost.testing.conformance import BackDoor, Opener, RunConformance, StoreConformance
from tests.support.back_doors import MemoryDoor


class TestMemory(StoreConformance, RunConformance):
    between_processes = False

    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    @pytest.fixture
    def opener(self, store: MemoryStore) -> Opener:
        return lambda: store

    @pytest.fixture
    def back_door(self, store: MemoryStore) -> BackDoor:
        return MemoryDoor(store)
