"""The house rules that no linter knows, as pure functions over a path and its text.

Each check yields one line per offence, so that `tests/test_tidy.py` can show them all at once, and
can prove with planted text that each check is able to fail.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from posixpath import dirname, join, normpath

Check = Callable[[str, str], Iterator[str]]

MODULE_LINES = 350
TEST_MODULE_LINES = 500
FUNCTION_LINES = 60

FILE_SYSTEM_LAYER = ("src/milepost/fs/", "src/milepost/fs.py")
COMMAND_LINE_LAYER = ("src/milepost/cli/", "src/milepost/cli.py")

SYNCS = {"os.fsync", "os.fdatasync", "os.sync"}
FILE_CHANGES = {
    *("os.link", "os.mkdir", "os.makedirs", "os.open", "os.remove", "os.removedirs", "os.rename"),
    *("os.renames", "os.replace", "os.rmdir", "os.symlink", "os.truncate", "os.ftruncate"),
    *("os.unlink", "shutil.copy", "shutil.copyfile", "shutil.copytree", "shutil.move"),
    *("shutil.rmtree", "tempfile.mkstemp", "tempfile.NamedTemporaryFile"),
}
UNSAFE_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
UNSAFE_CALLS = {"eval", "exec"}
IMPORTS_BY_NAME = {"__import__", "import_module", "importlib.import_module"}

# Spelt in pieces, because these files are themselves held to the rule.
LEFTOVERS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
MACHINE_PATHS = re.compile(r"(?<![\w.~<>*)}/-])/(?:" + "|".join(("wo" + "rk", "ro" + "ot", "ho" + "me")) + r")/")
REGISTRY_HOSTS = re.compile(
    "|".join(
        (
            r"\bpy" + r"pi\.org",
            "python" + r"hosted\.org",
            r"deb\.deb" + r"ian\.org",
            "npm" + r"js\.(?:org|com)",
        )
    )
)
EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u26ff\u2705\u2714\u2716\u2728\u274c\u2753-\u2757\u2763\u2764\u2795-\u2797\u2b50\u2b55\ufe0f]"
)


@cache
def tree(text: str) -> ast.Module:
    """Parse *text* once, however many checks read it."""
    return ast.parse(text)


def nodes(text: str, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes of the given kinds."""
    return (node for node in ast.walk(tree(text)) if isinstance(node, kinds))


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for a chain of names, or nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (head := dotted(node.value)):
        return f"{head}.{node.attr}"
    return ""


def calls(text: str) -> Iterator[tuple[ast.Call, str]]:
    """Yield every call with the dotted name of what is called."""
    for node in nodes(text, ast.Call):
        assert isinstance(node, ast.Call)
        yield node, dotted(node.func)


def uses(text: str, names: Collection[str]) -> Iterator[tuple[int, str]]:
    """Yield where a dotted name is mentioned, or imported from its module."""
    for node in nodes(text, ast.Attribute, ast.ImportFrom):
        if isinstance(node, ast.ImportFrom):
            found = {f"{node.module}.{alias.name}" for alias in node.names} & set(names)
            yield from ((node.lineno, name) for name in sorted(found))
        elif isinstance(node, ast.Attribute) and dotted(node) in names:
            yield node.lineno, dotted(node)


# --- budgets ---


def budget_of_modules(path: str, text: str) -> Iterator[str]:
    """Hold modules of the library and the applications to their budget."""
    yield from _lines_over(path, text, MODULE_LINES)


def budget_of_tests(path: str, text: str) -> Iterator[str]:
    """Hold modules of tests to theirs."""
    yield from _lines_over(path, text, TEST_MODULE_LINES)


def _lines_over(path: str, text: str, limit: int) -> Iterator[str]:
    count = len(text.splitlines())
    if count > limit:
        yield f"{path}: {count} lines, at most {limit}"


def budget_of_functions(path: str, text: str) -> Iterator[str]:
    """Hold functions to what fits on a screen, docstring included."""
    for node in nodes(text, ast.FunctionDef, ast.AsyncFunctionDef):
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        count = (node.end_lineno or node.lineno) - node.lineno + 1
        if count > FUNCTION_LINES:
            yield f"{path}:{node.lineno}: {node.name} has {count} lines, at most {FUNCTION_LINES}"


# --- bans ---


def swallowed_errors(path: str, text: str) -> Iterator[str]:
    """Refuse handlers that catch everything and say nothing."""
    for node in nodes(text, ast.ExceptHandler):
        assert isinstance(node, ast.ExceptHandler)
        if node.type is None:
            yield f"{path}:{node.lineno}: bare except"
        elif _catches_all(node.type) and all(_says_nothing(line) for line in node.body):
            yield f"{path}:{node.lineno}: an error is swallowed"
    for call, name in calls(text):
        if name in {"suppress", "contextlib.suppress"} and any(map(_catches_all, call.args)):
            yield f"{path}:{call.lineno}: every error is suppressed"


def _catches_all(node: ast.expr) -> bool:
    members = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(dotted(member) in {"Exception", "BaseException"} for member in members)


def _says_nothing(node: ast.stmt) -> bool:
    empty = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return empty or isinstance(node, ast.Pass | ast.Continue)


def leftovers(path: str, text: str) -> Iterator[str]:
    """Refuse notes to oneself: what is left to do is an issue."""
    yield from _matches(path, text, LEFTOVERS, "left over")


def prints(path: str, text: str) -> Iterator[str]:
    """Refuse print in a library: it has a logger, and its callers have a terminal."""
    if not path.startswith(COMMAND_LINE_LAYER):
        for call, name in calls(text):
            if name == "print":
                yield f"{path}:{call.lineno}: print"


def unsafe_code(path: str, text: str) -> Iterator[str]:
    """Refuse what turns bytes or names into running code."""
    for node in nodes(text, ast.Import, ast.ImportFrom):
        assert isinstance(node, ast.Import | ast.ImportFrom)
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        for name in names:
            if name.partition(".")[0] in UNSAFE_MODULES:
                yield f"{path}:{node.lineno}: imports {name}"
    for call, name in calls(text):
        literal = bool(call.args) and isinstance(call.args[0], ast.Constant)
        if name in UNSAFE_CALLS or (name in IMPORTS_BY_NAME and not literal):
            yield f"{path}:{call.lineno}: calls {name}"


def stray_file_changes(path: str, text: str) -> Iterator[str]:
    """Refuse changes to files outside the one layer that is tested for crashes."""
    if path.startswith(FILE_SYSTEM_LAYER):
        return
    for line, name in uses(text, FILE_CHANGES | SYNCS):
        yield f"{path}:{line}: {name} belongs to the filesystem layer"
    for call, name in calls(text):
        if _writes(call, name):
            yield f"{path}:{call.lineno}: a file is written outside the filesystem layer"


def _writes(call: ast.Call, name: str) -> bool:
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if method in {"write_text", "write_bytes", "touch"}:
        return True
    mode = [*call.args[1:2], *(word.value for word in call.keywords if word.arg == "mode")]
    return name in {"open", "io.open"} and any(
        isinstance(word, ast.Constant) and set(str(word.value)) & set("wax+") for word in mode
    )


def scattered_syncs(sources: Mapping[str, str]) -> Iterator[str]:
    """Refuse a second place that syncs: durability is written once."""
    for wanted in sorted(SYNCS):
        places = [f"{path}:{line}" for path, text in sources.items() for line, _ in uses(text, {wanted})]
        if len(places) > 1:
            yield f"{wanted} in more than one place: {', '.join(places)}"


def imports_only(path: str, text: str) -> Iterator[str]:
    """Keep the public face to imports and `__all__`."""
    for node in tree(text).body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not (docstring or isinstance(node, ast.Import | ast.ImportFrom) or _is_all(node)):
            yield f"{path}:{node.lineno}: more than imports and __all__"


def _is_all(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        return all(dotted(target) == "__all__" for target in node.targets)
    return isinstance(node, ast.AnnAssign) and dotted(node.target) == "__all__"


# --- tests ---


def missing_laws(path: str, text: str) -> Iterator[str]:
    """Ask every test for a docstring of one sentence."""
    for test in _tests(text):
        law = " ".join((ast.get_docstring(test) or "").split())
        if not law.endswith(".") or re.search(r"[.!?] +[A-Z]", law):
            yield f"{path}:{test.lineno}: the docstring of {test.name} is not one sentence"


def missing_assertions(path: str, text: str) -> Iterator[str]:
    """Ask every test for an assertion that its reader can see."""
    for test in _tests(text):
        if not any(_asserts(node) for node in ast.walk(test)):
            yield f"{path}:{test.lineno}: {test.name} asserts nothing"


def _tests(text: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    holders: list[ast.Module | ast.ClassDef] = [tree(text)]
    holders += [node for node in tree(text).body if isinstance(node, ast.ClassDef)]
    for holder in holders:
        for node in holder.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
                yield node


def _asserts(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    name = dotted(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
    return name in {"raises", "warns", "fail"} or name.startswith(("assert_", "check_"))


# --- every file ---


def machine_paths(path: str, text: str) -> Iterator[str]:
    """Refuse paths that exist on one machine only."""
    yield from _matches(path, text, MACHINE_PATHS, "a path of one machine")


def registry_hosts(path: str, text: str) -> Iterator[str]:
    """Refuse addresses of package registries: every machine is told its own."""
    yield from _matches(path, text, REGISTRY_HOSTS, "a registry's address")


def emoji(path: str, text: str) -> Iterator[str]:
    """Refuse pictures between words."""
    yield from _matches(path, text, EMOJI, "emoji")


def _matches(path: str, text: str, pattern: re.Pattern[str], what: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        if found := pattern.search(line):
            yield f"{path}:{number}: {what}: {found.group()!r}"


# --- documents ---

_FENCE = re.compile(r"^( *)(```+|~~~+).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
_MAKE = re.compile(r"(?:^\s*(?:\$ )?|`)(?:[A-Z_]+=\S+ )*make ([a-z][a-z-]*)", re.MULTILINE)


def broken_links(path: str, text: str, files: Mapping[str, str]) -> Iterator[str]:
    """Refuse Markdown links to files or headings that the repository does not hold."""
    folders = {folder for file in files for folder in _parents(file)}
    for match in _LINK.finditer(_FENCE.sub("", text)):
        link = match.group(1) or match.group(2)
        if re.match(r"[a-z]+:", link):
            continue
        target, _, heading = link.partition("#")
        resolved = normpath(join(dirname(path), target)) if target else path
        page = text if resolved == path else files.get(resolved)
        if page is None and resolved not in folders:
            yield f"{path}: links to {target}, which is not there"
        elif heading and resolved.endswith(".md") and heading not in _anchors(page or ""):
            yield f"{path}: links to {link}, a heading that is not there"


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ +(.*?) *$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _parents(file: str) -> Iterator[str]:
    yield "."
    while file := dirname(file):
        yield file


def unknown_targets(path: str, text: str, makefile: str) -> Iterator[str]:
    """Refuse make targets in documents that the Makefile does not know."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    for name in sorted(set(_MAKE.findall(text)) - targets):
        yield f"{path}: `make {name}` is no target"
