"""What is done to a phase from outside: reading it, and accepting a change that it stopped at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost.clock import SystemClock
from milepost.errors import InvalidArgument
from milepost.run import Place
from milepost.run.place import DEFAULT, Where, location_for_job
from milepost.stores import MANIFEST, Durability

if TYPE_CHECKING:
    from milepost.codec.coding import Codec
    from milepost.phase.reader import PhaseReader


def open_phase(name: str, *, store: Where = DEFAULT, codec: Codec | None = None) -> PhaseReader:
    """Return a phase for reading, also while another process writes it.

    Args:
        name: The phase's name.
        store: The folder that holds the phases' folders, or the URL of a store.
        codec: Has the keys to read with, and refuses what is plain if it encrypts; None takes ``MILEPOST_KEY``.

    Raises:
        InvalidArgument: There is no such phase.
        ForeignRun: It is kept by a `CheckpointManager`.
        DamageError: Acknowledged records are lost or altered.
        StorageError: The medium refused.
    """
    from milepost.phase.reader import PhaseReader
    from milepost.run.reading import ReadSession

    return PhaseReader(ReadSession.opened(Place(location_for_job(store, codec=codec), name)), name)


def bless(name: str, *, store: Where = DEFAULT) -> list[str]:
    """Accept the change that the phase's last attempt stopped at, so that the next one goes on with the results.

    Only that very change is accepted: what changes after it is noticed again.

    Args:
        name: The phase's name.
        store: The folder that holds the phases' folders, or the URL of a store.

    Returns:
        What was accepted, a line for each change.

    Raises:
        InvalidArgument: There is no such phase, or its last attempt did not stop at a change.
        RunLocked: A process writes this phase.
        DamageError: Acknowledged records are lost or altered.
        StorageError: The medium refused.
    """
    from milepost.phase.changes import accept, refused
    from milepost.run.session import FolderSession

    place = Place(location_for_job(store), name)
    found = place.existing()
    if found is None:
        raise InvalidArgument(f"{place.path}: there is no such phase.")
    with found:
        if not found.has(MANIFEST):
            raise InvalidArgument(f"{place.path}: there is no run of a milepost.Phase here.")
    session = FolderSession(place, SystemClock(), Durability.POWER, allow_network_filesystem=False)
    try:
        session.recover()
        change = refused(session)
        if change is None:
            raise InvalidArgument(f"{place.path}: no change waits: the last attempt did not stop at one.")
        return accept(session, change)
    finally:
        session.close()
