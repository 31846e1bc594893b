"""What the page reads of ``consolidated_recommendations.json``, checked field by field.

A model for each part: a document from elsewhere, or one that was edited, is refused with the place of its fault.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from booksynth.texts import printable

FAULTS_SHOWN = 3

# Beyond these a document is damaged, and sums of them could fail.
Count = Annotated[int, Field(ge=0, le=2**53)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Hours = Annotated[float, Field(ge=0, le=2**53, allow_inf_nan=False)]


class _Part(BaseModel):
    """A part of the document; what the page does not show is not looked at."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class File(_Part):
    """A file of a book."""

    file: str
    role: str
    raw: Count


class Book(_Part):
    """A book of the shelf; `recommendations` counts those that differ within it."""

    title: str
    key: str
    recommendations: Count
    raw: Count
    files: list[File]


class Theme(_Part):
    """A looser group of recommendations."""

    id: str
    title: str
    recommendations: list[str]
    books: list[str]
    book_count: Count


class Step(_Part):
    """A step, and how many books have it."""

    text: str
    votes: Count


class Effort(_Part):
    """What the books think that it takes, in hours; texts that say no number are in `unknown`."""

    median_hours: Hours | None
    low_hours: Hours | None
    high_hours: Hours | None
    stated: Count
    unknown: list[str]


class Dependency(_Part):
    """What a recommendation depends on, as a book says it."""

    text: str
    id: str | None
    is_cyclic: bool


class Synthesis(_Part):
    """Who put the text together; for a model that failed, why the merge stands in."""

    by: Literal["merge", "model"]
    model: str | None = None
    reason: str | None = None


class Variant(_Part):
    """A record as it stands in a book; it may hold any field, so the page looks at each with care."""

    digest: str
    fields: dict[str, Any]


class Source(_Part):
    """A place where a variant stands."""

    book: str
    file: str
    bucket: str
    iterations: list[Any]
    where: str
    chapter: str
    title: str
    variant: str


class Recommendation(_Part):
    """A merged recommendation with everything that was merged into it."""

    id: str
    title: str
    priority: str
    priority_votes: dict[str, Count]
    confidence: Share
    cohesion: Share
    theme: str | None
    book_count: Count
    books: list[str]
    category_votes: dict[str, Count]
    description: str
    technical_details: str
    implementation_steps: list[Step]
    further_steps: list[Step]
    expected_impact: str
    effort: Effort
    dependencies: list[Dependency]
    titles: list[str]
    variants: list[Variant]
    sources: list[Source]
    synthesis: Synthesis


class Unused(_Part):
    """A file that was not used, and why."""

    file: str
    reason: str


class Problem(_Part):
    """Something wrong in a file."""

    file: str
    where: str
    reason: str


class Totals(_Part):
    """The counts of the document."""

    raw: Count
    unique: Count
    books_with_content: Count


class Document(_Part):
    """The consolidated document, as far as the page shows it."""

    format: Literal["booksynth/consolidated-recommendations"]
    format_version: Literal[2]
    books: list[Book]
    themes: list[Theme]
    recommendations: list[Recommendation]
    below_min_confidence: list[Any]
    files_not_used: list[Unused]
    problems: list[Problem]
    totals: Totals


class NotADocumentError(ValueError):
    """The data is no consolidated document that the page can show; the message says where it is not."""


def checked(document: Any) -> Document:
    """Return JSON data as a document.

    Raises:
        NotADocumentError: It has another form.
    """
    try:
        return Document.model_validate(document)
    except ValidationError as error:
        raise NotADocumentError(_faults(error)) from error


def _faults(error: ValidationError) -> str:
    faults = [
        f"{'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg'][0].lower()}{one['msg'][1:]}"
        for one in error.errors(include_url=False, include_input=False)
    ]
    more = [f"and {len(faults) - FAULTS_SHOWN:,} more"] if len(faults) > FAULTS_SHOWN else []
    return printable("; ".join([*faults[:FAULTS_SHOWN], *more]))
