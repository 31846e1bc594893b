"""The demo, killed with SIGKILL in the middle of the work again and again, then compared with an undisturbed run."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "apps/booksynth/examples"
SHELF = "build/demo-killed/shelf"


def run(output: Path, kill_at: tuple[str, int] | None) -> tuple[int, str]:
    """Run all phases; return the exit code and the line it was killed at.

    *kill_at* is how a line begins, and the how manieth such line ends the run, a moment after it was told.
    """
    command = [sys.executable, "-m", "booksynth", "run", SHELF, "--output", str(output)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = 0
        for line in process.stdout:
            if line.startswith("Phase") and "restored" in line:
                print(f"  {line.strip()}")
            seen += kill_at is not None and line.startswith(kill_at[0])
            if kill_at is not None and seen == kill_at[1]:
                time.sleep(random.uniform(0, 0.1))
                process.kill()
                return process.wait(), line.strip()
    return process.returncode, ""


def standing(output: Path) -> dict[str, bytes]:
    """Return every result by its path, progress left out."""
    found = [path for path in output.rglob("*") if path.is_file()]
    names = {path.relative_to(output).as_posix(): path for path in found}
    return {name: path.read_bytes() for name, path in sorted(names.items()) if not name.startswith("checkpoints/")}


def main() -> int:
    """Compare a run that was killed three times with one that was not."""
    base = ROOT / "build/demo-killed"
    shutil.rmtree(base, ignore_errors=True)
    for part in ("shelf", "analyses"):
        shutil.copytree(EXAMPLES / part, ROOT / SHELF, dirs_exist_ok=True)
    print("one run without a kill")
    run(base / "whole", None)
    for moment in (("  read:", random.randint(2, 8)), ("  read:", random.randint(2, 6)), ("Phase 4", 1)):
        code, line = run(base / "killed", moment)
        print(f"killed with SIGKILL (exit {code}) at: {line}")
    print("run to the end")
    run(base / "killed", None)
    first, second = standing(base / "whole"), standing(base / "killed")
    for name in sorted(first.keys() | second.keys()):
        if first.get(name) != second.get(name):
            print(f"DIFFERENT: {name}")
    digest = hashlib.sha256(repr(second).encode()).hexdigest()
    if first == second:
        print(f"identical: {len(second)} files, sha256 of all {digest[:16]}…")
    return 0 if first == second else 1


if __name__ == "__main__":
    sys.exit(main())
