"""A defect: it appends to its output outside Milepost, before the record that would tell that it did."""

import milepost

with milepost.Phase("words") as phase:
    for word in phase.each(["alder", "birch", "cedar"]):
        with open("out.txt", "a") as out:
            out.write(word.upper() + "\n")
        phase.record(None)
    phase.complete(None)
