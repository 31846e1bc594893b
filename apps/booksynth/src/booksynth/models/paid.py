"""What the paid calls of a folder came to, read from outside; loads no client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import milepost
from booksynth.models.ledger import NAME, bill
from milepost.errors import InvalidArgument

if TYPE_CHECKING:
    from booksynth.settings import Settings


def paid(config: Settings) -> dict[str, Any] | None:
    """Return the bill so far; None where no model is set, and nothing was paid."""
    from booksynth.phases import store

    try:
        with milepost.open(NAME, store=store(config)) as reader:
            return bill(reader.state.get("calls", {}))
    except InvalidArgument:
        return None if config.models.model is None else bill({})
