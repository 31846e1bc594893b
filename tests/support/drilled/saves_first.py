"""A defect: it records an item as done, and does the work afterwards."""

import milepost

with milepost.Phase("words") as phase:
    for word in phase.each(["alder", "birch", "cedar"]):
        phase.record(None)
        with open("out.txt", "a") as out:
            out.write(word.upper() + "\n")
    phase.complete(None)
