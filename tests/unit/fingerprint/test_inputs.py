"""Inputs and items count by content, folders by all that lies in them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import xxhash

from milepost import codec
from milepost.errors import InvalidArgument, NotEncodable
from milepost.fingerprint import FileDigests, differences, input_parts, item_digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with files, folders and a link."""
    made = tmp_path / "books"
    (made / "sub/deep").mkdir(parents=True)
    (made / "empty").mkdir()
    (made / "a.txt").write_text("a", encoding="utf-8")
    (made / "sub/deep/b.txt").write_text("b", encoding="utf-8")
    (made / "link").symlink_to("a.txt")
    return made


def of(item: Any) -> str:
    return item_digest(item, FileDigests())


def test_an_item_that_is_a_path_counts_by_content(tmp_path: Path) -> None:
    """A path stands for its bytes, wherever it lies and whenever it was written."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"abc")
    other.write_bytes(b"abc")
    os.utime(other, (5, 5))
    assert of(one) == of(other) == xxhash.xxh3_128_hexdigest(b"abc")


@pytest.mark.parametrize("item", ["text", 5, {"a": (1, 2)}, None, ["books", b"x"]])
def test_an_item_that_is_a_value_counts_by_its_encoding(item: Any) -> None:
    """Any other item stands for its encoding."""
    assert of(item) == xxhash.xxh3_128_hexdigest(codec.encode(item))


def test_an_item_without_an_encoding_is_refused() -> None:
    """An item that cannot be encoded is an error, with the path of the part."""
    with pytest.raises(NotEncodable, match=r"item\[1\]"):
        of([1, object()])


def test_a_missing_item_is_named(tmp_path: Path) -> None:
    """A path that is not there is an error that names it."""
    with pytest.raises(InvalidArgument, match=r"gone\.txt: there is no such file"):
        of(tmp_path / "gone.txt")
    with pytest.raises(InvalidArgument, match=r"gone\.txt"):
        input_parts([tmp_path / "gone.txt"], FileDigests())


def test_a_copy_of_a_folder_is_the_same(folder: Path, tmp_path: Path) -> None:
    """A folder counts by names and contents, in no order, and not by where it lies."""
    copy = Path(shutil.copytree(folder, tmp_path / "elsewhere", symlinks=True))
    assert of(copy) == of(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a.txt").write_text("b"),
        lambda folder: (folder / "sub/deep/b.txt").write_text("c"),
        lambda folder: (folder / "a.txt").rename(folder / "c.txt"),
        lambda folder: (folder / "a.txt").rename(folder / "sub/a.txt"),
        lambda folder: (folder / "new.txt").write_text(""),
        lambda folder: (folder / "a.txt").unlink(),
        lambda folder: (folder / "empty").rmdir(),
        lambda folder: (folder / "more").mkdir(),
        lambda folder: ((folder / "link").unlink(), (folder / "link").symlink_to("sub")),
        lambda folder: ((folder / "link").unlink(), (folder / "link").write_text("a")),
    ],
)
def test_any_change_in_a_folder_counts(folder: Path, change: Any) -> None:
    """A changed, new, gone, renamed or replaced entry changes the digest of the folder."""
    before = of(folder)
    change(folder)
    assert of(folder) != before


def test_links_are_not_followed_out(folder: Path, tmp_path: Path) -> None:
    """A link in a folder counts by where it points: what lies there does not, and no circle is gone around."""
    outside = tmp_path / "outside.txt"
    outside.write_text("one", encoding="utf-8")
    (folder / "out").symlink_to(outside)
    (folder / "up").symlink_to("..")
    before = of(folder)
    outside.write_text("two", encoding="utf-8")
    assert of(folder) == before


def test_a_pipe_in_a_folder_is_not_opened(folder: Path) -> None:
    """A named pipe counts by name, and nobody waits for a writer."""
    before = of(folder)
    os.mkfifo(folder / "pipe")
    assert of(folder) != before


def test_inputs_are_named_as_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts of inputs are called by their paths as given, and a folder tells how many files it holds."""
    monkeypatch.chdir(folder.parent)
    old = input_parts(["books", Path("books/a.txt")], FileDigests())
    assert list(old) == ["books", "books/a.txt"]
    assert old["books"].endswith("(2 files)")
    (folder / "c.txt").write_text("c", encoding="utf-8")
    [change] = differences("input", old, input_parts(["books", Path("books/a.txt")], FileDigests()))
    assert (change.kind, change.name) == ("input", "books")
    assert change.new.endswith("(3 files)")


@pytest.mark.parametrize("paths", ["taxonomy.json", Path("taxonomy.json")])
def test_a_single_path_is_refused(paths: Any) -> None:
    """A single path in place of a list is an error, and not taken letter by letter."""
    with pytest.raises(InvalidArgument, match="list of paths"):
        input_parts(paths, FileDigests())
