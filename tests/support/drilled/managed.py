"""A job without a defect that saves its state through a `CheckpointManager`."""

import json
from typing import Any

import milepost

with milepost.CheckpointManager("sums", save_interval_seconds=300) as manager:
    latest = manager.get_latest_checkpoint()
    state: dict[str, Any] = latest["state"] if latest else {"next": 1, "sums": []}
    while state["next"] <= 4:
        state["sums"].append(state["next"] ** 2 + sum(state["sums"]))
        state["next"] += 1
        manager.save_checkpoint(state["next"], state, force=state["next"] == 3)
    milepost.write_durably("sums.json", json.dumps(state["sums"]).encode())
