"""How a writer of a shared store holds its lease; no I/O."""

from __future__ import annotations

from typing import NamedTuple

from milepost.errors import InvalidArgument

USUAL_SECONDS = 30.0
_LEAST_SECONDS = 0.2


class Terms(NamedTuple):
    """How a writer holds its lease: it expires *seconds* after its last renewal; *take_over* takes one that has not."""

    seconds: float = USUAL_SECONDS
    take_over: bool = False

    def checked(self) -> Terms:
        """Return these terms.

        Raises:
            InvalidArgument: The time is too short to renew a lease in.
        """
        if not _LEAST_SECONDS <= self.seconds < float("inf"):
            raise InvalidArgument(f"lease_seconds {self.seconds!r}: at least {_LEAST_SECONDS} seconds are needed.")
        return self
