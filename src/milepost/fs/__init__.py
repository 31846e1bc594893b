"""The filesystem seam: the only place in Milepost that talks to the operating system about files."""

from milepost.fs.durable import TEMPORARY_SUFFIX, Content, NotSynced, new_file, read_all, write_all
from milepost.fs.installed import current, drill_listener, use
from milepost.fs.seam import FileKind, FileSystem, OpenMode, Stat
from milepost.fs.system import SystemFiles

__all__ = [
    "TEMPORARY_SUFFIX",
    "Content",
    "FileKind",
    "FileSystem",
    "NotSynced",
    "OpenMode",
    "Stat",
    "SystemFiles",
    "current",
    "drill_listener",
    "new_file",
    "read_all",
    "use",
    "write_all",
]
