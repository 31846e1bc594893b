"""The report that people look at: one HTML file that needs nothing else, a pure function of the document."""

from booksynth.page.model import NotADocumentError
from booksynth.page.rendering import render

__all__ = ["NotADocumentError", "render"]
