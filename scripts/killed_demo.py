"""The demo, killed with SIGKILL in the middle of the work again and again, then compared with an undisturbed run."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "booksynth", "phase-3", "--analysis-dir"]
ANALYSES = "apps/booksynth/examples/analyses"
RESULTS = ("consolidated_recommendations.json", "PHASE3_SUMMARY.md", "report.html")


def run(output: Path, kill_at_book: int | None) -> tuple[int, str]:
    """Run phase 3, killed when it has told of a book; return the exit code and the line it was killed at."""
    with subprocess.Popen(
        [*COMMAND, ANALYSES, "--output-dir", str(output)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        seen = 0
        for line in process.stdout:
            if line.startswith("Restored"):
                print(f"  {line.strip()}")
            seen += line.startswith("[")
            if seen == kill_at_book:
                process.kill()
                return process.wait(), line.strip()
    return process.returncode, ""


def main() -> int:
    """Compare a run that was killed three times with one that was not."""
    whole, killed = ROOT / "build/demo-whole", ROOT / "build/demo-killed"
    for folder in (whole, killed):
        shutil.rmtree(folder, ignore_errors=True)
    print("one run without a kill")
    run(whole, None)
    for _ in range(3):
        code, line = run(killed, random.randint(2, 5))
        print(f"killed with SIGKILL (exit {code}) at: {line}")
    print("run to the end")
    run(killed, None)
    same = True
    for name in RESULTS:
        first, second = ((folder / name).read_bytes() for folder in (whole, killed))
        same = same and first == second
        word = "identical" if first == second else "DIFFERENT"
        print(f"{word}: {name}, sha256 {hashlib.sha256(second).hexdigest()[:16]}…")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
