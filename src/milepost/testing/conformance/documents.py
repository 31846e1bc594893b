"""The laws of documents: written once, replaced by who knows their version, listed, deleted."""

from __future__ import annotations

import math

from milepost.errors import VersionConflict
from milepost.stores.store import Store
from milepost.testing.conformance.handles import Handles, refused

EVERY_BYTE = bytes(range(256))
LARGE = EVERY_BYTE * 20_000  # 5 MB
KEYS = [
    ".hidden/x", "A", "B/x", "a%2Fb", "a-b", "a.b", "a/b/c", "a/bc", "a0", "aB", "a_b", "ab", "a~",
    "b%", "b%%", "b_", "bcd", "~",
]  # fmt: skip
PREFIXES = ["", "a", "a/", "a/b", "a/b/", "a%", "a_", "A", "b%", "b_", "a-", ".", "z", "a/b/c", "a/b/cd", "~"]


class DocumentLaws:
    """What a store promises about documents."""

    def test_a_document_is_read_as_it_was_written(self, handles: Handles) -> None:
        """A document is every byte of what was written, be it nothing or 5 MB."""
        for number, data in enumerate([b"", b"\0", b"\r\n\n", EVERY_BYTE, b"\xff\xfe", LARGE]):
            handles.one.create(f"data/{number}", data)
            found = handles.other.read(f"data/{number}").data
            assert type(found) is bytes, "data is not bytes"
            assert found == data, f"{len(data)} bytes were written, {len(found)} others were read"

    def test_create_never_overwrites(self, handles: Handles) -> None:
        """A key that is taken is refused, also with the same bytes, and what it holds stays."""
        version = handles.one.create("k", b"first")
        for store in (handles.one, handles.other):
            for data in (b"second", b"first"):
                with refused(FileExistsError):
                    store.create("k", data)
        assert handles.other.read("k")[:2] == (b"first", version)

    def test_a_missing_document_is_not_found(self, handles: Handles) -> None:
        """What is not there is not found, neither before it came nor after it went."""
        with refused(FileNotFoundError):
            handles.one.read("k")
        handles.one.create("k", b"")
        handles.one.delete(["k"])
        for store in (handles.one, handles.other):
            with refused(FileNotFoundError):
                store.read("k")

    def test_only_the_newest_version_can_be_replaced(self, handles: Handles) -> None:
        """A replace goes by the version that was read or returned; with any other nothing changes."""
        first = handles.one.create("k", b"1")
        assert handles.other.read("k").version == first
        second = handles.other.replace("k", b"2", first)
        assert handles.one.read("k")[:2] == (b"2", second)
        for store in (handles.one, handles.other):
            with refused(VersionConflict):
                store.replace("k", b"3", first)
        assert handles.other.read("k")[:2] == (b"2", second)

    def test_a_missing_document_cannot_be_replaced(self, handles: Handles) -> None:
        """A replace writes nothing where a document was deleted, though its version was the newest."""
        version = handles.one.create("k", b"1")
        handles.one.delete(["k"])
        with refused(VersionConflict):
            handles.one.replace("k", b"2", version)
        with refused(FileNotFoundError):
            handles.other.read("k")

    def test_a_version_never_comes_twice(self, handles: Handles) -> None:
        """A version stays void when the bytes come again that it stood for, be the document new or the same."""
        versions: list[str] = []
        for _ in range(4):
            versions.append(handles.one.create("k", b"A"))
            versions.append(handles.one.replace("k", b"B", versions[-1]))
            versions.append(handles.one.replace("k", b"A", versions[-1]))
            versions.append(handles.one.replace("k", b"A", versions[-1]))
            for version in versions[:-1]:
                with refused(VersionConflict):
                    handles.one.replace("k", b"C", version)
            handles.one.delete(["k"])
        assert len(set(versions)) == len(versions), "a version came twice"

    def test_writing_one_document_leaves_the_others(self, handles: Handles) -> None:
        """Documents change one at a time: the versions and bytes of all others stay."""
        versions = {key: handles.one.create(key, key.encode()) for key in KEYS}
        versions["a/bc"] = handles.one.replace("a/bc", b"new", versions["a/bc"])
        handles.one.delete(["ab", "a_b"])
        for key in set(KEYS) - {"ab", "a_b", "a/bc"}:
            assert handles.other.read(key)[:2] == (key.encode(), versions[key]), f"{key} changed"
        assert handles.other.read("a/bc").data == b"new"

    def test_keys_are_listed_by_prefix_in_the_order_of_code_points(self, handles: Handles) -> None:
        """A prefix is a text, be it half a name or with a sign that means something elsewhere; all keys are listed."""
        for key in reversed(KEYS):
            handles.one.create(key, b"")
        for prefix in PREFIXES:
            expected = sorted(key for key in KEYS if key.startswith(prefix))
            assert handles.other.keys(prefix) == expected, f"keys({prefix!r})"

    def test_branches_are_the_parts_behind_a_prefix(self, handles: Handles) -> None:
        """What follows a prefix up to the next slash is listed once and sorted, and keys without a slash are not."""
        for key in [*KEYS, "b/x/1", "b/x/2", "b/A/1", "b/y"]:
            handles.one.create(key, b"")
        assert handles.other.branches("") == [".hidden", "B", "a", "b"]
        assert handles.other.branches("a/") == ["b"]
        assert handles.other.branches("b/") == ["A", "x"]
        assert handles.other.branches("b/x/") == []
        assert handles.other.branches("gone/") == []

    def test_an_empty_store_lists_nothing(self, handles: Handles) -> None:
        """Where nothing was written nothing is listed."""
        assert handles.one.keys("") == []
        assert handles.one.branches("") == []

    def test_a_long_key_is_kept_apart(self, handles: Handles) -> None:
        """Keys of nearly 500 characters that differ in the last one are two, and are listed whole."""
        keys = ["/".join(["p" * 200, "a" * 16, "documents", "n" * 249 + end]) for end in "xy"]
        for key in keys:
            handles.one.create(key, key[-1:].encode())
        assert [handles.other.read(key).data for key in keys] == [b"x", b"y"]
        assert handles.other.keys("p" * 200) == keys
        handles.one.delete(keys[:1])
        assert handles.other.keys("") == keys[1:]

    def test_many_keys_are_all_listed(self, handles: Handles) -> None:
        """A list is never cut off."""
        keys = [f"many/{number % 7}/{number:04d}" for number in range(300)]
        for key in keys:
            handles.one.create(key, b"")
        assert handles.other.keys("many/") == sorted(keys)
        assert handles.other.branches("many/") == [str(number) for number in range(7)]
        handles.other.delete(keys)
        assert handles.one.keys("") == []

    def test_deleting_what_is_missing_is_no_error(self, handles: Handles) -> None:
        """A delete leaves none of the keys that it names, were they there or not, and no other changed."""
        for key in ("a", "b", "ab"):
            handles.one.create(key, b"")
        handles.one.delete([])
        handles.one.delete(["gone", "a", "a", "also/gone"])
        handles.other.delete(["a"])
        assert handles.other.keys("") == ["ab", "b"]

    def test_a_document_tells_when_it_was_written(self, handles: Handles) -> None:
        """The time of a write lies between the store's own times before and after, and reading leaves it."""
        version, before = "", 0.0
        for data in (b"1", b"2"):
            begun = handles.one.now()
            version = handles.one.replace("k", data, version) if version else handles.one.create("k", data)
            ended = handles.other.now()
            modified = handles.other.read("k").modified
            assert math.floor(begun) <= modified <= ended + 1, f"{modified} is not in {begun} … {ended}"
            assert modified >= before, "time went back"
            assert handles.one.read("k").modified == modified, "reading changed the time"
            before = modified

    def test_the_store_names_itself(self, handles: Handles) -> None:
        """A handle has all verbs, one name however often it is opened, and a window of no less than nothing."""
        assert isinstance(handles.one, Store)
        assert handles.one.url
        assert handles.one.url == handles.other.url
        assert 0 <= handles.one.window_seconds < math.inf
