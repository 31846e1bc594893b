"""A defect: the order of a set stands in its output."""

import json

import milepost

with milepost.Phase("words") as phase:
    for word in phase.each(["alder", "birch"]):
        phase.record(word.upper())
    found = phase.complete(lambda results: sorted(set("".join(results.values()))), phase.results())
milepost.write_durably("out.json", json.dumps(list(set(found))).encode())
