"""A job without a defect: items, a state, a result, and a file that appears whole."""

import json

import milepost

with milepost.Phase("words") as phase:
    for word in phase.each(["alder", "birch", "cedar"]):
        phase.record({"word": word, "letters": sorted(set(word))})
        phase.state["last"] = word
        phase.save()
    result = phase.complete(lambda results: dict(results), phase.results())
milepost.write_durably("out/words.json", json.dumps(result).encode())
