"""What may be left after a power cut, enumerated within a stated bound.

Pending atoms (see `atoms`) may land or not, each by itself; those that land do so in the order in which
they were made. For n pending atoms these choices are tried:

- n up to 6: all 2^n subsets;
- n above 6: none; all; the first k, for every k; every single one and every pair landed; every single
  one and every pair lost.

A write may also land in part. For every pending write these tears are tried, each with all other
atoms landed, with all lost, and with the earlier landed and the later lost:

- only its file size landed, if it made the file longer;
- at each border of a sector (512 bytes) and of a page (4096 bytes) of the file that lies within the
  write: only the bytes before the border, both with the size that they give and with the full size;
  all but the sector or page before the border; all but the one behind it.

Where a write crosses more than five borders of a kind, the first two, the middle one and the last two
are tried. A write within one sector is never torn. One write is torn at a time. Bytes that did not
land read as before, or as zeros behind the old end of the file. States that nobody can tell apart are
given once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from milepost.testing.atoms import Atom, CrashState, Tear, Write
from milepost.testing.content import PAGE_BYTES, SECTOR_BYTES
from milepost.testing.disk import SimulatedDisk

MOST_ATOMS_IN_FULL = 6
MOST_BORDERS_IN_FULL = 5


def legal_states(disk: SimulatedDisk, limit: int | None = None) -> Iterator[CrashState]:
    """Give the crash states of *disk* within the bound, to be handed to its `crash`; equal outcomes once.

    Args:
        disk: The disk as it is when the power goes; it is not changed.
        limit: The most choices to try: none, all, and an even sample of the rest, the same in each run.
    """
    return (state for state, _ in surviving_disks(disk, limit))


def surviving_disks(disk: SimulatedDisk, limit: int | None = None) -> Iterator[tuple[CrashState, SimulatedDisk]]:
    """Give the crash states of *disk* as `legal_states` does, each with the disk that it leaves."""
    seen: set[tuple[object, ...]] = set()
    for state in _sampled(list(dict.fromkeys(_choices(disk.pending))), limit):
        left = disk.crash(state)
        fingerprint = left.fingerprint()
        if fingerprint not in seen:
            seen.add(fingerprint)
            yield state, left


def described(atoms: Sequence[Atom], state: CrashState) -> str:
    """Say in words which of the pending *atoms* the crash *state* lost or tore."""
    lost = [str(atom) for atom in atoms if atom.number not in state.kept]
    if state.tear is not None:
        write = next(str(atom) for atom in atoms if atom.number == state.tear.number)
        pieces = ", ".join(f"{start} to {stop}" for start, stop in state.tear.pieces) or "none"
        size = ", with its full size" if state.tear.full_size else ""
        lost = [text for text in lost if text != write]
        lost.append(f"{write}, but for bytes {pieces}{size}")
    return "lost: " + "; ".join(lost) if lost else "nothing lost"


def _choices(atoms: Sequence[Atom]) -> Iterator[CrashState]:
    numbers = [atom.number for atom in atoms]
    for kept in _subsets(numbers):
        yield CrashState(frozenset(kept))
    for position, atom in enumerate(atoms):
        if not isinstance(atom, Write):
            continue
        earlier = frozenset(numbers[:position])
        others = earlier | frozenset(numbers[position + 1 :])
        for tear in _tears(atom):
            for company in (others, frozenset[int](), earlier):
                yield CrashState(company, tear)


def _subsets(numbers: list[int]) -> Iterator[Sequence[int]]:
    yield ()
    yield numbers
    if len(numbers) <= MOST_ATOMS_IN_FULL:
        for size in range(1, len(numbers)):
            yield from combinations(numbers, size)
        return
    for size in range(1, len(numbers)):
        yield numbers[:size]
    for size in (1, 2):
        for few in combinations(numbers, size):
            yield few
            yield [number for number in numbers if number not in few]


def _tears(write: Write) -> Iterator[Tear]:
    size = write.size
    yield Tear(write.number, (), full_size=True)
    for unit in (SECTOR_BYTES, PAGE_BYTES):
        for border in _borders(write, unit):
            yield Tear(write.number, ((0, border),), full_size=False)
            yield Tear(write.number, ((0, border),), full_size=True)
            yield Tear(write.number, _without(max(0, border - unit), border, size), full_size=True)
            yield Tear(write.number, _without(border, min(size, border + unit), size), full_size=True)


def _borders(write: Write, unit: int) -> Sequence[int]:
    """Return the borders within *write*, in bytes from its start."""
    borders = range(unit - write.offset % unit, write.size, unit)
    if len(borders) <= MOST_BORDERS_IN_FULL:
        return borders
    return [borders[index] for index in (0, 1, len(borders) // 2, -2, -1)]


def _without(start: int, stop: int, size: int) -> tuple[tuple[int, int], ...]:
    return tuple((low, high) for low, high in ((0, start), (stop, size)) if low < high)


def _sampled(choices: list[CrashState], limit: int | None) -> list[CrashState]:
    if limit is None or len(choices) <= limit:
        return choices
    rest = choices[2:]
    count = max(0, limit - 2)
    return choices[:2] + [rest[index * len(rest) // count] for index in range(count)]
