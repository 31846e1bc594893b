"""The crash states are those of the stated bound: no more, no fewer, each once."""

from __future__ import annotations

from itertools import combinations

import pytest

from milepost.testing import SimulatedDisk, legal_states, surviving_disks
from milepost.testing.crashes import described


def with_names(count: int) -> SimulatedDisk:
    """Return a disk with *count* pending names and nothing else pending."""
    disk = SimulatedDisk()
    root = disk.open_path("/")
    for index in range(count):
        disk.close(disk.open_file(root, str(index), "create"))
    return disk


def outcomes(disk: SimulatedDisk, limit: int | None = None) -> list[frozenset[int]]:
    """Return the sets of names that crashes leave."""
    return [frozenset(int(path[1:]) for path in left.files()) for _, left in surviving_disks(disk, limit)]


@pytest.mark.parametrize("count", range(7))
def test_few_atoms_give_all_subsets(count: int) -> None:
    """Up to six atoms, each subset is left exactly once."""
    found = outcomes(with_names(count))
    assert len(found) == len(set(found)) == 2**count


def test_many_atoms_give_the_stated_subsets() -> None:
    """Beyond six atoms: none, all, the first k, singles and pairs landed, singles and pairs lost."""
    names = frozenset(range(9))
    few = [frozenset(chosen) for size in (1, 2) for chosen in combinations(names, size)]
    expected = {frozenset(range(size)) for size in range(10)} | set(few) | {names - chosen for chosen in few}
    found = outcomes(with_names(9))
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_a_limit_takes_an_even_sample() -> None:
    """A limit keeps none and all and samples the rest, the same every time."""
    found = outcomes(with_names(9), limit=20)
    assert found == outcomes(with_names(9), limit=20)
    assert len(found) == 20
    assert found[:2] == [frozenset(), frozenset(range(9))]
    assert max(len(names) for names in found[2:]) >= 7
    assert len(outcomes(with_names(9), limit=1)) == 2


def written(offset: int, size: int, before: bytes = b"") -> SimulatedDisk:
    """Return a disk with one pending write of *size* bytes at *offset* of a durable file ``f`` of *before*."""
    disk = SimulatedDisk()
    root = disk.open_path("/")
    file = disk.open_file(root, "f", "create")
    disk.write(file, before, 0)
    disk.sync(file)
    disk.sync(root)
    disk.write(file, b"n" * size, offset)
    return disk


def left(disk: SimulatedDisk) -> list[bytes]:
    """Return what crashes leave of ``f``."""
    return [after.files()["/f"] for _, after in surviving_disks(disk)]


def test_an_overwrite_within_a_sector_is_whole() -> None:
    """A write within one sector lands or does not."""
    assert sorted(left(written(10, 100, b"o" * 512))) == sorted(
        [b"o" * 512, b"o" * 10 + b"n" * 100 + b"o" * 402],
    )


def test_an_append_may_leave_its_size_only() -> None:
    """A longer file may show zeros where the bytes did not land."""
    assert sorted(left(written(3, 2, b"ooo"))) == sorted([b"ooo", b"ooonn", b"ooo\0\0"])


def test_a_write_is_torn_at_each_sector() -> None:
    """Each sector border of a write gives its prefixes, and the write without the sector at either side."""
    o, n = b"o" * 512, b"n" * 512
    found = set(left(written(0, 1536, o * 3)))
    assert found == {o * 3, n * 3, n + o + o, n + n + o, o + n + n, n + o + n}


def test_borders_lie_in_the_file_not_in_the_write() -> None:
    """A write that starts within a sector is torn where the file's sectors meet."""
    found = set(left(written(500, 24, b"o" * 1024)))
    assert b"o" * 500 + b"n" * 12 + b"o" * 512 in found
    assert b"o" * 512 + b"n" * 12 + b"o" * 500 in found
    assert len(found) == 4


def test_an_append_is_torn_with_and_without_its_size() -> None:
    """A prefix of an append may be short, or filled up with zeros to the full size."""
    found = set(left(written(0, 600)))
    assert found == {
        b"",
        b"n" * 600,
        bytes(600),
        b"n" * 512,
        b"n" * 512 + bytes(88),
        bytes(512) + b"n" * 88,
    }


def test_a_big_write_is_torn_at_five_borders_of_a_kind() -> None:
    """Of many borders the first two, the middle and the last two are tried, of sectors and of pages."""
    size = 40 * 4096
    found = left(written(0, size, b"o" * size))
    prefixes = {data.index(b"o") for data in found if b"o" in data and data.rstrip(b"o") == b"n" * data.index(b"o")}
    middle = {160 * 512, 20 * 4096}
    assert prefixes == {0, 512, 1024, size - 1024, size - 512, 4096, 8192, size - 8192, size - 4096} | middle
    assert len(found) < 2 + 10 * 4


def test_a_tear_meets_the_others_landed_lost_and_in_order() -> None:
    """A torn write is tried with all others landed, with none, and with only the earlier ones."""
    disk = written(0, 1, b"o" * 600)
    root = disk.open_path("/")
    file = disk.open_file(root, "f", "update")
    disk.sync(file)
    disk.close(disk.open_file(root, "early", "create"))
    disk.write(file, b"t" * 600, 0)
    disk.close(disk.open_file(root, "late", "create"))
    torn = [after.files() for _, after in surviving_disks(disk) if after.files()["/f"][511:513] == b"to"]
    assert sorted(("/early" in files, "/late" in files) for files in torn) == [
        (False, False),
        (True, False),
        (True, True),
    ]


def test_equal_outcomes_are_given_once() -> None:
    """States that nobody can tell apart are not tried twice."""
    disk = written(0, 5, b"nnnnn")
    assert list(legal_states(disk)) == [next(legal_states(disk))]


def test_states_lead_to_their_disks() -> None:
    """Each state handed to `crash` gives the disk it was enumerated with, and the disk itself is not changed."""
    disk = written(0, 5000, b"ooo")
    before = disk.fingerprint()
    states = list(legal_states(disk))
    assert [disk.crash(state).fingerprint() for state in states] == [
        after.fingerprint() for _, after in surviving_disks(disk)
    ]
    assert disk.fingerprint() == before


def test_a_state_is_told_in_words() -> None:
    """What was lost or torn can be read."""
    disk = written(0, 600)
    told = [described(disk.pending, state) for state in legal_states(disk)]
    assert told[0].startswith("lost: write of 600 bytes at 0 to inode")
    assert told[1] == "nothing lost"
    assert any("but for bytes none, with its full size" in text for text in told)
    assert any(text.endswith("but for bytes 0 to 512") for text in told)
    names = described(with_names(1).pending, next(legal_states(with_names(1))))
    assert names.startswith("lost: create '0'=")
