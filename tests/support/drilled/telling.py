"""A job that writes down, outside its working folder, what a drill does to it."""

import json
import os
import time
from pathlib import Path

import milepost
from milepost.clock import SystemClock
from milepost.errors import MilepostError

diary = os.open(os.environ["DIARY"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def note(text: str) -> None:
    os.write(diary, f"{text}\n".encode())


note(f"begun, clock {round((SystemClock().now() - time.time()) / 86_400 / 365.25)} years off")
try:
    with milepost.Phase("words") as phase:
        for word in phase.each(["alder", "birch"]):
            phase.record(word.upper())
        if list(Path("checkpoints/words").glob("*.quarantine")):
            note("a torn tail was set aside")
        result = phase.complete(lambda results: dict(results), phase.results())
    milepost.write_durably("out.json", json.dumps(result).encode())
except (MilepostError, milepost.Interrupted) as error:
    note(type(error).__name__)
    raise
note("ended")
