"""The files that code names: prompts, templates and settings, which count by content."""

from __future__ import annotations

from os import getcwd
from os import path as os_path
from pathlib import PurePath
from types import ModuleType

from milepost.errors import MilepostError
from milepost.fingerprint.filedigests import FileDigests
from milepost.fingerprint.fileuses import Use, counts_unread, looks_like_file, path_of
from milepost.fingerprint.parts import text_digest
from milepost.fingerprint.reading import Reading
from milepost.fingerprint.scopes import Chain
from milepost.fingerprint.world import World


class PromptFiles:
    """Collects the files that pieces of code name, and what is done with them.

    A job's own results must not count, or each run would make the next one stale. So a file that some of the code
    writes is left out, and one that is only named counts if its suffix says that it is text for reading.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._uses: dict[str, set[Use]] = {}
        self._names: dict[str, str] = {}

    def add_reading(self, reading: Reading, world: World) -> None:
        """Take in the files that a piece of code names, which looks its names up in *world*."""
        written = {chain[0] for chain in reading.written}
        loaded = {chain[0] for chain in reading.loaded}

        def look_up(chain: Chain) -> str | None:
            return _path_held(chain, world)

        for use in reading.files:
            path = path_of(use.node, look_up, reading.assigned)
            if path is not None:
                self.add(path, use.use, world)
                if not written.isdisjoint(use.targets):
                    self.add(path, "write", world)
                if not loaded.isdisjoint(use.targets):
                    self.add(path, "read", world)

    def add(self, path: str, use: Use, world: World) -> None:
        """Take in one path, relative to the module of *world* or to the working directory, if it is a file."""
        if not looks_like_file(path):
            return
        for base in (folder_of(world), getcwd()):
            whole = os_path.normpath(os_path.join(base, path))
            if os_path.isfile(whole):
                self._uses.setdefault(whole, set()).add(use)
                self._names.setdefault(whole, near(whole, world))
                return

    def parts(self, digests: FileDigests) -> dict[str, str]:
        """Return name and digest of the files that count."""
        found: dict[str, list[str]] = {}
        for path, uses in sorted(self._uses.items()):
            if "write" in uses or not ("read" in uses or counts_unread(path)):
                continue
            try:
                content = digests.of(path)
            except MilepostError:  # not ours to read: the code will say so, if it ever tries
                content = "(cannot be read)"
            found.setdefault(self._names[path], []).append(content)
        return {name: text_digest(*texts) if len(texts) > 1 else texts[0] for name, texts in found.items()}


def folder_of(world: World) -> str:
    """Return the folder of a module; the working directory for code without a file."""
    file = world.names.get("__file__")
    return os_path.dirname(os_path.abspath(file)) if file else getcwd()


def near(path: str, world: World) -> str:
    """Return *path* relative to the module's folder, the top package's or the working directory, as it lies below.

    What is below none of them stays as it is. So a checkout may be moved as a whole.
    """
    folder = folder_of(world)
    top = folder
    for _ in range(world.module.count(".")):
        top = os_path.dirname(top)
    for base in (folder, top, getcwd()):
        if path == base or path.startswith(base.rstrip(os_path.sep) + os_path.sep):
            return PurePath(os_path.relpath(path, base)).as_posix()
    return path


def _path_held(chain: Chain, world: World) -> str | None:
    known, value = world.look_up(chain[0])
    for name in chain[1:]:
        if not known or not isinstance(value, ModuleType | type):
            return None
        known, value = name in vars(value), vars(value).get(name)
    return str(value) if known and isinstance(value, str | PurePath) else None
