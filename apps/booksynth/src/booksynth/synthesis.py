"""The text of a merged recommendation by a language model, with the source of each step; else the merged one stays."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic import Field as Limited

from booksynth import texts
from booksynth.entries import order

if TYPE_CHECKING:
    import milepost
    from booksynth.models.client import Client, Question
    from booksynth.models.errors import NotAllowedError
    from booksynth.models.settings import ModelsSettings
    from booksynth.settings import Settings

Entry = dict[str, Any]

LOOP = "synthesis"
ID_CHARS = 12
MIN_RECORD_CHARS = 200
MAX_STEPS = 10
_FIELDS = ("title", "description", "technical_details", "implementation_steps", "expected_impact")
_CUT = " […]"

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Body = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20_000)]


class Step(BaseModel):
    """One step, and the ids of the records that say it."""

    model_config = ConfigDict(extra="forbid")
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
    sources: Annotated[list[str], Limited(min_length=1)]


class Text(BaseModel):
    """The text of one merged recommendation."""

    model_config = ConfigDict(extra="forbid")
    title: Line
    description: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
    technical_details: Body
    steps: Annotated[list[Step], Limited(max_length=MAX_STEPS)]


def is_wanted(settings: ModelsSettings) -> bool:
    """Tell whether a model is to write the texts."""
    return settings.model is not None and settings.synthesise


def parts_of_results(settings: ModelsSettings) -> dict[str, Any]:
    """Return the settings of the model that have a part in the texts; none where no model is asked."""
    if not is_wanted(settings):
        return {}
    limits = {"max_input_chars": settings.max_input_chars, "max_corrections": settings.max_corrections}
    return {"models": settings.parts_of_results() | limits}


def synthesise(phase: milepost.Phase, document: Mapping[str, Any], config: Settings) -> dict[str, Any]:
    """Return *document* with texts by the model that is set, in each entry of several records; `synthesis` says so.

    A request that failed leaves the merged text, with the reason, and is made again by the next run.

    Raises:
        MissingExtra: booksynth[models] is not installed.
        NotAllowedError: The provider refuses the key or the model, or there is no key.
        BudgetReached: A call could exceed a limit.
    """
    if not is_wanted(config.models):
        return dict(document)
    from booksynth.models import opening

    asked = {one["id"]: one for one in document["recommendations"] if len(one["variants"]) > 1}
    with opening.client(config) as client:
        writer = _Writer(client, config.models)
        phase.map(
            writer.texts,
            asked.values(),
            key=_id,
            name=LOOP,
            version=partial(_version, config.models),
            executor="threads",
            workers=config.models.parallel_calls,
            on_error="skip",
        )
    if writer.hopeless is not None:
        raise writer.hopeless
    written, failed = phase.results(LOOP), phase.failures(LOOP)
    kept = [
        _done(one, written.get(one["id"]), failed.get(one["id"]), config.models) for one in document["recommendations"]
    ]
    return {**document, "recommendations": sorted(kept, key=order)}


def outcome(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many texts a model wrote, and the reasons why it did not write others, by how often each is given."""
    said = [one.get("synthesis") or {"by": "merge", "reason": None} for one in document["recommendations"]]
    reasons = Counter(one["reason"] for one in said if one["reason"])
    return {"by_model": sum(one["by"] == "model" for one in said), "reasons": dict(sorted(reasons.items()))}


def _id(entry: Entry) -> str:
    return str(entry["id"])


def _version(settings: ModelsSettings, entry: Entry) -> str:
    from booksynth.models.prompts import SYNTHESIS

    shown = material(entry, settings)
    return texts.digest([parts_of_results(settings), SYNTHESIS, shown.text, shown.reason])


class _Writer:
    """Asks for the texts of entries; an object, so that what it holds has no part in the fingerprint of its work."""

    def __init__(self, client: Client, settings: ModelsSettings) -> None:
        self._client = client
        self._settings = settings
        self.hopeless: NotAllowedError | None = None

    def texts(self, entry: Entry) -> dict[str, Any]:
        """Return what replaces the texts of *entry*, or the reason why nothing does.

        Raises:
            FailedError: The request failed; the next run makes it again.
            NotAllowedError: So will all others, which are not made any more.
        """
        from booksynth.models.errors import FailedError, NoAnswerError, NotAllowedError

        if self.hopeless is not None:
            raise self.hopeless
        shown = material(entry, self._settings)
        if shown.reason is not None:
            return {"reason": shown.reason}
        try:
            answer = self._client.ask(question(shown))
        except NotAllowedError as error:
            self.hopeless = error
            raise
        except FailedError:
            raise
        except NoAnswerError as error:
            return {"reason": str(error)}
        return {"reason": None, **answer.model_dump()}


@dataclass(frozen=True)
class Material:
    """What a model is shown of an entry: the *text*, and the *ids* in it; or the *reason* why it is asked nothing."""

    text: str = ""
    ids: frozenset[str] = frozenset()
    reason: str | None = None


def material(entry: Entry, settings: ModelsSettings) -> Material:
    """Return what a model is shown of *entry*: nothing, if it is of one record, or of more than a request can hold."""
    variants = entry["variants"]
    share = settings.max_input_chars // len(variants)
    if len(variants) == 1:
        return Material()
    if share < MIN_RECORD_CHARS:
        return Material(
            reason=f"too-long: {len(variants)} records do not fit into {settings.max_input_chars} characters"
        )
    ids = short_ids(entry)
    records = [
        {"id": short, "books": _books(entry, {one["digest"]}), **_fields(one["fields"], share)}
        for short, one in zip(ids, variants, strict=True)
    ]
    return Material(json.dumps({"records": records}, ensure_ascii=False, indent=1), frozenset(ids))


def question(shown: Material) -> Question[Text]:
    """Return what a model is asked."""
    from booksynth.models.client import Question
    from booksynth.models.prompts import SYNTHESIS

    return Question("phase_3", SYNTHESIS, shown.text, Text, partial(_check, shown.ids))


def short_ids(entry: Entry) -> dict[str, str]:
    """Return the digest of each record of *entry* by the beginning of it that stands for it in a prompt."""
    digests = [str(one["digest"]) for one in entry["variants"]]
    chars = ID_CHARS
    while len({one[:chars] for one in digests}) < len(digests):
        chars += 1
    return {one[:chars]: one for one in digests}


def _fields(fields: Mapping[str, Any], share: int) -> dict[str, Any]:
    """Return the fields that a model sees, cut to *share* characters from the last one backwards."""
    left = share
    found: dict[str, Any] = {}
    for name in _FIELDS:
        value = fields.get(name)
        text = "\n".join(value) if isinstance(value, list) else str(value or "")
        if text and left > 0:
            found[name] = text if len(text) <= left else text[:left] + _CUT
            left -= len(text)
    return found


def _check(ids: frozenset[str], answer: Text) -> None:
    unknown = sorted({source for step in answer.steps for source in step.sources} - ids)
    if unknown:
        message = f"sources that are not in the message: {', '.join(unknown[:5])}. Use only: {', '.join(sorted(ids))}"
        raise ValueError(message)


def _done(
    entry: Entry, written: Mapping[str, Any] | None, failed: Mapping[str, Any] | None, settings: ModelsSettings
) -> Entry:
    if written is None or written["reason"] is not None:
        reason = written["reason"] if written else failed["message"] if failed else None
        return {**entry, "synthesis": {"by": "merge", "reason": reason}}
    steps = [{"text": one["text"], **_origin(entry, one["sources"])} for one in written["steps"]]
    return {
        **entry,
        "title": written["title"],
        "description": written["description"],
        "technical_details": written["technical_details"],
        "implementation_steps": steps,
        "further_steps": [],
        "synthesis": {"by": "model", "model": settings.model, "reason": None},
    }


def _origin(entry: Entry, sources: Sequence[str]) -> dict[str, Any]:
    """Return how many books say a step, and which records."""
    ids = short_ids(entry)
    digests = {ids[one] for one in sources}
    return {"votes": len(_books(entry, digests)), "sources": sorted(digests)}


def _books(entry: Entry, digests: set[str]) -> list[str]:
    """Return the books that hold one of these records."""
    return sorted({str(one["book"]) for one in entry["sources"] if one["variant"] in digests})
