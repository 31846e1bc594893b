"""The filesystem seam: the only place in Milepost that talks to the operating system about files."""

from milepost.fs.durable import TEMPORARY_SUFFIX, new_file
from milepost.fs.seam import FileKind, FileSystem, OpenMode, Stat, current, use
from milepost.fs.system import SystemFiles

__all__ = [
    "TEMPORARY_SUFFIX",
    "FileKind",
    "FileSystem",
    "OpenMode",
    "Stat",
    "SystemFiles",
    "current",
    "new_file",
    "use",
]
