"""Code of rarer kinds is followed as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.fingerprint.program import changes, names, parts

HELPER = "def helper(x):\n    return {}\n"
KINDS = {
    "a partial method": "import functools\nclass A:\n    def run(self, n): return helper(n)\n    one = functools.partialmethod(run, 1)\nmain = A().one\n",
    "a static method": "class A:\n    @staticmethod\n    def run(x): return helper(x)\nmain = A.run\n",
    "a property": "class A:\n    @property\n    def p(self): return helper(self)\ndef main(x):\n    return A().p\n",
    "a cached property": "import functools\nclass A:\n    @functools.cached_property\n    def p(self): return helper(self)\ndef main(x):\n    return A().p\n",
    "a named tuple by call": "from collections import namedtuple\nclass A(namedtuple('B', 'x')):\n    def f(self): return helper(1)\ndef main(x):\n    return A(x)\n",
    "a class in a function": "def make():\n    class A:\n        def f(self): return helper(1)\n    return A\nmain = make()\n",
    "a class in a class": "class A:\n    class B:\n        def f(self): return helper(1)\ndef main(x):\n    return A.B()\n",
    "a class in a condition": "if True:\n    class A:\n        def f(self): return helper(1)\nelse:\n    class A: pass\ndef main(x):\n    return A()\n",
    "a class made by a call": "A = type('A', (), {'f': lambda self: helper(1), 'n': 1})\ndef main(x):\n    return A()\n",
    "a coroutine": "async def main(x):\n    async with helper(x) as y:\n        return [z async for z in y]\n",
    "a generator": "def main(x):\n    yield from (helper(y) for y in x)\n",
    "a match": "def main(x):\n    match x:\n        case {'a': [1, *rest], **more} if helper(rest):\n            return more\n        case (1 | 2) as n:\n            return n\n",
    "a default": "def main(x, f=lambda x: helper(x)):\n    return f(x)\n",
    "an exception": "def main(x):\n    try:\n        pass\n    except ValueError as error:\n        raise helper(error) from error\n",
    "an annotated constant": "F: object = [lambda x: helper(x)]\ndef main(x):\n    return F\n",
    "an augmented constant": "F = []\nF += [lambda x: helper(x)]\ndef main(x):\n    return F\n",
    "a function defined in a condition": "if True:\n    def main(x): return helper(x)\nelse:\n    def main(x): pass\n",
    "a partial of a partial": "import functools\nmain = functools.partial(functools.partial(map, lambda x: helper(x)))\n",
    "a compiled function": "class Compiled:\n    def __init__(self, f): self.py_func = f\n    def __call__(self, x): return self.py_func(x)\nmain = Compiled(lambda x: helper(x))\n",
    "a method of a global object's class": "class A:\n    def f(self): return helper(1)\nall = {'a': [A()]}\ndef main(x):\n    return all['a'][0].f()\n",
    "a semicolon": "a = 1; main = lambda x: helper(x)\n",
    "two lambdas on a line": "main, other = lambda x: helper(x), lambda x: x\n",
    "a decorated function": "import functools\n@functools.cache\n@functools.cache\ndef main(x):\n    return helper(x)\n",
    "a name rebound in a function": "def main(x):\n    global helper\n    return helper(x)\n",
    "an instance with state": "from dataclasses import dataclass\n@dataclass\nclass A:\n    n: int\n    def run(self, x): return helper(x)\nmain = A(1).run\n",
    "under milepost": "import functools\ndef deco(f):\n    return functools.wraps(f)(lambda *a: f(*a))\n@deco\ndef main(x): return helper(x)\n",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_helper_is_found_from_any_kind_of_code(tmp_path: Path, kind: str) -> None:
    """A helper that changed is named, whatever kind of code names it."""
    old, new = (HELPER.format(n) + KINDS[kind] for n in (1, 2))
    assert names(changes(tmp_path, old, new)) == ["job.helper"]


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("from collections import namedtuple\nA = namedtuple('A', 'x')\ndef main(x):\n    return A\n", "from collections import namedtuple\nA = namedtuple('A', 'x y')\ndef main(x):\n    return A\n", "job.A"),
        ("import enum\nA = enum.Enum('A', 'X')\ndef main(x):\n    return A\n", "import enum\nA = enum.Enum('A', 'X Y')\ndef main(x):\n    return A\n", "job.A"),
        ("A = type('A', (), {'n': 1})\ndef main(x):\n    return A\n", "A = type('A', (), {'n': 2})\ndef main(x):\n    return A\n", "job.A"),
        ("class A:\n    n = 1\ndef main(x):\n    return A\n", "class A:\n    n = 2\ndef main(x):\n    return A\n", "job.A"),
        ("from dataclasses import dataclass\n@dataclass\nclass A:\n    n: int\n    def run(self, x): pass\nmain = A(1).run\n", "from dataclasses import dataclass\n@dataclass\nclass A:\n    n: int\n    def run(self, x): pass\nmain = A(2).run\n", "job.A (bound)"),
        ("def make(n):\n    class A:\n        def f(self): return n\n    return A\nmain = make(1)\n", "def make(n):\n    class A:\n        def f(self): return n\n    return A\nmain = make(2)\n", "job.make.<locals>.A"),
        ("N = [1.5, None] * 20000\ndef main(x):\n    return N\n", "N = [1.5, None] * 20001\ndef main(x):\n    return N\n", "job.N"),
    ],
)  # fmt: skip
def test_classes_and_objects_count_by_what_they_are_made_of(tmp_path: Path, old: str, new: str, name: str) -> None:
    """A class without source counts by its fields and attributes, and a bound object by its fields."""
    assert name in names(changes(tmp_path, old, new))


def test_a_namespace_package_is_followed(tmp_path: Path) -> None:
    """A package without an init file is the user's own as well, and so are modules imported within."""
    files = {"app/job.py": "from app.tools import helper\ndef main(x):\n    import app.late\n    return helper(x)\n", "app/tools.py": HELPER.format(1), "app/late.py": "import os\nimport app.gone\n"}  # fmt: skip
    assert parts(tmp_path, files, "app/job/main").keys() == {"app.job.main", "app.tools.helper", "app.late"}
