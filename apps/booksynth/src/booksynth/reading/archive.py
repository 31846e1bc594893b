"""A ZIP file that nobody vouches for: members by name, never written to disk, never larger than they may be."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib

from booksynth.json_reader import FileError
from booksynth.reading.kinds import Limits

_MEMBERS_PER_PAGE = 20
_STORED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1


class Archive:
    """The members of a ZIP file; together they unpack to no more than the limit."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        """Open the file that *data* is.

        Raises:
            FileError: It is no ZIP file, is cut off, or has more members than a book of so many pages could.
        """
        self._limits = limits
        self._left = round(limits.unpacked_mb * 1_000_000)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            is_cut = data.startswith(b"PK\x03\x04")
            code = "truncated" if is_cut else "not-zip"
            text = "the file is cut off: its table of contents is missing or damaged" if is_cut else "no ZIP file"
            raise FileError(code, text) from error
        self._members = {one.filename: one for one in self._zip.infolist() if not one.is_dir()}
        if len(self._members) > _MEMBERS_PER_PAGE * limits.pages:
            raise FileError("too-many-pages", f"{len(self._members)} parts; max_pages is {limits.pages}")

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a member of that name."""
        return name in self._members

    @property
    def names(self) -> list[str]:
        """The members, in the order of the file."""
        return list(self._members)

    def read(self, name: str) -> bytes:
        """Return the content of a member.

        Raises:
            FileError: There is no such member, it is encrypted or damaged (these three are of this member alone), or
                all that was read is more than `max_unpacked_mb`.
        """
        member = self._members.get(name)
        if member is None:
            raise FileError("missing-part", "it is named in the book and not there")
        if member.flag_bits & _ENCRYPTED:
            raise FileError("encrypted", "it is encrypted with a password")
        if member.compress_type not in _STORED:
            raise FileError("broken-part", f"compressed in a way that no book may be (method {member.compress_type})")
        try:
            # What a member says of its size may be a lie; what comes out of it is counted.
            with self._zip.open(member) as file:
                data = file.read(self._left + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
            raise FileError("broken-part", f"it is damaged ({type(error).__name__})") from error
        if len(data) > self._left:
            raise TooLargeError(self._limits)
        self._left -= len(data)
        return data


class TooLargeError(FileError):
    """The whole book unpacks to more than it may."""

    def __init__(self, limits: Limits) -> None:
        """Name the limit."""
        super().__init__("too-large", f"it unpacks to more than {limits.unpacked_mb:,.0f} MB (max_unpacked_mb)")


def resolved(base: str, reference: str) -> str | None:
    """Return the member that *reference* in the member *base* means; None where it leads out of the archive."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(base), reference))
    return None if path.startswith(("/", "../")) or path in {"..", "."} or "\\" in path else path
