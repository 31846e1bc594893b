"""A job that takes for ever, with a process of its own that does so too."""

import os
import subprocess
import sys
import time

import milepost

with milepost.Phase("words") as phase:
    for _ in phase.each(["alder"]):
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]):
            with open(os.environ["DIARY"], "a") as diary:
                diary.write("begun\n")
            time.sleep(600)
