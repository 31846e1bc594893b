"""The model of one provider behind pydantic-ai's interface, on an HTTP client of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic_ai.models import Model

if TYPE_CHECKING:
    from booksynth.models.settings import ModelsSettings
    from booksynth.models.transport import MeteredClient

_NO_KEY = "none"


def connected(settings: ModelsSettings, key: str, http: MeteredClient) -> Model:
    """Return the model that *settings* name. Tries again by the provider's own client, which keeps Retry-After."""
    assert settings.model is not None, "only asked for with a model"
    if settings.provider == "anthropic":
        from anthropic import AsyncAnthropic
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        anthropic = AsyncAnthropic(
            api_key=key, base_url=settings.base_url, http_client=http, max_retries=settings.max_retries
        )
        return AnthropicModel(settings.model, provider=AnthropicProvider(anthropic_client=anthropic))
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    openai = AsyncOpenAI(
        api_key=key or _NO_KEY, base_url=settings.base_url, http_client=http, max_retries=settings.max_retries
    )
    if settings.provider == "compatible":
        return OpenAIChatModel(settings.model, provider=OpenAICompatibleProvider("compatible", openai_client=openai))
    return OpenAIChatModel(settings.model, provider=OpenAIProvider(openai_client=openai))
