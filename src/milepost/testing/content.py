"""A file's bytes as an immutable tuple of pages, so that a copy of a disk costs nothing."""

from __future__ import annotations

PAGE_BYTES = 4096
SECTOR_BYTES = 512
_HOLE = bytes(PAGE_BYTES)  # compared by identity: a page of written zeros is not a hole


class Content:
    """Bytes that never change: every edit gives a new `Content` that shares the untouched pages.

    Bytes of the last page behind the end of the file are always zero, so that extending shows zeros.
    A page that was never written is a hole and takes no space.
    """

    __slots__ = ("_pages", "size")

    def __init__(self, pages: tuple[bytes, ...] = (), size: int = 0) -> None:
        """Hold *size* bytes in *pages*, each of them `PAGE_BYTES` long."""
        self._pages = pages
        self.size = size

    @classmethod
    def of(cls, data: bytes, offset: int = 0) -> Content:
        """Return content that holds *data* at *offset*, behind a hole."""
        stop = offset + len(data)
        pages = [_HOLE] * (offset // PAGE_BYTES)
        for index in pages_between(offset, stop):
            start = index * PAGE_BYTES
            low, high = max(offset - start, 0), min(stop - start, PAGE_BYTES)
            page = _HOLE[:low] + data[start + low - offset : start + high - offset] + _HOLE[high:]
            pages.append(bytes(bytearray(page)) if page is _HOLE else page)  # read from a hole and written back
        return cls(tuple(pages), stop)

    def __eq__(self, other: object) -> bool:
        """Tell whether both hold the same bytes; pages that are shared are not looked at."""
        return isinstance(other, Content) and self.size == other.size and self._pages == other._pages

    def __hash__(self) -> int:
        return hash((self.size, self._pages))

    def read(self, offset: int = 0, size: int | None = None) -> bytes:
        """Return up to *size* bytes at *offset* (all, if None); fewer where the content ends."""
        stop = self.size if size is None else min(self.size, offset + size)
        if offset >= stop:
            return b""
        first = offset // PAGE_BYTES
        pages = self._pages[first : (stop - 1) // PAGE_BYTES + 1]
        start = first * PAGE_BYTES
        return b"".join(pages)[offset - start : stop - start]

    def spliced(self, source: Content, start: int, stop: int) -> Content:
        """Return this content with the bytes from *start* up to *stop* as *source* has them at the same place.

        Whole pages are shared with *source*. A gap before *start* is a hole.
        """
        if start >= stop:
            return self
        size = max(self.size, stop)
        pages = list(self._pages)
        pages.extend([_HOLE] * (_pages_of(size) - len(pages)))
        for index in pages_between(start, stop):
            base = index * PAGE_BYTES
            low, high = max(start - base, 0), min(stop - base, PAGE_BYTES)
            page, new = pages[index], source._pages[index]
            shared = low == 0 and (high == PAGE_BYTES or (base + high == size and source.size <= stop))
            pages[index] = new if shared else page[:low] + new[low:high] + page[high:]
        return Content(tuple(pages), size)

    def resized(self, size: int) -> Content:
        """Return this content cut or extended to *size* bytes."""
        if size == self.size:
            return self
        count = _pages_of(size)
        if size > self.size:
            return Content(self._pages + (_HOLE,) * (count - len(self._pages)), size)
        pages = list(self._pages[:count])
        tail = size % PAGE_BYTES
        if tail and pages[-1] is not _HOLE:
            pages[-1] = pages[-1][:tail] + _HOLE[tail:]
        return Content(tuple(pages), size)

    def with_page_of(self, other: Content, index: int) -> Content:
        """Return this content with page *index* as *other* has it; zeros where *other* has none."""
        pages = list(self._pages)
        page = other._pages[index] if index < len(other._pages) else _HOLE
        used = self.size - index * PAGE_BYTES
        if used < PAGE_BYTES and page is not _HOLE:
            page = page[:used] + _HOLE[used:]
        pages[index] = page
        return Content(tuple(pages), self.size)

    def is_hole(self, index: int) -> bool:
        """Tell whether page *index* takes no space."""
        return index >= len(self._pages) or self._pages[index] is _HOLE

    def fitting(self, offset: int, size: int, free_pages: int) -> int:
        """Return how many of *size* bytes at *offset* fit when only *free_pages* pages may be added."""
        for index in pages_between(offset, offset + size):
            if self.is_hole(index):
                if not free_pages:
                    return max(0, index * PAGE_BYTES - offset)
                free_pages -= 1
        return size

    @property
    def page_count(self) -> int:
        """The number of pages, holes included."""
        return len(self._pages)

    @property
    def blocks(self) -> int:
        """The number of pages that take space."""
        return sum(page is not _HOLE for page in self._pages)


EMPTY = Content()


def pages_between(start: int, stop: int) -> range:
    """Return the indexes of the pages that hold the bytes from *start* up to *stop*."""
    return range(start // PAGE_BYTES, _pages_of(stop) if stop > start else start // PAGE_BYTES)


def _pages_of(size: int) -> int:
    return -(-size // PAGE_BYTES)
