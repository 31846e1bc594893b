"""Looks names up where code would: in closures, in the module, and along imports to where a name comes from."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, NamedTuple

from milepost.fingerprint.home import Home, loaded, module_name
from milepost.fingerprint.imports import Imported
from milepost.fingerprint.objects import is_logger
from milepost.fingerprint.scopes import Chain
from milepost.fingerprint.sources import Source, source_of

_MOST_HOPS = 20


@dataclass(frozen=True, eq=False)
class World:
    """Where a piece of code looks its names up: the *cells* of its closure, then the *names* of its module."""

    names: Mapping[str, Any]
    module: str
    source: Source | None
    cells: Mapping[str, object] = field(default_factory=dict)

    def look_up(self, name: str) -> tuple[bool, object]:
        """Tell whether *name* is known outside the built-ins, and what it stands for."""
        for names in (self.cells, self.names):
            if name in names:
                return True, names[name]
        return False, None

    def is_logger(self, chain: Chain) -> bool | None:
        """Tell whether a chain of names is a logger; None where nothing is known of it."""
        found, value = self.look_up(chain[0])
        for name in chain[1:]:
            if found and is_logger(value):
                return True
            if not found or not isinstance(value, ModuleType | type):
                return None
            found, value = name in vars(value), vars(value).get(name)
        return is_logger(value) if found else None

    def absolute(self, one: Imported) -> str:
        """Return the full name of the module that an import statement names."""
        if one.level == 0:
            return one.module
        package = self.names.get("__package__") or self.module.rpartition(".")[0]
        base = package.rsplit(".", one.level - 1)[0] if one.level > 1 else package
        return f"{base}.{one.module}".strip(".")


class Found(NamedTuple):
    """What a chain of names leads to.

    *foreign* is where the name was imported from, if that is not the user's own code. Otherwise *value* is found under
    *name* in the module of *world*, and *rest* are the attributes asked of it.
    """

    value: object
    world: World
    name: str
    rest: Chain = ()
    foreign: str | None = None


class Finder:
    """Finds what names stand for, and remembers the modules it went through."""

    def __init__(self, home: Home) -> None:
        """Look for what belongs to *home*."""
        self._home = home
        self._worlds: dict[str, World] = {}

    def of_module(self, module: ModuleType) -> World:
        """Return where the code of a module looks its names up."""
        name = module_name(vars(module))
        if name not in self._worlds:
            file = getattr(module, "__file__", None)
            source = source_of(file, vars(module)) if file else None
            self._worlds[name] = World(vars(module), name, source)
        return self._worlds[name]

    def find(self, chain: Chain, world: World) -> Found | None:
        """Return what *chain* leads to from *world*, or None for a built-in or a name that is not there yet."""
        known, value = world.look_up(chain[0])
        if not known:
            return None
        if chain[0] in world.cells:
            return Found(value, world, chain[0], chain[1:])
        position = 0
        while isinstance(value, ModuleType):
            if not self._home.owns(vars(value)):
                return Found(value, world, chain[position], foreign=self._dotted(chain[position], world, value))
            position += 1
            if position == len(chain):
                return Found(value, world, chain[-1])
            world, name = self.of_module(value), chain[position]
            if name not in world.names and f"{value.__name__}.{name}" not in sys.modules:
                return None
            value = world.names.get(name, sys.modules.get(f"{value.__name__}.{name}"))
        return self._origin(Found(value, world, chain[position], chain[position + 1 :]))

    def _origin(self, found: Found) -> Found:
        """Go along ``from a import b`` to the module that makes the name."""
        for _ in range(_MOST_HOPS):
            source = found.world.source
            one = source.imports.get(found.name) if source is not None else None
            if one is None or one.name is None:
                break
            target = loaded(found.world.absolute(one))
            if target is None or not self._home.owns(vars(target)):
                return found._replace(foreign=f"{found.world.absolute(one)}.{one.name}")
            found = found._replace(world=self.of_module(target), name=one.name)
        return found

    @staticmethod
    def _dotted(name: str, world: World, module: ModuleType) -> str:
        """Return what a module was imported as: libraries move their modules about, and their names with them."""
        one = world.source.imports.get(name) if world.source is not None else None
        if one is None:
            return module.__name__
        whole = world.absolute(one)
        if one.name is not None:
            return f"{whole}.{one.name}"
        return whole if name != whole.partition(".")[0] else name
