"""Changes of a program that its results cannot show do not count."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.fingerprint.program import changes

WITH_LOG = """
    import logging
    log = logging.getLogger(__name__)
    class Job:
        logger = logging.getLogger("job")
        def __init__(self):
            self.log = logging.getLogger("x")
        def run(self, x):
            {}
            return x
    def main(x, verbose=False):
        own = logging.getLogger("own")
        {}
        return Job().run(x)
"""

PAIRS: dict[str, tuple[str, str]] = {
    "comments": ("def main(x):\n    return x\n", "# why\ndef main(x):  # here\n    # and there\n    return x\n"),
    "formatting": ("def main(x):\n    return f(x, 'a')\n", 'def main( x ) :\n\n    return (f(x,\n        "a",))\n'),
    "line numbers": ("def main(x):\n    return x\n", "\n\n\ndef unrelated():\n    pass\n\n\ndef main(x):\n    return x\n"),
    "docstrings": (
        "class A:\n    pass\ndef main(x):\n    return A()\n",
        'class A:\n    """A."""\ndef main(x):\n    """Say."""\n    return A()\n',
    ),
    "ellipsis for pass": ("def main(x):\n    pass\n", "def main(x):\n    ...\n"),
    "joined literals": ("def main(x):\n    return 'ab'\n", "def main(x):\n    return 'a' 'b'\n"),
    "joined f-strings": ("def main(x):\n    return f'a{x}bc'\n", "def main(x):\n    return f'a{x}' 'b' 'c'\n"),
    "type hints": ("def main(x):\n    y = 1\n    return y\n", "def main(x: int) -> int:\n    y: int = 1\n    z: str\n    return y\n"),
    "type hints of a plain class": (
        "class A:\n    x = 1\ndef main():\n    return A().x\n",
        "class A:\n    y: str\n    x: int = 1\ndef main():\n    return A().x\n",
    ),
    "imports for hints": (
        "def main(x):\n    return x\n",
        "from __future__ import annotations\nfrom typing import Any, TYPE_CHECKING\nif TYPE_CHECKING:\n    import decimal\ndef main(x: Any) -> decimal.Decimal:\n    return x\n",
    ),
    "hints imported within": (
        "def main(x):\n    return x\n",
        "import typing\ndef main(x):\n    if typing.TYPE_CHECKING:\n        import decimal\n    return x\n",
    ),
    "imports not used": ("def main(x):\n    return x\n", "import json\nimport os as system\ndef main(x):\n    return x\n"),
    "place of an import": (
        "import json\ndef main(x):\n    return json.dumps(x)\n",
        "import os, json\ndef main(x):\n    return json.dumps(x)\n",
    ),
    "code not called": (
        "LIMIT = 1\ndef other():\n    return 1\ndef main(x):\n    return x\n",
        "LIMIT = 2\ndef other():\n    return 2\ndef main(x):\n    return x\n",
    ),
    "a global with the name of a local": (
        "count = 1\ndef main(x):\n    count = len(x)\n    return [x for x in range(count)]\n",
        "count = 2\ndef main(x):\n    count = len(x)\n    return [x for x in range(count)]\n",
    ),
    "what a cache holds": (
        "CACHE = {}\ndef main(x):\n    return CACHE.get(x)\n",
        "CACHE = {}\nCACHE[1] = 5\ndef main(x):\n    return CACHE.get(x)\n",
    ),
    "what a list of results holds": (
        "DONE = []\ndef main(x):\n    return DONE\n",
        "DONE = []\nDONE.append(5)\ndef main(x):\n    return DONE\n",
    ),
    "a counter that a function rebinds": (
        "N = 0\ndef up():\n    global N\n    N += 1\ndef main(x):\n    return N\n",
        "N = 0\ndef up():\n    global N\n    N += 1\nup()\ndef main(x):\n    return N\n",
    ),
    "the cache of a closure": (
        "def memo(f):\n    kept = {}\n    def inner(x):\n        kept[x] = f(x)\n        return kept[x]\n    return inner\n@memo\ndef main(x):\n    return x\n",
        "def memo(f):\n    kept = {}\n    def inner(x):\n        kept[x] = f(x)\n        return kept[x]\n    return inner\n@memo\ndef main(x):\n    return x\nmain(5)\n",
    ),
    "a logger": (WITH_LOG.format("pass", "pass"), WITH_LOG.format("self.log.info('x %s', x)", "log.debug('y')")),
    "loggers of other places": (
        WITH_LOG.format("pass", "pass"),
        WITH_LOG.format("self.logger.warning(x)", "own.info(x); logging.info('z')"),
    ),
    "loggers by call": (
        WITH_LOG.format("pass", "pass"),
        WITH_LOG.format("Job.logger.info(x)", "logging.getLogger('q').error('x', extra={'a': 1})"),
    ),
    "a condition for logging": (
        WITH_LOG.format("pass", "pass"),
        WITH_LOG.format("if x > 1:\n                self.log.info(x)", "if log.isEnabledFor(10):\n            log.debug(x)"),
    ),
    "a logger of its own": (
        "def main(x):\n    return x\n",
        "import logging\ndef main(x):\n    log = logging.getLogger('a')\n    log.info(x)\n    return x\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PAIRS)
def test_it_does_not_count(tmp_path: Path, case: str) -> None:
    """A change that results cannot show leaves every part of the code as it was."""
    old, new = PAIRS[case]
    assert changes(tmp_path, old, new) == []


def test_what_a_sibling_changes_does_not_count(tmp_path: Path) -> None:
    """A list in a closure that another function beside it fills counts by its class, whatever it holds by now."""
    text = (
        "def make():\n    done = []\n    def add(x):\n        done.append(x)\n    def show(x):\n        return done\n    return add, show\n"
        "add, main = make()\n"
    )
    assert changes(tmp_path, text, text + "add(1)\n") == []


def test_a_mapping_that_fetches_is_left_alone(tmp_path: Path) -> None:
    """A mapping of another kind than a dict is not gone through: it may read a whole disk."""
    text = (
        "from collections.abc import Mapping\nclass Lazy(Mapping):\n    def __len__(self): return 1\n    def __iter__(self): return iter('a')\n"
        "    def __getitem__(self, key): raise AssertionError('read')\nLAZY = Lazy()\n"
        "def make(held):\n    return lambda x: (held, LAZY)\nmain = make({'held': LAZY})\n"
    )
    assert changes(tmp_path, text, text) == []


def test_structured_loggers_do_not_count(tmp_path: Path) -> None:
    """A logger of structlog or loguru is known by the package that its class comes from."""
    packages = {
        "structlog/__init__.py": "class Bound:\n    def bind(self, **k): return self\n    def info(self, *a, **k): pass\n",
        "loguru/__init__.py": "class Logger:\n    def success(self, *a): pass\nlogger = Logger()\n",
    }
    text = "import structlog\nfrom loguru import logger as lines\nout = structlog.Bound()\ndef main(x):\n    {}\n    return x\n"
    old = {**packages, "app/__init__.py": "", "app/job.py": text.format("pass")}
    new = {**packages, "app/__init__.py": "", "app/job.py": text.format("out.bind(a=1).info('x'); lines.success(x)")}
    assert changes(tmp_path, old, new, "app/job/main") == []


def test_the_folder_of_the_checkout_does_not_count(tmp_path: Path) -> None:
    """A program in another folder has the same parts, also where its constants hold that folder."""
    text = "import os\nfrom pathlib import Path\nHERE = Path(__file__).parent\nDATA = os.path.join(os.path.dirname(__file__), 'd')\nALL = [HERE / 'a', {'b': HERE}]\ndef main(x):\n    return HERE, DATA, ALL\n"
    assert changes(tmp_path / "here", text, text) == []
