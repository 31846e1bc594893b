"""Writes docs/a-killed-run.md: a workflow run in tmux, killed with SIGKILL, resumed, as the terminal showed it.

Needs tmux. Run it with the interpreter of the checkout: ``.venv/bin/python scripts/record_killed_run.py``.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/a-killed-run.md"
SESSION = "milepost-recording"
JOB = """import time

import milepost

workflow = milepost.Workflow("shelf")


def ask_model(prompt, *, call_id):
    time.sleep(0.4)  # the model's time
    return prompt.upper()


@workflow.phase(items=[f"book-{number:02}" for number in range(1, 31)])
def phase_2(phase, books):
    for book in phase.each(books):
        phase.record(phase.call(f"read:{book}", ask_model, book, cost_usd=0.03))
    return list(phase.results().values())


@workflow.phase(after="phase_2")
def phase_3(phase, analyses):
    return " ".join(sorted(analyses))
"""
HEAD = """# A run, a kill, a resume

What a terminal of 80 columns showed, recorded with tmux by `scripts/record_killed_run.py`. The job reads thirty
books, each with a paid call of 0.4 seconds, and puts them together:

```python notest
{job}```
"""


def tmux(*words: str) -> str:
    """Run tmux and return what it printed."""
    return subprocess.run(["tmux", *words], check=True, capture_output=True, text=True).stdout


def typed(line: str) -> None:
    """Type a line and the return key."""
    tmux("send-keys", "-t", SESSION, line, "Enter")


def screen() -> str:
    """Return what the terminal shows, without the empty rest of the screen."""
    lines = [line.rstrip() for line in tmux("capture-pane", "-p", "-t", SESSION).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines)


def waited_for(text: str, seconds: float = 60) -> str:
    """Return the screen once it shows *text*."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if text in (shown := screen()):
            return shown
        time.sleep(0.05)
    raise TimeoutError(f"the terminal never showed {text!r}:\n{screen()}")


def record(folder: Path) -> list[tuple[str, str]]:
    """Run, kill, look, plan, resume; return what is said before each picture, and the picture."""
    (folder / "job.py").write_text(JOB)
    variables = f"PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH PS1='$ ' NO_COLOR=1 bash --norc"
    tmux("new-session", "-d", "-s", SESSION, "-x", "80", "-y", "24", "-c", str(folder), variables)
    pictures = []
    waited_for("$")
    typed("clear; milepost run job.py:workflow")
    pictures.append(("Started, it shows how far it is:", waited_for(" 9/30")))
    typed("")
    subprocess.run(["pkill", "-9", "-f", "milepost run job.py:workflow"], check=True)
    pictures.append(("Then the process is killed, with `kill -9` from elsewhere:", waited_for("Killed")))
    typed("clear; milepost status")
    pictures.append(("What is there is safe, and can be looked at:", waited_for("stopped")))
    typed("clear; milepost plan job.py:workflow")
    pictures.append(("A plan says what the same command would do now, and what that costs:", waited_for("history")))
    typed("clear; milepost run job.py:workflow")
    pictures.append(
        ("The same command goes on where it stood. The time left goes by this attempt alone:", waited_for("18/30"))
    )
    pictures.append(("And it ends as if nothing had happened:", waited_for("Look at a result")))
    typed("clear; milepost run job.py:workflow")
    waited_for("Look at a result")
    typed("clear; milepost verify; milepost show phase_3 '.result[0:23]'")
    pictures.append(("Nothing is entered again, and everything is as the receipts say:", waited_for("BOOK")))
    return pictures


def main() -> None:
    """Record, and write the page."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            pictures = record(Path(folder))
        finally:
            subprocess.run(["tmux", "kill-session", "-t", SESSION], check=False, capture_output=True)
        text = HEAD.format(job=JOB)
        for said, picture in pictures:
            shown = picture.replace(os.path.realpath(folder), "shelf").replace(folder, "shelf")
            text += f"\n{said}\n\n```text\n{shown}\n```\n"
    PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
