"""The browser of the system, and a page in it that notes all it says and asks for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")

# The least contrast of all texts that are seen, each against the first ground behind it that is not clear.
CONTRAST = """() => {
  const pen = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  const rgba = (color) => {
    pen.clearRect(0, 0, 1, 1); pen.fillStyle = color; pen.fillRect(0, 0, 1, 1);
    return pen.getImageData(0, 0, 1, 1).data;
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !one.checkVisibility() || /SCRIPT|OPTION/.test(one.tagName)) continue;
    if (one.getBoundingClientRect().width <= 1) continue;  // read aloud only
    let behind = one;
    while (behind && rgba(getComputedStyle(behind).backgroundColor)[3] < 255) behind = behind.parentElement;
    const [a, b] = [getComputedStyle(one).color, getComputedStyle(behind ?? document.body).backgroundColor]
      .map((color) => light(rgba(color))).sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), walker.currentNode.data.trim().slice(0, 40)]);
  }
  return found.sort((x, y) => x[0] - y[0])[0];
}"""


def required() -> str:
    """Return the program of the browser; skip where there is none, and fail where CI should have one."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    words = "no browser is installed: apt-get install chromium, or run scripts/services"
    if os.environ.get("CI"):
        pytest.fail(words)
    pytest.skip(words)


@contextmanager
def started() -> Iterator[Browser]:
    """Run the browser without a window for the length of the block."""
    program = required()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Opened:
    """A page that is open, with what it said on the console, its errors, its dialogs, and what it asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def dismiss(self, dialog: Dialog) -> None:
        """Close a dialog, and remember what it said."""
        self.said.append(dialog.message)
        dialog.dismiss()


@contextmanager
def opened(browser: Browser, path: Path, **options: Any) -> Iterator[Opened]:
    """Open a file in a context of its own; at the end it must have said nothing and asked for nothing else."""
    context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, "reduced_motion": "reduce", **options})
    context.set_default_timeout(10_000)
    try:
        one = Opened(context.new_page())
        one.page.on("console", lambda message: one.said.append(message.text))
        one.page.on("pageerror", lambda error: one.said.append(str(error)))
        one.page.on("dialog", one.dismiss)
        one.page.on("request", lambda request: one.asked.append(request.url))
        one.page.goto(path.as_uri())
        yield one
        assert one.said == []
        assert [
            url for url in one.asked if not url.startswith("data:") and url.partition("#")[0] != path.as_uri()
        ] == []
    finally:
        context.close()
