"""Changes of a program that its results may show count, and are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.fingerprint.program import Files, changes, names

CASES: dict[str, tuple[Files, Files, str]] = {
    "the body": ("def main(x):\n    return x\n", "def main(x):\n    return x + 1\n", "job.main"),
    "a type of literal": ("def main(x):\n    return 1\n", "def main(x):\n    return True\n", "job.main"),
    "a default": ("def main(x=1):\n    return x\n", "def main(x=2):\n    return x\n", "job.main"),
    "a print": ("def main(x):\n    pass\n", "def main(x):\n    print(x)\n", "job.main"),
    "an assertion": ("def main(x):\n    pass\n", "def main(x):\n    assert x\n", "job.main"),
    "a warning": (
        "import warnings\ndef main(x):\n    pass\n", "import warnings\ndef main(x):\n    warnings.warn('x')\n", "job.main",
    ),
    "what only looks like a logger": (
        "class L:\n    def info(self, x): pass\nlog = L()\ndef main(x):\n    pass\n",
        "class L:\n    def info(self, x): pass\nlog = L()\ndef main(x):\n    log.info(x)\n",
        "job.main",
    ),
    "an assignment within logging": (
        "import logging\ndef main(x):\n    pass\n", "import logging\ndef main(x):\n    logging.info(x := 1)\n", "job.main",
    ),
    "a helper": (
        "def helper(x):\n    return 1\ndef main(x):\n    return helper(x)\n",
        "def helper(x):\n    return 2\ndef main(x):\n    return helper(x)\n",
        "job.helper",
    ),
    "a helper's helper in a circle": (
        "def a(x):\n    return b(x)\ndef b(x):\n    return main(x)\ndef main(x):\n    return a(x)\n",
        "def a(x):\n    return b(x)\ndef b(x):\n    return main(x) + 1\ndef main(x):\n    return a(x)\n",
        "job.b",
    ),
    "a helper in a comprehension": (
        "def helper(x):\n    return 1\ndef main(x):\n    return [helper(y) for y in x]\n",
        "def helper(x):\n    return 2\ndef main(x):\n    return [helper(y) for y in x]\n",
        "job.helper",
    ),
    "a helper in a nested function": (
        "def helper(x):\n    return 1\ndef main(x):\n    def inner(y):\n        return lambda: helper(y)\n    return inner\n",
        "def helper(x):\n    return 2\ndef main(x):\n    def inner(y):\n        return lambda: helper(y)\n    return inner\n",
        "job.helper",
    ),
    "a helper next to the script": (
        {"job.py": "import tools\ndef main(x):\n    return tools.helper(x)\n", "tools.py": "def helper(x):\n    return 1\n"},
        {"job.py": "import tools\ndef main(x):\n    return tools.helper(x)\n", "tools.py": "def helper(x):\n    return 2\n"},
        "tools.helper",
    ),
    "a helper under another name": (
        {"job.py": "from tools import helper as h\ndef main(x):\n    return h(x)\n", "tools.py": "def helper(x):\n    return 1\n"},
        {"job.py": "from tools import helper as h\ndef main(x):\n    return h(x)\n", "tools.py": "def helper(x):\n    return 2\n"},
        "tools.helper",
    ),
    "a module that is handed on": (
        {"job.py": "import tools\ndef main(x):\n    return getattr(tools, x)\n", "tools.py": "A = 1\n"},
        {"job.py": "import tools\ndef main(x):\n    return getattr(tools, x)\n", "tools.py": "A = 2\n"},
        "tools",
    ),
    "a helper imported within": (
        {"job.py": "def main(x):\n    from tools import helper\n    return helper(x)\n", "tools.py": "def helper(x):\n    return 1\n"},
        {"job.py": "def main(x):\n    from tools import helper\n    return helper(x)\n", "tools.py": "def helper(x):\n    return 2\n"},
        "tools",
    ),
    "a module imported by one imported within": (
        {"job.py": "def main(x):\n    import tools\n    return tools.helper(x)\n", "tools.py": "from deep import helper\n", "deep.py": "helper = 1\n"},
        {"job.py": "def main(x):\n    import tools\n    return tools.helper(x)\n", "tools.py": "from deep import helper\n", "deep.py": "helper = 2\n"},
        "deep",
    ),
    "an import from elsewhere": (
        "from json import dumps\ndef main(x):\n    return dumps(x)\n",
        "from pprint import pformat as dumps\ndef main(x):\n    return dumps(x)\n",
        "job.main",
    ),
    "an import from elsewhere within": (
        "def main(x):\n    from json import dumps as d\n    return d(x)\n",
        "def main(x):\n    from pprint import pformat as d\n    return d(x)\n",
        "job.main",
    ),
    "a method by self": (
        "class A:\n    def run(self):\n        return self.other()\n    def other(self):\n        return 1\ndef main(x):\n    return A().run()\n",
        "class A:\n    def run(self):\n        return self.other()\n    def other(self):\n        return 2\ndef main(x):\n    return A().run()\n",
        "job.A",
    ),
    "a base class": (
        "class B:\n    def run(self):\n        return 1\nclass A(B):\n    pass\ndef main(x):\n    return A().run()\n",
        "class B:\n    def run(self):\n        return 2\nclass A(B):\n    pass\ndef main(x):\n    return A().run()\n",
        "job.B",
    ),
    "the fields of a model": (
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\ndef main(x):\n    return A(x)\n",
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\n    y: int = 0\ndef main(x):\n    return A(x)\n",
        "job.A",
    ),
    "what a model reads from its hints": (
        "class Base: pass\nclass A(Base):\n    x: int\ndef main(x):\n    return A()\n",
        "class Base: pass\nclass A(Base):\n    x: str\ndef main(x):\n    return A()\n",
        "job.A",
    ),
    "a helper of a method": (
        "def helper():\n    return 1\nclass A:\n    def run(self):\n        return helper()\ndef main(x):\n    return A().run()\n",
        "def helper():\n    return 2\nclass A:\n    def run(self):\n        return helper()\ndef main(x):\n    return A().run()\n",
        "job.helper",
    ),
    "the class of a global object": (
        "class A:\n    def run(self):\n        return 1\na = A()\ndef main(x):\n    return a.run()\n",
        "class A:\n    def run(self):\n        return 2\na = A()\ndef main(x):\n    return a.run()\n",
        "job.A",
    ),
    "how a global object is made": (
        "class A:\n    def __init__(self, x): pass\na = A(1)\ndef main(x):\n    return a\n",
        "class A:\n    def __init__(self, x): pass\na = A(2)\ndef main(x):\n    return a\n",
        "job.a",
    ),
    "a decorator's argument": (
        "def times(n):\n    return lambda f: f\n@times(1)\ndef main(x):\n    return x\n",
        "def times(n):\n    return lambda f: f\n@times(2)\ndef main(x):\n    return x\n",
        "job.main",
    ),
    "a decorator": (
        "import functools\ndef deco(f):\n    @functools.wraps(f)\n    def inner(x):\n        return f(x)\n    return inner\n@deco\ndef main(x):\n    return x\n",
        "import functools\ndef deco(f):\n    @functools.wraps(f)\n    def inner(x):\n        return f(x) + 1\n    return inner\n@deco\ndef main(x):\n    return x\n",
        "job.deco",
    ),
    "under a wrapper without a trace": (
        "def deco(f):\n    def inner(x):\n        return f(x)\n    return inner\n@deco\ndef main(x):\n    return x\n",
        "def deco(f):\n    def inner(x):\n        return f(x)\n    return inner\n@deco\ndef main(x):\n    return x + 1\n",
        "job.main",
    ),
    "under a cache": (
        "import functools\n@functools.lru_cache\ndef main(x):\n    return x\n",
        "import functools\n@functools.lru_cache\ndef main(x):\n    return x + 1\n",
        "job.main",
    ),
    "a case of a single dispatch": (
        "import functools\n@functools.singledispatch\ndef main(x):\n    return x\n@main.register\ndef case(x: int):\n    return 1\n",
        "import functools\n@functools.singledispatch\ndef main(x):\n    return x\n@main.register\ndef case(x: int):\n    return 2\n",
        "job.case",
    ),
    "what a partial binds": (
        "import functools\ndef f(x, y):\n    return x\nmain = functools.partial(f, y=1)\n",
        "import functools\ndef f(x, y):\n    return x\nmain = functools.partial(f, y=2)\n",
        "job.f (bound)",
    ),
    "a value in a closure": (
        "def make(n):\n    def inner(x):\n        return x + n\n    return inner\nmain = make(1)\n",
        "def make(n):\n    def inner(x):\n        return x + n\n    return inner\nmain = make(2)\n",
        "job.make.<locals>.inner",
    ),
    "a function in a closure": (
        "def make(f):\n    def inner(x):\n        return f(x)\n    return inner\nmain = make(lambda x: 1)\n",
        "def make(f):\n    def inner(x):\n        return f(x)\n    return inner\nmain = make(lambda x: 2)\n",
        "job.<lambda>",
    ),
    "a lambda": ("main = lambda x: x\n", "main = lambda x: x + 1\n", "job.<lambda>"),
    "an object that can be called": (
        "class A:\n    def __call__(self, x):\n        return 1\nmain = A()\n",
        "class A:\n    def __call__(self, x):\n        return 2\nmain = A()\n",
        "job.A",
    ),
    "a bound method": (
        "class A:\n    def run(self, x):\n        return 1\nmain = A().run\n",
        "class A:\n    def run(self, x):\n        return 2\nmain = A().run\n",
        "job.A",
    ),
    "a class method": (
        "class A:\n    @classmethod\n    def run(cls, x):\n        return 1\nmain = A.run\n",
        "class A:\n    @classmethod\n    def run(cls, x):\n        return 2\nmain = A.run\n",
        "job.A",
    ),
    "a registered handler": (
        "ALL = {}\ndef add(f):\n    ALL[f.__name__] = f\n    return f\n@add\ndef one(x):\n    return 1\ndef main(x):\n    return ALL['one'](x)\n",
        "ALL = {}\ndef add(f):\n    ALL[f.__name__] = f\n    return f\n@add\ndef one(x):\n    return 2\ndef main(x):\n    return ALL['one'](x)\n",
        "job.one",
    ),
    "a docstring that is asked for": (
        "def ask(x):\n    'one'\ndef main(x):\n    return ask.__doc__\n",
        "def ask(x):\n    'two'\ndef main(x):\n    return ask.__doc__\n",
        "job.ask.__doc__",
    ),
    "a new function": (
        "def main(x):\n    return x\n", "def other(x):\n    return x\ndef main(x):\n    return other(x)\n", "job.other",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_counts(tmp_path: Path, case: str) -> None:
    """A change that results may show is found, and named by the function, class or module it is in."""
    old, new, name = CASES[case]
    assert name in names(changes(tmp_path, old, new))


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case][2] != "job.main"])
def test_only_what_changed_is_named(tmp_path: Path, case: str) -> None:
    """A helper that changed is named, and its unchanged callers are not."""
    old, new, name = CASES[case]
    beside = {"a new function": {"job.main"}, "a decorator": {"job.deco.<locals>.inner"}}
    assert set(names(changes(tmp_path, old, new))) == {name} | beside.get(case, set())


CONSTANTS: dict[str, tuple[str, str]] = {
    "text": ("'a'", "'b'"),
    "a number": ("1", "2"),
    "a type": ("1", "1.0"),
    "a tuple": ("(1, 2)", "(1, 3)"),
    "a dict": ("{'a': 1}", "{'a': 2}"),
    "a computed dict": ("dict(zip('ab', (1, 2)))", "dict(zip('ab', (1, 3)))"),
    "a set": ("frozenset('ab')", "frozenset('ac')"),
    "a pattern": ("re.compile('a')", "re.compile('b')"),
    "a pattern's flags": ("re.compile('a')", "re.compile('a', re.I)"),
    "an enum member": ("Mode.A", "Mode.B"),
    "a path": ("Path('a')", "Path('b')"),
    "a decimal": ("Decimal('1.0')", "Decimal('1.00')"),
    "a function in a dict": ("{'f': one}", "{'f': two}"),
    "an instance": ("Fields(1)", "Fields(2)"),
    "bytes": ("b'a'", "b'b'"),
}


@pytest.mark.parametrize("case", CONSTANTS)
def test_a_constant_counts_by_value(tmp_path: Path, case: str) -> None:
    """A global constant that the code names counts, and a change of it is named."""
    text = (
        "import enum, re\nfrom dataclasses import dataclass\nfrom decimal import Decimal\nfrom pathlib import Path\n"
        "class Mode(enum.Enum):\n    A = 1\n    B = 2\n@dataclass\nclass Fields:\n    x: int\n"
        "def one(): pass\ndef two(): pass\nLIMIT = {}\ndef main(x):\n    return LIMIT\n"
    )
    old, new = (text.format(value) for value in CONSTANTS[case])
    assert "job.LIMIT" in names(changes(tmp_path, old, new))


def test_a_constant_is_shown_by_value(tmp_path: Path) -> None:
    """A constant's change shows the old value and the new."""
    text = "from settings import LIMIT\ndef main(x):\n    return LIMIT\n"
    old, new = ({"job.py": text, "settings.py": f"LIMIT = {value}\n"} for value in (5, 6))
    found = changes(tmp_path, old, new)
    assert found == [("code", "settings.LIMIT", "5", "6")]


def test_a_secret_constant_is_never_shown(tmp_path: Path) -> None:
    """A change of a constant that looks like a secret is noticed, and neither value is shown."""
    text = "API_KEY = '{}'\ndef main(x):\n    return API_KEY\n"
    found = changes(tmp_path, text.format("hunter2"), text.format("hunter3"))
    assert names(found) == ["job.API_KEY"]
    assert "hunter" not in str(found)
