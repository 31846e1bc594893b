"""Which modules are the user's own, and what they are called."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from os import getcwd
from os import path as os_path
from types import FunctionType, ModuleType
from typing import Any

_INSTALLED = frozenset({"dist-packages", "site-packages"})
_OWN = __name__.partition(".")[0]


class Home:
    """The package, or the script's folder, that the fingerprinted functions live in.

    Milepost itself never is: a newer version of it must not make old progress stale.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._packages: set[str] = set()
        self._folders: set[str] = set()
        self._modules: set[str] = set()

    def add(self, module: Mapping[str, Any]) -> None:
        """Take in the package or folder of a module, given by its global names."""
        name = module_name(module)
        top = name.partition(".")[0]
        if top in {"", _OWN} or (top in sys.stdlib_module_names and not name.startswith("__main__")):
            return
        self._modules.add(name)
        if hasattr(sys.modules.get(top), "__path__"):
            self._packages.add(top)
            return
        file = module.get("__file__")
        folder = os_path.dirname(os_path.abspath(file)) if file else getcwd()
        if _INSTALLED.isdisjoint(folder.split(os_path.sep)):
            self._folders.add(folder)

    def add_code(self, code: FunctionType | type) -> None:
        """Take in the package or folder of a function or class."""
        if isinstance(code, FunctionType):
            self.add(code.__globals__)
        else:
            module = sys.modules.get(code.__module__)
            if module is not None:
                self.add(vars(module))

    def owns(self, module: Mapping[str, Any]) -> bool:
        """Tell whether a module, given by its global names, belongs here."""
        name = module_name(module)
        return self.owns_name(name) or (name.partition(".")[0] != _OWN and self.owns_file(module.get("__file__")))

    def owns_name(self, name: str) -> bool:
        """Tell whether a module belongs here by its name alone."""
        return name in self._modules or name.partition(".")[0] in self._packages

    def owns_file(self, file: str | None) -> bool:
        """Tell whether a file lies in one of the folders, other than as an installed package."""
        if not file:
            return False
        whole = os_path.abspath(file)
        below = [folder for folder in self._folders if whole.startswith(folder.rstrip(os_path.sep) + os_path.sep)]
        return any(_INSTALLED.isdisjoint(whole[len(folder) :].split(os_path.sep)) for folder in below)

    def file_of(self, name: str) -> str | None:
        """Return the file of a module that belongs here, found without importing it and whether or not it is loaded."""
        top, _, rest = name.partition(".")
        loaded = sys.modules.get(top)
        parts = rest.split(".") if rest else []
        if top in self._packages and loaded is not None:
            bases = [os_path.join(folder, *parts) for folder in loaded.__path__]
        else:
            bases = [os_path.join(folder, top, *parts) for folder in sorted(self._folders)]
        candidates = [file for base in bases for file in (f"{base}.py", os_path.join(base, "__init__.py"))]
        return next(filter(os_path.isfile, candidates), None)


def module_name(module: Mapping[str, Any]) -> str:
    """Return the name of a module, given by its global names.

    A script is called what it would be called if it were imported, so that its parts have the same names either way.
    """
    name = str(module.get("__name__") or "")
    if name != "__main__":
        return name
    spec = module.get("__spec__")
    if spec is not None:
        return str(spec.name)
    file = module.get("__file__")
    return os_path.splitext(os_path.basename(file))[0] if file else name


def loaded(name: str) -> ModuleType | None:
    """Return a module that is loaded under *name*, be it as the script that runs."""
    found = sys.modules.get(name)
    if found is not None:
        return found
    script = sys.modules.get("__main__")
    return script if script is not None and module_name(vars(script)) == name else None
