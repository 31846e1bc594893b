"""One client for all providers: typed questions in, checked answers out, each request through the ledger.

Agents of pydantic-ai ask again where an answer has the wrong form. Each of their requests goes through `_Recorded`: the
ledger answers it, or has it sent. So a run that was killed replays the requests that were answered and sends the one
that was not, with the same idempotency key.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal
from pydantic import BaseModel, TypeAdapter
from pydantic_ai import Agent, ModelRetry, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.exceptions import ContentFilterError, ModelAPIError, ModelHTTPError, UnexpectedModelBehavior
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings

from booksynth.models.errors import (
    EmptyError,
    FailedError,
    NotAllowedError,
    OverLimitError,
    RefusedError,
    UnusableError,
)
from booksynth.models.ledger import Ledger, Reply
from booksynth.models.prices import Prices
from booksynth.models.providers import connected
from booksynth.models.transport import KEY_HEADER, MeteredClient
from booksynth.texts import digest
from milepost import BudgetReached

if TYPE_CHECKING:
    from booksynth.models.settings import ModelsSettings

T = TypeVar("T", bound=BaseModel)

# No call can succeed: the key, the right to use it, or the name of the model is wrong.
_HOPELESS = {401: "refuses the key", 402: "wants to be paid first", 403: "refuses the key", 404: "knows no such model"}
_OUTPUTS: dict[str, Any] = {"tool": ToolOutput, "json_schema": NativeOutput, "prompted": PromptedOutput}
_RESPONSE = TypeAdapter(ModelResponse)
# What of a message has a part in the answer. Times and the ids of runs have none, and differ each time.
_SAID = ("part_kind", "content", "args", "tool_name", "tool_call_id", "outcome")


@dataclass(frozen=True)
class Question(Generic[T]):
    """What is asked for: *instructions* and *text*, an answer of the type *output*, and which phase pays.

    *check* raises `ValueError` for an answer that has the right form and cannot be used; the model is told why.
    """

    phase: str
    instructions: str
    text: str
    output: type[T]
    check: Callable[[T], None]


class Client:
    """Asks one model. Use it in a ``with`` block; any thread may ask."""

    def __init__(self, settings: ModelsSettings, ledger: Ledger) -> None:
        """Ask the model of *settings* through *ledger*; nothing is opened yet. What is answered needs no key."""
        self._settings = settings
        self._ledger = ledger
        self._key = os.environ.get(settings.key_variable or "", "").strip()
        self._prices = Prices.by(settings)
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        """Start the thread that speaks HTTP."""
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            self._http = MeteredClient(self._settings.requests_per_minute, self._settings.timeout_seconds)
            stack.enter_context(self._portal.wrap_async_context_manager(self._http))
            self._model = connected(self._settings, self._key, self._http)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        """End it."""
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    def ask(self, question: Question[T]) -> T:
        """Return the answer to *question*, from the ledger or from the model.

        Raises:
            FailedError: A request failed after all its tries.
            RefusedError: The model or its provider declined.
            EmptyError: The answers said nothing.
            UnusableError: The answers were of another form, or did not pass the check.
            NotAllowedError: No request can succeed.
            BudgetReached: A request could exceed a limit; it was not sent.
        """
        model = _Recorded(self, self._model, question)
        agent = Agent(
            model,
            output_type=_OUTPUTS[self._settings.output_mode](question.output),
            instructions=question.instructions,
            retries={"output": self._settings.max_corrections, "tools": self._settings.max_corrections},
        )

        @agent.output_validator
        def usable(answer: T) -> T:
            try:
                question.check(answer)
            except ValueError as error:
                raise ModelRetry(str(error)) from error
            return answer

        try:
            # A loop of this thread's own, in which requests are waited for one by one.
            return asyncio.run(agent.run(question.text, model_settings=self._model_settings())).output  # type: ignore[no-any-return]
        except OverLimitError as error:
            raise BudgetReached(str(error), limit=error.limit) from None
        except ContentFilterError as error:
            raise RefusedError(self._clean(error)) from None
        except UnexpectedModelBehavior as error:
            if model.said_nothing:
                reason = "the model answered without a word"
                raise EmptyError(reason) from None
            raise UnusableError(self._clean(_cause(error))) from None

    # --- one request

    def answered(
        self,
        question: Question[Any],
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Return the response to one request of an agent."""
        asked = {
            **self._settings.parts_of_results(),
            "instructions": question.instructions,
            "schema": question.output.model_json_schema(),
            "messages": _said(messages),
        }

        at_most = self._prices.at_most(_bytes(asked), self._settings.max_output_tokens)

        def send(call_id: str) -> Reply:
            response, unanswered = self._sent(call_id, messages, settings, parameters)
            used = response.usage
            is_told = used.input_tokens or used.output_tokens
            usd = self._prices.of(used.input_tokens, used.output_tokens) if is_told else at_most
            return Reply(_RESPONSE.dump_python(response, mode="json"), usd, unanswered)

        return _RESPONSE.validate_python(
            self._ledger.ask(question.phase, digest(asked), at_most, send, tries=1 + self._settings.max_retries)
        )

    def _sent(
        self,
        call_id: str,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, int]:
        """Return what the model says, and how many tries before that were sent and got no answer."""
        assert self._portal is not None, "the client is open"
        if self._settings.key_variable is not None and not self._key:
            variable = self._settings.key_variable
            message = f"models.model={self._settings.model}: the environment variable {variable} holds no key"
            raise NotAllowedError(message)
        keyed = ModelSettings(**(settings or {}), extra_headers={KEY_HEADER: call_id})
        failed: Exception
        try:
            response: ModelResponse = self._portal.call(self._model.request, list(messages), keyed, parameters)
        except ModelHTTPError as error:
            if error.status_code in _HOPELESS:
                raise NotAllowedError(self._hopeless(error)) from None
            failed = error
        except ModelAPIError as error:
            failed = error
        else:
            return response, self._http.unanswered.pop(call_id, 1) - 1
        # Without its cause, which holds the request and with it the key.
        raise FailedError(self._clean(failed), self._http.unanswered.pop(call_id, 0)) from None

    def _model_settings(self) -> ModelSettings:
        settings = ModelSettings(max_tokens=self._settings.max_output_tokens, timeout=self._settings.timeout_seconds)
        if self._settings.temperature is not None:
            settings["temperature"] = self._settings.temperature
        return settings

    def _hopeless(self, error: ModelHTTPError) -> str:
        settings = self._settings
        where = f"the provider {settings.provider} {_HOPELESS[error.status_code]} (HTTP {error.status_code})"
        return f"models.model={settings.model}: {where}; see models and {settings.key_variable}: {self._clean(error)}"

    def _clean(self, error: BaseException) -> str:
        """Return what an error says, without the key, which a server may have repeated."""
        text = str(error) or type(error).__name__
        return text.replace(self._key, "(key)") if self._key else text


class _Recorded(WrapperModel):
    """A model whose requests go through the ledger. Opening and closing it is the client's business."""

    def __init__(self, client: Client, wrapped: Model, question: Question[Any]) -> None:
        super().__init__(wrapped)
        self._client = client
        self._question = question
        self.said_nothing = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Return what the ledger has, or the model says."""
        response = self._client.answered(self._question, messages, model_settings, model_request_parameters)
        self.said_nothing = not any(
            getattr(part, "content", None) or getattr(part, "args", None) for part in response.parts
        )
        return response


def _said(messages: Sequence[ModelMessage]) -> list[Any]:
    dumped = ModelMessagesTypeAdapter.dump_python(list(messages), mode="json")
    return [
        [{name: part[name] for name in _SAID if part.get(name) is not None} for part in message["parts"]]
        for message in dumped
    ]


def _bytes(value: Any) -> int:
    import json

    return len(json.dumps(value, ensure_ascii=False).encode())


def _cause(error: BaseException) -> BaseException:
    """Return the error that tells what was wrong with an answer: the last of a chain."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
