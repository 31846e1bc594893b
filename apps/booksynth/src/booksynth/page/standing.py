"""The page of a list that stands in a folder already."""

from __future__ import annotations

import json
from pathlib import Path

from booksynth.page.model import NotADocumentError, checked
from booksynth.page.rendering import page_of
from booksynth.report import shown
from booksynth.request import CONSOLIDATED, PAGE
from milepost import write_durably
from milepost.errors import InvalidArgument


def remake(output_dir: Path) -> tuple[Path, int]:
    """Write the page beside the list of *output_dir*; return its path, and how many recommendations it shows.

    Raises:
        InvalidArgument: There is no list, it cannot be read, or it is none that this version writes.
        milepost.StorageError: The page could not be written; one that stood before still stands.
    """
    path = output_dir / CONSOLIDATED
    try:
        document = checked(json.loads(path.read_bytes()))
    except FileNotFoundError as error:
        raise InvalidArgument(f"no {CONSOLIDATED} in {shown(output_dir)}: run phase 3 first") from error
    except OSError as error:
        raise InvalidArgument(f"{shown(path)}: cannot be read: {error.strerror}") from error
    except NotADocumentError as error:
        raise InvalidArgument(
            f"{shown(path)}: not a list that this version shows: {error}; run phase 3 again"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"{shown(path)}: not JSON, or cut off: {error}; run phase 3 again") from error
    write_durably(output_dir / PAGE, page_of(document).encode())
    return output_dir / PAGE, len(document.recommendations)
