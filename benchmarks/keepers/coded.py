"""Milepost with a codec: *compress* and *is_encrypted* of the settings."""

from __future__ import annotations

import milepost
from benchmarks.keepers import ours
from benchmarks.keepers.base import Keeper


def _codec(keeper: Keeper) -> milepost.Codec | None:
    compress, is_encrypted = keeper.settings.get("compress"), keeper.settings.get("is_encrypted")
    if not (compress or is_encrypted):
        return None
    ring = milepost.keys.from_callable(lambda _: bytes(range(32)), ["bench"]) if is_encrypted else None
    return milepost.Codec(compress=compress, encrypt=ring)


class Phase(ours.Phase):
    """A phase in a folder."""

    def codec(self) -> milepost.Codec | None:
        """Return the codec of the settings."""
        return _codec(self)


class Forced(ours.Forced):
    """The manager, saving by force."""

    def codec(self) -> milepost.Codec | None:
        """Return the codec of the settings."""
        return _codec(self)
