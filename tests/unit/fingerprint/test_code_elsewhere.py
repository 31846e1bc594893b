"""The fingerprint of code is the same in every process, and holds where source is scarce."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from milepost.errors import InvalidArgument
from milepost.fingerprint import code_parts, digest_of, function_parts, reading
from tests.unit.fingerprint.program import changes, imported, names, parts, run, write

JOB = """
    import re
    from pathlib import Path
    import tools

    SETTINGS = {"a": {1, 2, 3}, "names": frozenset({"x", "y", "z"})}
    WORDS = {"alpha", "beta", "gamma"}
    PATTERN = re.compile("a|b")

    class Reader:
        kinds = {"one", "two", "three"}
        def read(self, x):
            return tools.helper(x) in {"p", "q", "r"}

    def main(x):
        return Reader().read(x), SETTINGS, WORDS, PATTERN
"""
TOOLS = "def helper(x):\n    return x\n"
SHOW = "import json\nfrom milepost.fingerprint import code_parts\nimport job\nprint(json.dumps(code_parts([job.main])))"


def test_no_two_processes_differ(tmp_path: Path) -> None:
    """The order in which a process happens to go through sets and dicts does not count."""
    write(tmp_path, {"job.py": JOB, "tools.py": TOOLS})
    shown = {run(tmp_path, SHOW, PYTHONHASHSEED=seed) for seed in ("0", "1", "42")}
    assert len(shown) == 1
    assert {"job.main", "job.Reader", "tools.helper", "job.SETTINGS"} <= json.loads(shown.pop()).keys()


def test_the_order_of_imports_does_not_count(tmp_path: Path) -> None:
    """Whether a module that is imported within a function is loaded by now does not count."""
    job = "def main(x):\n    from tools import helper\n    import deep.down\n    return helper(x)\n"
    write(tmp_path, {"job.py": job, "tools.py": TOOLS, "deep/__init__.py": "", "deep/down.py": "A = 1\n"})
    first = run(tmp_path, SHOW)
    assert run(tmp_path, "import deep.down, tools\n" + SHOW) == first
    assert run(tmp_path, "import job\njob.main(1)\n" + SHOW) == first
    assert json.loads(first).keys() == {"job.main", "tools", "deep.down"}


def test_a_script_is_called_as_if_it_were_imported(tmp_path: Path) -> None:
    """A function has the same parts in the script that runs and in the module that is imported."""
    tail = "\nif __name__ == '__main__':\n    import json\n    from milepost.fingerprint import code_parts\n    print(json.dumps(code_parts([main])))\n"
    write(tmp_path, {"tools.py": TOOLS})
    (tmp_path / "job.py").write_text(JOB.replace("\n    ", "\n") + tail, encoding="utf-8")
    script = run(
        tmp_path,
        "import runpy\nrunpy.run_path('job.py', run_name='other')\nimport subprocess, sys\nsubprocess.run([sys.executable, '-B', 'job.py'], check=True)",
    )
    module = run(tmp_path, "import subprocess, sys\nsubprocess.run([sys.executable, '-B', '-m', 'job'], check=True)")
    assert json.loads(script) == json.loads(module) == json.loads(run(tmp_path, SHOW))


def test_another_minor_version_reads_the_same(tmp_path: Path) -> None:
    """Python's minor version does not count in what is read from source."""
    others = [python for python in Path(sys.base_prefix).parent.glob("*/bin/python3.1[1-9]") if python.is_file()]
    show = (
        "import ast, sys, types\nfrom pathlib import Path\n"
        "for name in ('milepost', 'milepost.fingerprint'):\n    sys.modules[name] = module = types.ModuleType(name)\n"
        "    module.__path__ = [str(Path(*name.split('.')).absolute())]\n"
        "from milepost.fingerprint.reading import read\n"
        "print(read(ast.parse(Path('syntax.txt').read_text()).body, lambda chain: None).text)\n"
    )
    assert reading.__file__ is not None
    shutil.copytree(Path(reading.__file__).parent, tmp_path / "milepost/fingerprint")
    write(tmp_path, {"syntax.txt": SYNTAX})
    texts = {run(tmp_path, show, python=str(python)) for python in (sys.executable, *others)}
    assert len(texts) == 1


SYNTAX = '''
    import os
    def f(a, /, b: int = 1, *c, d=2, **e) -> None:
        """Doc."""
        x = f"a{b!r:>{d}}" "c" f"{a=}" 'd' + rf"\\d{e}"
        y: list[int] = [i for i in c if i]
        with open(a) as g, open(b): yield from (1, -2, 3.5e10, 1j, b"x", ..., None, True, 10**30)
        try: pass
        except* ValueError as error: raise error from None
        match a:
            case {"k": [1, *rest], **more} if rest: return lambda: more
            case int(z) | str(): z
        async def h(): await x; return {**e, 1: 2}, {*c}, x[1:2, ...], not a < b <= c
        while (n := a): break
        else: del x, y[0]
        global q; q += 1
    class A(B, metaclass=C):
        x: int = 1
        @property
        def p(self): return super().p
'''


def test_code_without_source_counts_by_its_bytecode() -> None:
    """A function typed in by hand, of which there is no file, counts by what it was compiled to."""

    def made(text: str) -> Any:
        space: dict[str, Any] = {"__name__": "__main__", "LIMIT": 1}
        code = compile(text, "<typed in>", "exec")
        FunctionType(code, space)()
        return space["main"]

    first = function_parts(made("def main(x):\n    'doc'\n    return helper(x) + 1\ndef helper(x): return 1\n"))
    assert first == function_parts(
        made("def main(x):\n    'other'\n\n    return helper(x) + 1\ndef helper(x): return 1\n")
    )
    for text in (
        "def main(x): return helper(x) + 2\ndef helper(x): return 1\n",
        "def main(x): return helper(x) + 1\ndef helper(x): return 2\n",
    ):
        assert first != function_parts(made(text))


def test_a_file_edited_after_its_import_is_not_believed(tmp_path: Path) -> None:
    """When the file no longer says what is running, what is running counts."""
    write(tmp_path, "def main(x):\n    return 1\n")
    with imported(tmp_path) as job:
        before = function_parts(job.main)
        write(tmp_path, "def main(x):\n    return 22\n")
        edited = function_parts(job.main)
        write(tmp_path, "def main(x:\n")
        broken = function_parts(job.main)
    with imported(write(tmp_path / "new", "def main(x):\n    return 22\n")) as job:
        after = function_parts(job.main)
    assert len({digest_of(one) for one in (before, edited, after)}) == 3
    assert edited == broken


def test_two_things_of_one_name_both_count(tmp_path: Path) -> None:
    """Two lambdas on two lines share a name, and a change of either is noticed."""
    text = "one = lambda x: {}\ntwo = lambda x: {}\ndef main(x):\n    return one(x) + two(x)\n"
    assert names(changes(tmp_path, text.format(1, 2), text.format(1, 3))) == ["job.<lambda>"]
    assert names(changes(tmp_path, text.format(1, 2), text.format(4, 2))) == ["job.<lambda>"]


def test_installed_packages_and_milepost_are_not_followed(tmp_path: Path) -> None:
    """Code of other packages counts by name only, and a newer Milepost changes nothing."""
    job = "import json, milepost, orjson\ndef main(x):\n    milepost.register(x, 'x')\n    return json.dumps(x), orjson.dumps(x)\n"
    assert parts(tmp_path, job).keys() == {"job.main"}
    assert code_parts([len, json.dumps]).keys() == {"builtins.len", "json.dumps"}


def test_an_environment_below_the_script_is_not_its_own(tmp_path: Path) -> None:
    """A package installed in a folder below the script's is somebody else's."""
    files = {
        "job.py": "import sys\nsys.path.append('venv/site-packages')\nimport other\ndef main(x):\n    return other.f(x)\n",
        "venv/site-packages/other.py": "def f(x): pass\n",
    }
    write(tmp_path, files)
    assert json.loads(run(tmp_path, SHOW)).keys() == {"job.main"}


def test_relative_imports_within_a_package_are_followed(tmp_path: Path) -> None:
    """Names from siblings and parents of a package are followed to where they are made."""
    files = {
        "app/__init__.py": "from .low.tools import helper\n",
        "app/low/__init__.py": "",
        "app/low/tools.py": "from ..settings import LIMIT\ndef helper(x):\n    from . import late\n    return LIMIT\n",
        "app/low/late.py": "",
        "app/settings.py": "LIMIT = 1\n",
        "app/job.py": "from . import helper\nfrom . import low\ndef main(x):\n    return helper(x), low.tools\n",
    }
    found = parts(tmp_path, files, "app/job/main")
    assert found.keys() == {
        "app.job.main",
        "app.low.tools.helper",
        "app.settings.LIMIT",
        "app.low.late",
        "app.low.tools",
        "app.settings",
    }


@pytest.mark.parametrize("code", [[1], ["main"], [None], len])
def test_what_cannot_be_called_is_refused(code: Any) -> None:
    """Anything but a list of callables is an error that says so."""
    with pytest.raises(InvalidArgument, match="code must be a list of functions"):
        code_parts(code)


def test_odd_objects_do_not_lead_astray(tmp_path: Path) -> None:
    """Objects that answer to every name, contain themselves or refuse to be looked at are passed by."""
    job = (
        "class Yes:\n    def __getattr__(self, name): return self\n    def __call__(self): return self\n"
        "class No:\n    __slots__ = ()\n    def __getattr__(self, name): raise RuntimeError(name)\n    def __repr__(self): raise RuntimeError\n"
        "yes, no = Yes(), No()\nring = []\nring.append(ring)\nloop = (ring, yes, no)\n"
        "def main(x):\n    return yes.a.b(), no, ring, loop, nothing_yet\n"
    )
    assert {"job.main", "job.Yes", "job.No", "job.yes", "job.no", "job.ring"} <= parts(tmp_path, job).keys()


def test_a_clock_read_at_import_does_not_count(tmp_path: Path) -> None:
    """A constant made from the clock or from chance counts by how it is made."""
    job = "import time, uuid, os\nfrom datetime import datetime\nSTART = time.time()\nRUN = str(uuid.uuid4())\nPID = os.getpid()\nDAY = datetime.now()\ndef main(x):\n    return START, RUN, PID, DAY\n"
    write(tmp_path, job)
    assert run(tmp_path, SHOW) == run(tmp_path, SHOW)


def test_a_large_package_is_quick(tmp_path: Path) -> None:
    """A function of a package of two thousand lines is fingerprinted in a moment."""
    body = "".join(
        f"def f{n}(x):\n    y = x + {n}\n    for z in range(y):\n        y += z\n    return f{n - 1}(y)\n\n"
        for n in range(1, 330)
    )
    write(tmp_path, {"job.py": f"def f0(x):\n    return x\n\n{body}def main(x):\n    return f329(x)\n"})
    with imported(tmp_path) as job:
        start = time.perf_counter()
        found = code_parts([job.main])
        seconds = time.perf_counter() - start
    assert len(found) == 331
    assert seconds < 5, "orders of magnitude only: how busy the machine is must not matter"


def test_a_wrapper_of_somebody_else_does_not_hide(tmp_path: Path) -> None:
    """A function under a decorator of another package is found, with or without a trace of it."""
    files = {
        "outside/site-packages/deco.py": "def plain(f):\n    def inner(*a): return f(*a)\n    return inner\n",
        "job.py": "import sys\nsys.path.append('outside/site-packages')\nimport deco\n@deco.plain\ndef main(x):\n    return 1\n",
    }
    write(tmp_path, files)
    show = SHOW.replace("[job.main]", "[job.main, job.main.__closure__[0].cell_contents]")
    assert "job.main" in json.loads(run(tmp_path, show))
