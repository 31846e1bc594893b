"""Goes from functions to all the code and constants they name, as far as these are the user's own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType

from milepost.fingerprint.constants import counts_by_source, is_fixed, readable
from milepost.fingerprint.fileuses import Use, use_by_name
from milepost.fingerprint.home import Home, module_name
from milepost.fingerprint.imports import Imported
from milepost.fingerprint.objects import (
    bytecode_digest,
    callables_in,
    cells_of,
    described,
    is_code,
    is_logger,
    opened,
)
from milepost.fingerprint.parts import text_digest
from milepost.fingerprint.promptfiles import PromptFiles
from milepost.fingerprint.reading import Reading, read
from milepost.fingerprint.scopes import Chain
from milepost.fingerprint.sources import Source, source_of
from milepost.fingerprint.world import Finder, Found, World


class Walk:
    """One walk. `parts` maps each name to what was found under it; two things of one name are both kept."""

    def __init__(self, home: Home) -> None:
        """Begin a walk that stays within *home*."""
        self.parts: dict[str, set[str]] = {}
        self.files = PromptFiles()
        self._home = home
        self._finder = Finder(home)
        self._seen: dict[object, object] = {}  # the objects are held, so that no id is used twice
        self._waiting: list[Callable[[], None]] = []

    def run(self, functions: Iterable[object]) -> None:
        """Follow *functions* and all they lead to."""
        for function in functions:
            self._add_root(function)
        while self._waiting:
            self._waiting.pop()()

    def _add_root(self, function: object) -> None:
        """Follow what the caller named; foreign code is noted by name, so that another function is noticed."""
        found = opened(function)
        for one in found.code:
            if not self._owns(one):
                self._note(_foreign_name(one), "(not followed)")
        if isinstance(function, BuiltinFunctionType):
            self._note(_foreign_name(function), "(not followed)")
        self._follow(function)

    def _owns(self, code: FunctionType | type) -> bool:
        if isinstance(code, FunctionType):
            return self._home.owns(code.__globals__) or self._home.owns_file(code.__code__.co_filename)
        module = sys.modules.get(code.__module__)
        return module is not None and self._home.owns(vars(module))

    def _note(self, name: str, text: str) -> None:
        self.parts.setdefault(name, set()).add(text)

    def _once(self, key: object, value: object, task: Callable[[], None]) -> None:
        if key not in self._seen:
            self._seen[key] = value
            self._waiting.append(task)

    # --- functions ---

    def _follow(self, value: object) -> None:
        """Put the code behind *value* in line, and that behind the values bound to it."""
        found = opened(value)
        for one in found.code:
            if isinstance(one, type):
                self._once(id(one), one, lambda one=one: self._class(one))  # type: ignore[misc]
            else:
                self._once(id(one), one, lambda one=one: self._function(one))  # type: ignore[misc]
        names = [_own_name(one) for one in found.code if self._owns(one)]
        for bound in found.values:
            if bound is not None and names:
                self._note(f"{names[0]} (bound)", text_digest(self._value("bound", bound, _NOWHERE)))

    def _function(self, function: FunctionType) -> None:
        if not self._owns(function):
            # A wrapper of somebody else's may hold one of ours.
            for value in cells_of(function).values():
                self._follow_within(value)
            return
        owner = _class_of(function)
        if owner is not None:
            self._follow(owner)
            return
        self._note(_own_name(function), self._digest_of(function))

    def _digest_of(self, function: FunctionType) -> str:
        """Return the digest of one function with its defaults and closure, and follow what it names."""
        code = function.__code__
        source = source_of(code.co_filename, function.__globals__)
        cells = cells_of(function)
        world = World(function.__globals__, module_name(function.__globals__), source, cells)
        nodes = source.functions(code) if source is not None else []
        if not nodes:
            texts = [bytecode_digest(code, function.__doc__), *self._names_in_bytecode(function, world)]
            return text_digest(*texts, *self._cells(cells, frozenset(), set(cells), world))
        reading = read(nodes, world.is_logger)
        texts = [reading.text, *self._names_in(reading, world)]
        changed = reading.changed | (
            self._changed_around(code, source, world) if source is not None and cells else set()
        )
        texts += self._cells(cells, changed, {chain[0] for chain in reading.chains}, world)
        defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        texts += [self._value("default", value, world) for value in defaults if is_fixed(value) or is_code(value)]
        return text_digest(*texts)

    def _changed_around(self, code: CodeType, source: Source, world: World) -> frozenset[str]:
        """Return the names that functions within the same outer function change while the work goes on."""
        return frozenset().union(*(read([one], world.is_logger).changed_within for one in source.statements(code)))

    def _cells(self, cells: dict[str, object], changed: frozenset[str], named: set[str], world: World) -> list[str]:
        """Return what the values of a closure count as; one that the work itself changes counts by its class."""
        texts = []
        for name, value in sorted(cells.items()):
            if name == "__class__" or name not in named or is_logger(value):
                continue
            if name in changed:
                self._follow_within(value)
                texts.append(f"{name}: {type(value).__name__}")
            else:
                texts.append(f"{name}: {self._value(name, value, world)}")
        return texts

    def _value(self, name: str, value: object, world: World) -> str:
        """Return what a bound value counts as, and follow the code in it."""
        self._follow_within(value)
        if is_code(value):
            names = [_own_name(one) for one in opened(value).code if self._owns(one)]
            return "code " + (" ".join(names) if names else described(value))
        return readable(name, value, world)

    def _follow_within(self, value: object) -> None:
        for one in callables_in(value):
            self._follow(one)

    # --- classes ---

    def _class(self, cls: type) -> None:
        if not self._owns(cls):
            return
        for base in cls.__mro__[1:]:
            self._follow(base)
        module = sys.modules[cls.__module__]
        methods = [
            one
            for value in vars(cls).values()
            for one in opened(value).code
            if isinstance(one, FunctionType) and one.__code__.co_qualname.startswith(f"{cls.__qualname__}.")
        ]
        methods = [one for one in methods if not one.__code__.co_filename.startswith("<string>")]
        world = self._finder.of_module(module)
        source = source_of(methods[0].__code__.co_filename, vars(module)) if methods else world.source
        cells = {name: value for method in methods for name, value in cells_of(method).items() if name != "__class__"}
        world = World(vars(module), world.module, source, cells)
        nodes = []
        if source is not None and all(source.functions(method.__code__) for method in methods):
            nodes = source.classes(cls.__qualname__, [method.__code__.co_firstlineno for method in methods])
        if nodes:
            reading = read(nodes, world.is_logger)
            texts = [reading.text, *self._names_in(reading, world)]
            texts += self._cells(cells, reading.changed, {chain[0] for chain in reading.chains}, world)
            self._note(_own_name(cls), text_digest(*texts))
        else:
            self._note(_own_name(cls), text_digest(*self._outline(cls, methods, world)))

    def _outline(self, cls: type, methods: list[FunctionType], world: World) -> list[str]:
        """Return what can be told of a class without its source: its bases, methods and attributes."""
        texts = [f"base {base.__qualname__}" for base in cls.__bases__]
        texts += sorted(f"{method.__name__} {self._digest_of(method)}" for method in methods)
        for name, value in sorted(vars(cls).items()):
            for one in opened(value).code:
                self._follow(one)
            if name == "_fields" or not (name.startswith("_") or opened(value).code or is_logger(value)):
                texts.append(f"{name} {readable(name, value, world)}")
        return texts

    # --- names ---

    def _names_in(self, reading: Reading, world: World) -> list[str]:
        """Follow what a piece of code names, and return the origins of what is not ours."""
        self.files.add_reading(reading, world)
        foreign = set()
        for chain in reading.chains:
            found = self._finder.find(chain, world)
            if found is None or chain[0] in world.cells:
                continue
            if found.foreign is not None:
                foreign.add(f"{chain[0]} = {found.foreign}")
            else:
                self._dispatch(found, chain, reading)
        for one in reading.imports:
            foreign |= self._imported(one, world)
        return sorted(foreign)

    def _names_in_bytecode(self, function: FunctionType, world: World) -> list[str]:
        names = function.__code__.co_names
        chains: set[Chain] = {(name,) for name in names if not isinstance(world.names.get(name), ModuleType)}
        chains |= {(one, other) for one in names if (one,) not in chains for other in names if other != one}
        return self._names_in(read([], world.is_logger)._replace(chains=frozenset(chains)), world)

    def _dispatch(self, found: Found, chain: Chain, reading: Reading) -> None:
        value = found.value
        if is_logger(value):
            return
        if isinstance(value, ModuleType):
            self._whole_module(module_name(vars(value)))
            return
        if "__doc__" in found.rest:
            self._note(f"{found.world.module}.{found.name}.__doc__", readable("doc", value.__doc__, found.world))
        if isinstance(value, str | PurePath):
            use: Use = "write" if chain in reading.written else "read" if chain in reading.loaded else "unknown"
            self.files.add(str(value), use, found.world)
            self.files.add(str(value), use_by_name(found.name), found.world)
        if is_code(value) and any(map(self._owns, opened(value).code)):
            self._follow(value)
            return
        key = ("constant", found.world.module, found.name)
        if not found.name.startswith("__"):
            self._once(key, value, lambda: self._constant(found))

    def _constant(self, found: Found) -> None:
        world, name, value = found.world, found.name, found.value
        self._follow_within(value)
        if counts_by_source(name, value, world):
            assert world.source is not None
            reading = read(world.source.assigned[name], world.is_logger)
            text = text_digest(reading.text, *self._names_in(reading, world))
        else:
            text = readable(name, value, world)
        self._note(f"{world.module}.{name}", text)

    # --- modules that are imported later ---

    def _imported(self, one: Imported, world: World) -> set[str]:
        """Follow an import within a function, and return where a name comes from that is not ours.

        The module may be loaded by now or not, and the fingerprint must be the same either way. So its file is read,
        as a whole.
        """
        module = world.absolute(one)
        within = f"{module}.{one.name}" if one.name is not None else module
        for name in dict.fromkeys((within, module)):
            if self._home.file_of(name) is not None:
                self._whole_module(name)
                return set()
        return {f"{one.bound} = {within}"}

    def _whole_module(self, name: str) -> None:
        self._once(("module", name), None, lambda: self._module(name))

    def _module(self, name: str) -> None:
        file = self._home.file_of(name)
        source = source_of(file, {}) if file is not None else None
        if file is None or source is None:
            self._note(name, "(no source)")
            return
        package = name if file.endswith("__init__.py") else name.rpartition(".")[0]
        names = {"__name__": name, "__file__": file, "__package__": package}
        world = World(names, name, source)
        reading = _whole_reading(source)
        self.files.add_reading(reading, world)
        foreign = set[str]()
        for one in reading.imports:
            foreign |= self._imported(one, world)
        used = {chain[0] for chain in reading.chains}
        self._note(name, text_digest(reading.text, *sorted(line for line in foreign if line.split(" ")[0] in used)))


@lru_cache(maxsize=512)
def _whole_reading(source: Source) -> Reading:
    """Read a module as a whole; once for each state of its file, for every phase of an application names most of it."""
    return read(source.tree.body, lambda chain: True if chain == ("logging",) else None)


_NOWHERE = World({}, "", None)


def _own_name(code: FunctionType | type) -> str:
    if isinstance(code, FunctionType):
        return f"{module_name(code.__globals__)}.{code.__code__.co_qualname}"
    return f"{module_name(vars(sys.modules[code.__module__]))}.{code.__qualname__}"


def _foreign_name(code: object) -> str:
    return f"{getattr(code, '__module__', None) or 'builtins'}.{getattr(code, '__qualname__', type(code).__qualname__)}"


def _class_of(function: FunctionType) -> type | None:
    """Return the class whose body defines *function*, if it is to be found by name."""
    path = function.__code__.co_qualname.split(".")[:-1]
    if not path or "<locals>" in path:
        return None
    owner: object = function.__globals__.get(path[0])
    for name in path[1:]:
        owner = vars(owner).get(name) if isinstance(owner, type) else None
    if not isinstance(owner, type):
        return None
    held = (one for value in vars(owner).values() for one in opened(value).code)
    return owner if any(one is function for one in held) else None
