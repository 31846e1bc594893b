"""What became of the ids of an earlier document, where other records are merged now.

The document itself is a function of its inputs and cannot know its past, so this stands in a file beside it. The file
is written before the new document replaces the old one. Killed in between, the next run compares the same two
documents, finds that what it would add is there already, and adds nothing.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from booksynth import texts
from booksynth.request import CONSOLIDATED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

LINEAGE = "lineage.json"
FORMAT = "booksynth/lineage"
FORMAT_VERSION = 1
# The oldest go first: about fifty changes of everything on a shelf of twenty books.
MOST_CHANGES = 50_000

Change = dict[str, Any]


def keep(folder: Path, document: Mapping[str, Any], write: Callable[[Path, bytes], Any]) -> None:
    """Add to the lineage in *folder* what *document*, which is about to be written there, changes.

    Nothing is written where nothing changes. An earlier document that cannot be read has no say, and is logged.
    """
    before = _read(folder / CONSOLIDATED)
    if before is None:
        return
    known = _known(folder / LINEAGE)
    seen = {texts.digest(one) for one in known}
    new = [one for one in changes(_members(before), _members(document)) if texts.digest(one) not in seen]
    if new:
        kept = [*known, *new][-MOST_CHANGES:]
        content = {"format": FORMAT, "format_version": FORMAT_VERSION, "changes": kept}
        write(folder / LINEAGE, (json.dumps(content, indent=1) + "\n").encode())


def changes(before: Mapping[str, set[str]], after: Mapping[str, set[str]]) -> list[Change]:
    """Return each new id with the old ones that gave it a member, and old ids that have no heir.

    Args:
        before: The digests of the members of each id, of the earlier document.
        after: The same of the later one.
    """
    owners: dict[str, list[str]] = {}
    for id_ in sorted(before.keys() - after.keys()):
        for member in before[id_]:
            owners.setdefault(member, []).append(id_)
    found: list[Change] = []
    inherited: set[str] = set()
    for id_ in sorted(after.keys() - before.keys()):
        olds = sorted({old for member in after[id_] for old in owners.get(member, ())})
        inherited.update(olds)
        if olds:
            found.append({"id": id_, "was": olds})
    gone = sorted(before.keys() - after.keys() - inherited)
    return [*found, *({"id": None, "was": [id_]} for id_ in gone)]


def _members(document: Mapping[str, Any]) -> dict[str, set[str]]:
    return {
        entry["id"]: {variant["digest"] for variant in entry["variants"]}
        for name in ("recommendations", "below_min_confidence")
        for entry in document[name]
    }


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_bytes())
        _members(document)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("the earlier %s cannot be read (%s): its ids have no lineage", path.name, type(error).__name__)
        return None
    return dict(document)


def _known(path: Path) -> list[Change]:
    try:
        found = json.loads(path.read_bytes())["changes"]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s cannot be read (%s) and is begun anew", path.name, type(error).__name__)
        return []
    return list(found)
