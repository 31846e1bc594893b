"""Random numbers that belong to an item: the same whatever was drawn before, in whatever order or attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xxhash

if TYPE_CHECKING:
    import random

    import numpy as np


def random_of(seed: int, phase: str, name: str | None, key: str) -> random.Random:
    """Return the standard library's generator of one item.

    Args:
        seed: The phase's seed.
        phase: The phase's name.
        name: The loop's name.
        key: The item's key.
    """
    from random import Random

    return Random(_seed_of(seed, phase, name, key))  # noqa: S311 -- repeatable is what is asked for


def numpy_random_of(seed: int, phase: str, name: str | None, key: str) -> np.random.Generator:
    """Return numpy's generator (PCG64) of one item. See `random_of`.

    Raises:
        MissingExtra: numpy is not installed.
    """
    try:
        from numpy.random import PCG64, Generator
    except ImportError as error:
        from milepost.errors import MissingExtra

        raise MissingExtra("phase.numpy_random needs numpy: pip install numpy") from error
    return Generator(PCG64(_seed_of(seed, phase, name, key)))


def _seed_of(seed: int, phase: str, name: str | None, key: str) -> int:
    """Return 128 bits from seed and key, each text with its length, so that no two items share one by concatenation."""
    texts = [str(seed), phase, "" if name is None else f"loop:{name}", key]
    data = b"".join(len(text.encode()).to_bytes(8, "big") + text.encode() for text in texts)
    return xxhash.xxh3_128_intdigest(data)
