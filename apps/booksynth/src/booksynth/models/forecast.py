"""What a run can cost at most, as far as the list that stands tells; asks nothing and opens no client."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from booksynth import synthesis
from booksynth.models.paid import paid
from booksynth.models.prices import Prices
from booksynth.models.prompts import SYNTHESIS

if TYPE_CHECKING:
    from pathlib import Path

    from booksynth.settings import Settings


def forecast(config: Settings, document: Path) -> dict[str, Any] | None:
    """Return how many requests the texts of the list in *document* can need and their highest price, as JSON data.

    Both are None where there is no list yet. What is answered already is not taken off. None where no model is asked.
    """
    if not synthesis.is_wanted(config.models):
        return None
    limits = {name: None if one is None else str(one) for name, one in config.cost_limits}
    so_far = paid(config) or {}
    found: dict[str, Any] = {"requests": None, "usd": None, "paid_usd": so_far.get("usd", "0"), "limits": limits}
    try:
        entries = json.loads(document.read_bytes())["recommendations"]
    except (FileNotFoundError, ValueError, KeyError):
        return found
    settings = config.models
    prices, words = Prices.by(settings), len((SYNTHESIS + json.dumps(synthesis.Text.model_json_schema())).encode())
    sizes = [words + len(text.encode()) for one in entries if (text := synthesis.material(one, settings).text)]
    tokens, corrections = settings.max_output_tokens, settings.max_corrections
    usd = sum((prices.with_corrections(size, tokens, corrections) for size in sizes), Decimal(0))
    return found | {"requests": len(sizes) * (corrections + 1), "usd": f"{usd:.2f}"}
