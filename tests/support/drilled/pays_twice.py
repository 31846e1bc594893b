"""A defect: what it asks depends on the process, so that an attempt does not know what the one before has paid."""

import json
import os

import milepost


def ask(word: str, process: int, *, call_id: str) -> str:
    return word.upper()


with milepost.Phase("replies") as phase:
    for word in phase.each(["alder", "birch"]):
        phase.record(phase.call(f"ask {word}", ask, word, os.getpid(), cost_usd=0.03))
    result = phase.complete(lambda results: dict(results), phase.results())
milepost.write_durably("replies.json", json.dumps(result).encode())
