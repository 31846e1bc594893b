"""Content decides; what is remembered of a large file is believed only beyond doubt."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import pytest
import xxhash

from milepost.clock import SystemClock
from milepost.errors import InvalidArgument, StoreUnavailable
from milepost.fingerprint import FileDigests
from milepost.fingerprint.filedigests import CACHED_FROM_BYTES
from milepost.records import seal, unseal

LARGE = b"x" * (CACHED_FROM_BYTES + 1)
OLD_SECONDS = 1_000_000_000

Reaction = Callable[[str], object]

_reaction: ContextVar[Reaction | None] = ContextVar("_reaction", default=None)


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    reaction = _reaction.get()
    if event == "open" and reaction is not None and isinstance(flags := arguments[2], int) and not flags & os.O_ACCMODE:
        _reaction.set(None)
        reaction(str(arguments[0]))
        _reaction.set(reaction)


sys.addaudithook(_watch)  # for good: a hook cannot be taken away


@contextmanager
def whenever_opened(reaction: Reaction) -> Iterator[None]:
    """Call *reaction* with the name of each file just before it is opened for reading."""
    token = _reaction.set(reaction)
    yield
    _reaction.reset(token)


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """List the files that are opened for reading."""
    names: list[str] = []
    with whenever_opened(names.append):
        yield names


class Later(SystemClock):
    """A clock that is ahead: to it, every file was changed long ago."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now(self) -> float:
        return super().now() + self.seconds


def large(tmp_path: Path, data: bytes = LARGE) -> Path:
    file = tmp_path / "large.bin"
    file.write_bytes(data)
    return file


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    """The digest of a file is the xxh3-128 of its bytes, of however many blocks."""
    for size in (0, 1, CACHED_FROM_BYTES, 3 * 1024 * 1024 + 7):
        data = os.urandom(size)
        assert FileDigests().of(large(tmp_path, data)) == xxhash.xxh3_128_hexdigest(data)


def test_an_unchanged_large_file_is_read_once(tmp_path: Path, opened: list[str]) -> None:
    """A large file that has not changed is not opened again, by this process or by the next."""
    file = large(tmp_path)
    digests = FileDigests(clock=Later(10))
    first = digests.of(file)
    assert opened == [str(file)]
    assert digests.of(str(file)) == first
    assert FileDigests(digests.dump(), clock=Later(20)).of(file) == first
    assert opened == [str(file)]


def test_a_small_file_is_read_each_time(tmp_path: Path, opened: list[str]) -> None:
    """A small file is not remembered at all."""
    file = large(tmp_path, b"x" * (CACHED_FROM_BYTES - 1))
    digests = FileDigests(clock=Later(10))
    assert digests.of(file) == digests.of(file)
    assert opened == [str(file)] * 2
    assert b"large" not in digests.dump()


@pytest.mark.parametrize("ahead_seconds", [-5, 0, 1.5])
def test_a_file_changed_just_now_is_in_doubt(tmp_path: Path, opened: list[str], ahead_seconds: float) -> None:
    """A file changed within two seconds of being read, or after, is read again."""
    file = large(tmp_path)
    digests = FileDigests(clock=Later(ahead_seconds))
    assert digests.of(file) == digests.of(file)
    assert opened == [str(file)] * 2


def test_a_change_within_the_same_tick_is_noticed(tmp_path: Path) -> None:
    """A file rewritten with the same size and the same time of change has another digest."""
    file = large(tmp_path)
    os.utime(file, ns=(OLD_SECONDS * 10**9, OLD_SECONDS * 10**9))
    digests = FileDigests(clock=Later(10))
    first = digests.of(file)
    file.write_bytes(b"y" * len(LARGE))
    os.utime(file, ns=(OLD_SECONDS * 10**9, OLD_SECONDS * 10**9))
    assert digests.of(file) != first


def test_another_file_of_the_same_look_is_read(tmp_path: Path) -> None:
    """A file put in the place of another, with its size and time, is read."""
    file = large(tmp_path)
    other = tmp_path / "other"
    other.write_bytes(b"y" * len(LARGE))
    for one in (file, other):
        os.utime(one, ns=(OLD_SECONDS * 10**9, OLD_SECONDS * 10**9))
    digests = FileDigests(clock=Later(10))
    first = digests.of(file)
    other.replace(file)
    assert digests.of(file) != first


def test_a_link_turned_elsewhere_is_followed(tmp_path: Path) -> None:
    """A link counts by what it leads to now."""
    one, other, link = large(tmp_path), tmp_path / "other", tmp_path / "link"
    other.write_bytes(b"y" * len(LARGE))
    digests = FileDigests(clock=Later(10))
    link.symlink_to(one)
    assert digests.of(link) == digests.of(one)
    link.unlink()
    link.symlink_to(other)
    assert digests.of(link) == digests.of(other) != digests.of(one)


@pytest.mark.parametrize("cached", [b"", b"{}", b"not json", seal({"format": 2, "files": {}}), seal({"a": 1}), seal({"format": 1, "files": {"/x": [1]}}), seal({"format": 1, "files": 5}), seal({"format": 1, "files": {"/x": "abcdefg"}})])  # fmt: skip
def test_an_unintelligible_cache_is_empty(tmp_path: Path, cached: bytes) -> None:
    """Whatever is not an intact dump is an empty cache, and no error."""
    assert FileDigests(cached).of(large(tmp_path)) == xxhash.xxh3_128_hexdigest(LARGE)


def test_a_torn_dump_is_empty(tmp_path: Path, opened: list[str]) -> None:
    """A dump with one byte changed is not believed in any part."""
    file = large(tmp_path)
    digests = FileDigests(clock=Later(10))
    digests.of(file)
    dumped = digests.dump()
    position = dumped.index(digests.of(file).encode())
    FileDigests(dumped[:position] + b"0123" + dumped[position + 4 :], clock=Later(20)).of(file)
    assert opened == [str(file)] * 2


def test_a_dump_is_bounded_and_forgets(tmp_path: Path) -> None:
    """A dump holds only files asked for in this run, and at most so many, the latest."""
    files = [tmp_path / f"{n}.bin" for n in range(5)]
    for file in files:
        file.write_bytes(LARGE)
    digests = FileDigests(clock=Later(10), most_entries=3)
    for file in files:
        digests.of(file)
    digests.of(files[0])
    fields = unseal(digests.dump())
    assert fields is not None
    assert [Path(name).name for name in fields["files"]] == ["3.bin", "4.bin", "0.bin"]
    again = FileDigests(digests.dump(), clock=Later(20))
    again.of(files[4])
    fields = unseal(again.dump())
    assert fields is not None
    assert [Path(name).name for name in fields["files"]] == ["4.bin"]


def test_a_file_that_keeps_changing_is_an_error(tmp_path: Path) -> None:
    """A file that changes each time it is read is named, and no digest of a mixture is given."""
    file = large(tmp_path)
    moments = itertools.count(OLD_SECONDS)
    with (
        whenever_opened(lambda name: os.utime(name, (5, next(moments)))),
        pytest.raises(StoreUnavailable, match=r"large\.bin: it changed each of the 4 times"),
    ):
        FileDigests().of(file)
    assert next(moments) == OLD_SECONDS + 4


def test_a_file_changed_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    """A file that changed once while it was read has the digest of what it is now."""
    file = large(tmp_path)
    versions = iter([b"z" * 70_000])
    with whenever_opened(lambda _: [file.write_bytes(data) for data in versions]):
        assert FileDigests().of(file) == xxhash.xxh3_128_hexdigest(b"z" * 70_000)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Missing files, folders, pipes and impossible names are errors that name the path, and nobody waits."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "circle").symlink_to("circle")
    for name, reason in {"gone": "no such file", "pipe": "a device, pipe or socket", ".": "a folder", "file/x": "no such file", "nul\0": "cannot be read"}.items():  # fmt: skip
        with pytest.raises(InvalidArgument, match=reason):
            FileDigests().of(tmp_path / name)
    with pytest.raises(StoreUnavailable, match="circle: it cannot be read"):
        FileDigests().of(tmp_path / "circle")


def test_a_name_that_is_no_text_is_read(tmp_path: Path) -> None:
    """A file whose name is not UTF-8 has a digest, and does not spoil the dump."""
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.bin"))
    file.write_bytes(LARGE)
    digests = FileDigests(clock=Later(10))
    assert digests.of(file) == xxhash.xxh3_128_hexdigest(LARGE)
    assert unseal(digests.dump()) == {"format": 1, "files": {}}
