"""``python -m booksynth`` does what the command ``booksynth`` does."""

from __future__ import annotations

import sys

from booksynth.cli import main

sys.exit(main())
