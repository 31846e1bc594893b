"""The settings of language models and of what they may cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from milepost.config import Section

KEY_VARIABLES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
_OURS = "BOOKSYNTH_"


class ModelsSettings(Section):
    """Which language model is asked, and how. Without a model none is: advice is quoted, texts are merged."""

    provider: Literal["openai", "anthropic", "compatible"] = Field(
        default="openai",
        description="Whose interface is spoken. compatible: any server with OpenAI's chat interface, at base_url.",
    )
    model: str | None = Field(
        default=None, min_length=1, max_length=200, description="The model's name at its provider; null asks none."
    )
    base_url: str | None = Field(
        default=None, description="Where the interface is, without a password; null: where the provider has it."
    )
    api_key_variable: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description=(
            "The environment variable that holds the key. null: OPENAI_API_KEY, ANTHROPIC_API_KEY, and no key for a "
            "compatible server. The key itself belongs nowhere else."
        ),
    )
    analyse_books: bool = Field(default=True, description="Phase 2 asks the model for the advice in each chapter.")
    synthesise: bool = Field(
        default=True, description="Phase 3 asks the model for the text of what was merged from several records."
    )
    output_mode: Literal["tool", "json_schema", "prompted"] = Field(
        default="tool",
        description=(
            "How the form of an answer is asked for: by a tool call, by a JSON schema, or in the prompt, which every "
            "server takes."
        ),
    )
    temperature: float | None = Field(
        default=0.0, ge=0, le=2, description="Sent with each request; null sends none, for models that refuse it."
    )
    max_output_tokens: int = Field(default=4_000, ge=16, le=200_000, description="The longest answer. Tokens.")
    max_input_chars: int = Field(
        default=24_000,
        ge=1_000,
        le=2_000_000,
        description="The longest text of one request: longer records and chapters are cut to it. Characters.",
    )
    max_corrections: int = Field(
        default=2,
        ge=0,
        le=10,
        description="How often a model may correct an answer that cannot be used. Each correction is a paid call.",
    )
    max_iterations: int = Field(
        default=3,
        ge=1,
        le=20,
        description="A chapter is asked for more until an answer brings nothing new, but no more than so often.",
    )
    timeout_seconds: float = Field(default=120.0, gt=0, le=3_600, description="How long one try may take.")
    max_retries: int = Field(
        default=3,
        ge=0,
        le=20,
        description="Further tries after a timeout, a lost connection, HTTP 408, 409, 429 or 5xx. Retry-After is kept.",
    )
    requests_per_minute: float = Field(default=60.0, gt=0, le=100_000, description="Tries are sent no faster.")
    parallel_calls: int = Field(default=4, ge=1, le=256, description="How many requests are under way at once.")
    input_usd_per_million: Decimal | None = Field(
        default=None, ge=0, le=100_000, description="Price of a million tokens of input; 0 for a server of your own."
    )
    output_usd_per_million: Decimal | None = Field(
        default=None, ge=0, le=100_000, description="Price of a million tokens of output."
    )

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            message = "must be an address that begins with http:// or https://"
            raise ValueError(message)
        if parts.username or parts.password or parts.query:
            message = "must hold no user, password or query: a key comes from the environment alone"
            raise ValueError(message)
        return value

    @field_validator("api_key_variable")
    @classmethod
    def _is_no_setting(cls, value: str | None) -> str | None:
        if value is not None and value.upper().startswith(_OURS):
            # Variables of that name are settings, and are printed with the command that goes on.
            message = f"must not begin with {_OURS}: such variables are printed"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if self.model is None:
            return self
        if self.input_usd_per_million is None or self.output_usd_per_million is None:
            message = "a model needs input_usd_per_million and output_usd_per_million; 0 for a server of your own"
            raise ValueError(message)
        if self.provider == "compatible" and self.base_url is None:
            message = "the provider compatible needs a base_url"
            raise ValueError(message)
        return self

    @property
    def key_variable(self) -> str | None:
        """The environment variable that holds the key, None where none is needed."""
        return self.api_key_variable or KEY_VARIABLES.get(self.provider)

    def parts_of_results(self) -> dict[str, Any]:
        """Return the settings that have a part in an answer: a change of one asks anew."""
        names = ("provider", "model", "output_mode", "temperature", "max_output_tokens")
        return {name: getattr(self, name) for name in names}


class CostLimits(Section):
    """What language models may cost, in US dollars. A call that could exceed a limit is not made."""

    phase_2_usd: Decimal | None = Field(default=None, ge=0, description="For analysing books; null: no limit.")
    phase_3_usd: Decimal | None = Field(default=None, ge=0, description="For merged texts; null: no limit.")
    total_usd: Decimal | None = Field(
        default=Decimal(10), ge=0, description="For all that is kept in one checkpoint folder; null: no limit."
    )
