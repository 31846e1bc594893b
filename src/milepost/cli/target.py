"""Finding the workflow that a command names: ``module:workflow`` or ``path/to/file.py:workflow``."""

from __future__ import annotations

import ast
import importlib.util
import os
import pkgutil
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from milepost import Workflow
from milepost.errors import InvalidArgument

_DEFAULT = "workflow"


def workflow_of(target: str) -> Workflow:
    """Return the workflow that *target* names.

    The attribute may be left away: then it is the one called ``workflow``, or the only one there is. The current
    folder, or that of the file, can be imported from, as if the file were run.

    Raises:
        InvalidArgument: There is no such module, file or workflow, or loading it failed.
    """
    place, _, attribute = target.rpartition(":") if ":" in target else (target, "", "")
    if not place:
        raise InvalidArgument(f"{target!r}: give module:workflow or path/to/file.py:workflow.")
    module = _of_file(Path(place)) if place.endswith(".py") or os.sep in place else _of_module(place)
    if not attribute:
        return _only(module, place)
    found = _attribute(module, place, attribute)
    if not isinstance(found, Workflow):
        raise InvalidArgument(f"{target}: this is a {type(found).__name__}, not a milepost.Workflow.")
    return found


def _attribute(module: ModuleType, place: str, attribute: str) -> Any:
    found: Any = module
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            known = ", ".join(_workflows(vars(module))) or "none"
            raise InvalidArgument(f"{place}: it has nothing called {attribute!r}; its workflows: {known}.") from None
    return found


def _only(module: ModuleType, place: str) -> Workflow:
    found = getattr(module, _DEFAULT, None)
    if isinstance(found, Workflow):
        return found
    workflows = _workflows(vars(module))
    if len(workflows) != 1:
        known = ", ".join(workflows) or "none"
        raise InvalidArgument(f"{place}: which workflow? It has {known}; give {place}:NAME.")
    return next(iter(workflows.values()))


def _workflows(names: Mapping[str, Any]) -> dict[str, Workflow]:
    return {name: value for name, value in names.items() if isinstance(value, Workflow)}


def _of_module(name: str, folder: Path | None = None) -> ModuleType:
    _put_on_path(folder or Path.cwd())
    try:
        found = pkgutil.resolve_name(f"{name}:")
    except ValueError:
        raise InvalidArgument(f"{name!r}: this is no module name; give module:workflow or a file.") from None
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise InvalidArgument(
                f"no module {error.name!r} from {Path.cwd()}; run this where it can be imported, or give the file."
            ) from None
        raise _not_loaded(name, error) from error
    except Exception as error:
        raise _not_loaded(name, error) from error
    assert isinstance(found, ModuleType), "a name without an attribute is a module"
    return found


def _of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InvalidArgument(f"{path}: there is no such file.")
    packaged = _name_in_package(path.absolute())
    if packaged is not None:
        return _of_module(*packaged)
    known = sys.modules.get(path.stem)
    if known is not None and getattr(known, "__file__", None) != str(path.absolute()):
        raise InvalidArgument(f"{path}: a module called {path.stem!r} is loaded already; give the file another name.")
    spec = importlib.util.spec_from_file_location(path.stem, path.absolute())
    if spec is None or spec.loader is None:
        raise InvalidArgument(f"{path}: this is no Python file.")
    _put_on_path(path.absolute().parent)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # workers find the functions of the file by its name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _not_loaded(str(path), error) from error
    return module


def _name_in_package(path: Path) -> tuple[str, Path] | None:
    """Return the module name of a file that imports its neighbours relatively, and the folder of its package.

    None for any other file: it keeps its bare name, by which its functions are known when it is run as a script.
    """
    folder, names = path.parent, [path.stem]
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        names.insert(0, folder.name)
        folder = folder.parent
    return (".".join(names), folder) if len(names) > 1 and _imports_relatively(path) else None


def _imports_relatively(path: Path) -> bool:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return False  # told when it is loaded
    return any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))


def _put_on_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _not_loaded(place: str, error: Exception) -> InvalidArgument:
    if isinstance(error, SyntaxError):
        return InvalidArgument(f"{error.filename}:{error.lineno}: {error.msg}.")
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return InvalidArgument(f"{place} could not be loaded: {type(error).__name__}: {error}{where}.")
