"""A defect: the time of the run stands in its output."""

import json
from datetime import datetime

import milepost

with milepost.Phase("words") as phase:
    for word in phase.each(["alder", "birch"]):
        phase.record(word.upper())
    result = phase.complete(lambda results: dict(results), phase.results())
made = datetime.now().isoformat(timespec="microseconds")
milepost.write_durably("out.json", json.dumps({"made": made, "words": result}).encode())
