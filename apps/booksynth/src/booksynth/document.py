"""The form of ``consolidated_recommendations.json``, as types and as a JSON schema."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from booksynth.settings import Phase3Settings


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class File(_Part):
    """A tracker of a book."""

    file: str
    title: str
    role: Literal["used", "identical", "stub", "empty"]
    raw: int = Field(ge=0, description="Recommendations in the file, repetitions included.")


class Book(_Part):
    """A book, whatever number of trackers it has."""

    title: str
    key: str = Field(description="The title, as titles are compared.")
    recommendations: int = Field(ge=0)
    raw: int = Field(ge=0)
    files: list[File]


class Theme(_Part):
    """Recommendations that belong together, though they do not say the same."""

    id: str = Field(pattern="^theme-[0-9a-f]{16}$")
    title: str
    recommendations: list[str] = Field(min_length=2)
    books: list[str] = Field(min_length=1)
    book_count: int = Field(ge=1)


class Step(_Part):
    """A step, with the number of books that give it."""

    text: str
    votes: int = Field(ge=1)
    sources: list[str] = Field(
        default=[], description="Where a model wrote the step: the digests of the variants that say it."
    )


class Effort(_Part):
    """Hours of working time, as books state them. What cannot be read is unknown, and never zero."""

    median_hours: float | None = Field(description="The median, with one voice for each book.")
    low_hours: float | None
    high_hours: float | None
    stated: int = Field(ge=0, description="Books with an estimate that can be read.")
    unknown: list[str] = Field(description="Estimates that cannot be read, as they were given.")


class Dependency(_Part):
    """What books say must come before."""

    text: str
    id: str | None = Field(description="The recommendation that is meant; null where none has such a title.")
    is_cyclic: bool = Field(description="Whether the way through dependencies leads back.")


class ByMerge(_Part):
    """Text of a record, as it was; the reason tells why a model's was not used, where one was asked."""

    by: Literal["merge"]
    reason: str | None


class ByModel(_Part):
    """Text that a model wrote of the members."""

    by: Literal["model"]
    model: str
    reason: None


class Variant(_Part):
    """A record that was merged, with all its fields as they were."""

    digest: str
    fields: dict[str, Any]


class Source(_Part):
    """A place where a record stands."""

    book: str
    file: str
    bucket: str
    iterations: list[int]
    where: str = Field(description="JSON path into the file.")
    chapter: str
    title: str
    variant: str


class Recommendation(_Part):
    """What one or more books recommend."""

    id: str = Field(pattern="^rec-[0-9a-f]{16}$", description="Of the digests of the members alone.")
    title: str
    priority: str
    priority_votes: dict[str, int] = Field(description="One vote for each book.")
    confidence: float = Field(ge=0, le=1, description="1 - 1/2^n for n books.")
    cohesion: float = Field(ge=0, le=1, description="Mean similarity of the titles that were merged.")
    book_count: int = Field(ge=1)
    books: list[str]
    theme: str | None
    category_votes: dict[str, int]
    description: str
    technical_details: str
    implementation_steps: list[Step] = Field(max_length=10)
    further_steps: list[Step]
    expected_impact: str
    effort: Effort
    time_estimates: list[str]
    dependencies: list[Dependency]
    titles: list[str]
    members: list[str] = Field(min_length=1, description="Digests of the records that were merged, sorted.")
    synthesis: ByMerge | ByModel = Field(discriminator="by")
    variants: list[Variant]
    sources: list[Source]


class NotUsed(_Part):
    """A file that has no part in the result."""

    file: str
    code: str
    reason: str


class Fault(NotUsed):
    """Something about a file that a person should know."""

    where: str = Field(description="JSON path into the file; empty for the file as a whole.")


class Totals(_Part):
    """How many there are of everything."""

    files: int
    files_used: int
    books: int
    books_with_content: int
    raw: int
    unique: int
    recommendations: int
    below_min_confidence: int
    in_several_books: int
    by_priority: dict[str, int]
    problems: int
    themes: int


class Document(_Part):
    """All that phase 3 found out. The same books and settings give the same bytes."""

    format: Literal["booksynth/consolidated-recommendations"]
    format_version: Literal[2]
    settings: Phase3Settings
    books: list[Book]
    themes: list[Theme]
    recommendations: list[Recommendation]
    below_min_confidence: list[Recommendation]
    dependency_cycles: list[list[str]]
    files_not_used: list[NotUsed]
    problems: list[Fault]
    totals: Totals


def schema() -> dict[str, Any]:
    """Return the JSON schema of the document."""
    found = TypeAdapter(Document).json_schema(mode="serialization")
    (version,) = get_args(Document.model_fields["format_version"].annotation)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"booksynth consolidated recommendations, version {version}",
        **{name: value for name, value in found.items() if name != "title"},
    }
