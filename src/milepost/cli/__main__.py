"""``python -m milepost.cli`` is the command ``milepost``."""

import sys

from milepost.cli import main

sys.exit(main())
