"""Where the command ``booksynth`` and ``python -m booksynth`` begin."""

from __future__ import annotations

import sys

INTERRUPTED = 130


def main() -> int:
    """Run the command and return its exit code; Ctrl-C while it still starts is one line, not a traceback."""
    try:
        from booksynth.cli import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("booksynth: stopped before it began; nothing was changed.\n")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
