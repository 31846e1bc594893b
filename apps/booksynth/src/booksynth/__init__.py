"""booksynth: one prioritised, traceable list of recommendations from a shelf of books."""

from __future__ import annotations

from importlib.metadata import version

__version__ = version("booksynth")

__all__ = ["__version__"]
