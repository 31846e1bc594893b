"""The command ``milepost``. Arguments in, exit code out; the work is done by the layers below."""

from __future__ import annotations

import sys

try:
    from milepost.cli.app import main
except ModuleNotFoundError as missing:
    if (missing.name or "").startswith("milepost"):
        raise
    sys.stderr.write(f"milepost: the command needs {missing.name}: pip install 'milepost[cli]'\n")
    raise SystemExit(2) from None

__all__ = ["main"]
