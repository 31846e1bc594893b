"""A defect: it empties its output before it knows whether another process is at work."""

import milepost

with open("out.txt", "w") as out, milepost.Phase("words") as phase:
    for word in phase.each(["alder", "birch"]):
        phase.record(word.upper())
    for value in phase.results().values():
        out.write(f"{value}\n")
        out.flush()
    phase.complete(None)
