"""booksynth: one prioritised, traceable list of recommendations from a shelf of books."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from booksynth.phases import workflow

__version__: str

__all__ = ["__version__", "workflow"]


def __getattr__(name: str) -> Any:
    """Load what takes time when it is asked for: the workflow, for ``milepost run booksynth:workflow``."""
    if name == "workflow":
        from booksynth.phases import workflow

        return workflow
    if name == "__version__":
        from importlib.metadata import version

        return version("booksynth")
    raise AttributeError(name)
