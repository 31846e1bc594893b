"""A job without a defect that pays for each item, by a call whose intent comes first."""

import json

import milepost


def ask(word: str, *, call_id: str) -> str:
    return word.upper()


with milepost.Phase("replies") as phase:
    for word in phase.each(["alder", "birch"]):
        phase.record(phase.call(f"ask {word}", ask, word, cost_usd=0.03))
    result = phase.complete(lambda results: dict(results), phase.results())
milepost.write_durably("replies.json", json.dumps(result).encode())
