"""Opens ledger and client as the settings say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import milepost
from booksynth.models.ledger import NAME, Ledger, bill
from milepost.errors import MissingExtra

if TYPE_CHECKING:
    from booksynth.models.client import Client
    from booksynth.settings import Settings


@contextmanager
def client(config: Settings) -> Iterator[Client]:
    """Open the client that *config* asks for, over the ledger that is kept beside the phases.

    Raises:
        MissingExtra: booksynth[models] is not installed.
        NotAllowedError: There is no key.
        RunLocked: Another process uses the ledger.
    """
    from booksynth.phases import store

    try:
        from booksynth.models.client import Client
    except ModuleNotFoundError as error:
        message = f"models.model={config.models.model} needs {error.name}: install booksynth[models]"
        raise MissingExtra(message) from error
    # What a call is known by is all that it was asked, so no change makes an answer stale.
    with (
        milepost.Phase(NAME, store=store(config), on_change="keep") as phase,
        Client(config.models, Ledger(phase, config.cost_limits)) as opened,
    ):
        yield opened
        phase.complete(bill(phase.state["calls"]))  # so that `milepost status` does not call it unfinished
