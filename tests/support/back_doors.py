"""Back doors: what stores keep, looked at and damaged without them."""

from __future__ import annotations

from milepost.stores.memory import MemoryStore


class MemoryDoor:
    """The dicts of a store in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    def document(self, key: str) -> bytes | None:
        found = self.store._documents.get(key)
        return None if found is None else found.data

    def put_document(self, key: str, data: bytes | None) -> None:
        found = self.store._documents.pop(key)
        if data is not None:
            self.store._documents[key] = found._replace(data=data)

    def lines(self, journal: str) -> dict[int, bytes]:
        return dict(self.store._journals.get(journal, {}))

    def put_line(self, journal: str, number: int, line: bytes | None) -> None:
        held = self.store._journals[journal]
        del held[number]
        if line is not None:
            held[number] = line
