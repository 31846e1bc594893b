"""The house rules hold in every file, and each check is able to fail."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import resources
from pathlib import Path

import pytest

from tests.support import tidy

ROOT = Path(__file__).resolve().parents[1]
NOT_OURS = {".git", ".venv", ".tools", ".cache", "build", "dist", "__pycache__"}


def _names() -> list[str]:
    """List the files that git knows or would take; without git, all that are not built."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, check=True, text=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return [path.relative_to(ROOT).as_posix() for path in _walk(ROOT)]
    return [name for name in listing.stdout.split("\0") if (ROOT / name).is_file()]


def _walk(folder: Path) -> Iterator[Path]:
    for base, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in NOT_OURS and not name.endswith("_cache")]
        yield from (Path(base, name) for name in files)


def _read(*endings: str, under: tuple[str, ...] = ("",)) -> dict[str, str]:
    return {
        name: (ROOT / name).read_text(encoding="utf-8")
        for name in sorted(NAMES)
        if name.endswith(endings) and name.startswith(under)
    }


NAMES = _names()
APPS = sorted({"/".join(name.split("/")[:2]) for name in NAMES if name.startswith("apps/")})
LIBRARY = _read(".py", under=("src/",))
SOURCES = LIBRARY | _read(".py", under=tuple(f"{app}/src/" for app in APPS))
TESTS = _read(".py", under=("tests/", *(f"{app}/tests/" for app in APPS)))
PYTHON = _read(".py")
DOCUMENTS = _read(".md")
WRITTEN = PYTHON | DOCUMENTS | _read(
    "Makefile", ".cfg", ".in", ".ini", ".lock", ".sh", ".toml", ".txt", ".yaml", ".yml",
    "scripts/bootstrap", ".ci/run",
)  # fmt: skip
MAKEFILE = WRITTEN["Makefile"]


def offences(check: tidy.Check, files: Mapping[str, str]) -> list[str]:
    """Return what *check* finds in all *files*."""
    return [offence for path, text in files.items() for offence in check(path, text)]


@pytest.mark.parametrize("package", ["milepost", "booksynth"])
def test_the_wheel_is_what_is_tested(package: str) -> None:
    """The tests import what a user would install, with its marker of being typed, and never the source folder."""
    home = resources.files(package)
    assert "site-packages" in str(home)
    assert package != "milepost" or home.joinpath("py.typed").is_file()


def test_modules_are_short() -> None:
    """No module of the library or an application outgrows its budget."""
    assert SOURCES
    assert offences(tidy.budget_of_modules, SOURCES) == []


def test_test_modules_are_short() -> None:
    """No module of tests outgrows its budget."""
    assert TESTS
    assert offences(tidy.budget_of_tests, TESTS) == []


def test_functions_are_short() -> None:
    """No function outgrows a screen."""
    assert offences(tidy.budget_of_functions, SOURCES) == []


def test_no_error_is_swallowed() -> None:
    """No handler catches everything and says nothing."""
    assert offences(tidy.swallowed_errors, PYTHON) == []


def test_nothing_is_left_over() -> None:
    """No file keeps a note of unfinished work."""
    assert offences(tidy.leftovers, WRITTEN) == []


def test_the_library_does_not_print() -> None:
    """The library speaks through logging, and only its command line prints."""
    assert offences(tidy.prints, LIBRARY) == []


def test_bytes_never_become_code() -> None:
    """No source unpickles, evaluates, or imports by a name that it was given."""
    assert offences(tidy.unsafe_code, SOURCES) == []


def test_one_layer_changes_files() -> None:
    """Only the filesystem layer opens, renames, removes or syncs files."""
    assert offences(tidy.stray_file_changes, LIBRARY) == []


def test_durability_is_written_once() -> None:
    """Each kind of sync is called in one place."""
    assert list(tidy.scattered_syncs(LIBRARY)) == []


def test_the_public_face_is_thin() -> None:
    """The package's own module holds imports and `__all__`, nothing else."""
    face = "src/milepost/__init__.py"
    assert list(tidy.imports_only(face, LIBRARY[face])) == []


def test_every_test_states_its_law() -> None:
    """Every test says in one sentence what must hold."""
    assert offences(tidy.missing_laws, TESTS) == []


def test_every_test_asserts() -> None:
    """Every test holds an assertion that its reader can see."""
    assert offences(tidy.missing_assertions, TESTS) == []


def test_no_emoji() -> None:
    """No source or document is decorated with pictures."""
    assert offences(tidy.emoji, WRITTEN) == []


def test_no_path_of_one_machine() -> None:
    """No file names a path that exists on one machine only."""
    assert offences(tidy.machine_paths, WRITTEN) == []


def test_no_registry_address() -> None:
    """No file, the locks included, names a registry's host."""
    assert offences(tidy.registry_hosts, WRITTEN) == []


def test_no_lock_that_names_a_registry() -> None:
    """The lock file that would name a registry's host is not kept."""
    assert [name for name in NAMES if Path(name).name == "uv" + ".lock"] == []


def test_every_link_leads_somewhere() -> None:
    """Every Markdown link to a file of the repository, or a heading in it, resolves."""
    check = partial(tidy.broken_links, files=dict.fromkeys(NAMES, "") | DOCUMENTS)
    assert offences(check, DOCUMENTS) == []


def test_every_make_target_exists() -> None:
    """Every make target that a document names is one."""
    check = partial(tidy.unknown_targets, makefile=MAKEFILE)
    assert offences(check, DOCUMENTS) == []


LINKS: tidy.Check = partial(tidy.broken_links, files={"docs/a.md": "# A `b` c\n", "README.md": ""})
TARGETS: tidy.Check = partial(tidy.unknown_targets, makefile="test: check\n\tpytest\n")
SYNCS: tidy.Check = lambda path, text: tidy.scattered_syncs({path: text})  # noqa: E731

PLANTED: list[tuple[Callable[[str, str], Iterator[str]], str]] = [
    (tidy.budget_of_modules, "x = 1\n" * 351),
    (tidy.budget_of_tests, "x = 1\n" * 501),
    (tidy.budget_of_functions, "def f():\n" + "    x = 1\n" * 60),
    (tidy.budget_of_functions, "class A:\n    async def f(self):\n" + "        x = 1\n" * 60),
    (tidy.swallowed_errors, "try:\n    f()\nexcept:\n    log()\n"),
    (tidy.swallowed_errors, "try:\n    f()\nexcept Exception:\n    pass\n"),
    (tidy.swallowed_errors, "try:\n    f()\nexcept (OSError, BaseException):\n    ...\n"),
    (
        tidy.swallowed_errors,
        "for x in y:\n    try:\n        f()\n    except Exception:\n        continue\n",
    ),
    (tidy.swallowed_errors, "with contextlib.suppress(Exception):\n    f()\n"),
    (tidy.leftovers, "# " + "TO" + "DO: later\n"),
    (tidy.leftovers, "# " + "FIX" + "ME\n"),
    (tidy.leftovers, "x = 1  # " + "XX" + "X\n"),
    (tidy.leftovers, "# a " + "HA" + "CK\n"),
    (tidy.prints, "def f():\n    print(1)\n"),
    (tidy.unsafe_code, "import pickle\n"),
    (tidy.unsafe_code, "from marshal import loads\n"),
    (tidy.unsafe_code, "eval(text)\n"),
    (tidy.unsafe_code, "exec(text)\n"),
    (tidy.unsafe_code, "__import__(name)\n"),
    (tidy.unsafe_code, "importlib.import_module(name)\n"),
    (tidy.stray_file_changes, "os.fsync(3)\n"),
    (tidy.stray_file_changes, "from os import fdatasync\n"),
    (tidy.stray_file_changes, "os.replace(a, b)\n"),
    (tidy.stray_file_changes, "remove = os.unlink\n"),
    (tidy.stray_file_changes, "os.open(a, os.O_RDONLY)\n"),
    (tidy.stray_file_changes, "shutil.rmtree(a)\n"),
    (tidy.stray_file_changes, "open(a, 'w')\n"),
    (tidy.stray_file_changes, "open(a, mode='r+b')\n"),
    (tidy.stray_file_changes, "Path(a).write_bytes(b)\n"),
    (SYNCS, "os.fsync(1)\nos.fsync(2)\n"),
    (tidy.imports_only, "import a\nif a:\n    x = 1\n"),
    (tidy.imports_only, "def __getattr__(name): ...\n"),
    (tidy.missing_laws, "def test_a():\n    assert 1\n"),
    (tidy.missing_laws, "def test_a():\n    '''One thing. Another thing.'''\n"),
    (tidy.missing_laws, "class TestA:\n    def test_a(self):\n        '''no full stop'''\n"),
    (tidy.missing_assertions, "def test_a():\n    '''A law.'''\n    run()\n"),
    (tidy.emoji, "# done \u2705\n"),
    (tidy.emoji, "# go \U0001f680\n"),
    (tidy.machine_paths, "path = '" + "/ro" + "ot/x'\n"),
    (tidy.machine_paths, "cd " + "/wo" + "rk/x\n"),
    (tidy.registry_hosts, "--index-url https://py" + "pi.org/simple\n"),
    (tidy.registry_hosts, "https://files.python" + "hosted.org/a.whl\n"),
    (LINKS, "see [a](docs/b.md)\n"),
    (LINKS, "see [a](docs/b.md#part)\n"),
    (LINKS, "see [a](docs/a.md#gone)\n"),
    (LINKS, "# Here\n\n[a](#gone)\n"),
    (LINKS, "[a]: gone.md\n"),
    (TARGETS, "run `make tset`\n"),
    (TARGETS, "```\n$ make tset ARGS=-x\n```\n"),
]


@pytest.mark.parametrize(("check", "text"), PLANTED)
def test_each_check_can_fail(check: tidy.Check, text: str) -> None:
    """A planted offence is found, exactly once."""
    path = "README.md" if check in (LINKS, TARGETS) else "src/milepost/planted.py"
    assert len(list(check(path, text))) == 1


CLEAN: list[tuple[Callable[[str, str], Iterator[str]], str, str]] = [
    (tidy.budget_of_modules, "src/milepost/a.py", "x = 1\n" * 350),
    (tidy.budget_of_functions, "src/milepost/a.py", "def f():\n" + "    x = 1\n" * 59),
    (tidy.swallowed_errors, "a.py", "try:\n    f()\nexcept Exception:\n    log()\n    raise\n"),
    (tidy.swallowed_errors, "a.py", "with suppress(FileNotFoundError):\n    f()\n"),
    (tidy.prints, "src/milepost/cli/show.py", "print(1)\n"),
    (tidy.unsafe_code, "a.py", "import_module('milepost.config')\n"),
    (tidy.stray_file_changes, "src/milepost/fs/system.py", "os.fsync(3)\nos.open(a, b)\n"),
    (tidy.stray_file_changes, "a.py", "text.replace('a', 'b')\nopen(a)\nopen(a, 'rb')\n"),
    (tidy.imports_only, "a.py", "'''Doc.'''\nimport a\nfrom b import c\n__all__ = ['c']\n"),
    (tidy.missing_laws, "a.py", "def test_a():\n    '''It reads a.b and e.g. c.'''\n"),
    (
        tidy.missing_assertions,
        "a.py",
        "def test_a():\n    with pytest.raises(OSError):\n        f()\n",
    ),
    (tidy.machine_paths, "a.md", "docs/home/page, https://example.org/home/ and ~/work/\n"),
    (LINKS, "README.md", "# Here\n[a](docs/a.md#a-b-c) [b](docs/) [c](https://example.org) [d](#here)\n"),
    (LINKS, "docs/a.md", "[a](../README.md)\n```\n[b](gone.md)\n```\n"),
    (TARGETS, "README.md", "run `make test`, which will make sense\n"),
]


@pytest.mark.parametrize(("check", "path", "text"), CLEAN)
def test_no_check_cries_wolf(check: tidy.Check, path: str, text: str) -> None:
    """What is allowed is not reported."""
    assert list(check(path, text)) == []
