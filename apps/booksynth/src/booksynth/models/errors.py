"""Why a model gave nothing that can be used: four different things, each with a code and a reason."""

from __future__ import annotations

from milepost.errors import InvalidArgument

MAX_REASON_CHARS = 300


class NoAnswerError(Exception):
    """A question has no answer that can be used. `code` says which kind of failure, `reason` what happened."""

    code = "failed"

    def __init__(self, reason: str) -> None:
        """Hold the reason, on one line and not for ever."""
        line = " ".join(reason.split())
        self.reason = line if len(line) <= MAX_REASON_CHARS else f"{line[:MAX_REASON_CHARS]}…"
        super().__init__(f"{self.code}: {self.reason}")


class FailedError(NoAnswerError):
    """The request failed after all tries: a timeout, a lost connection, an error of the server. Asked again next run.

    `unanswered` is how many tries were sent and may have been billed although no answer came.
    """

    code = "failed"

    def __init__(self, reason: str, unanswered: int = 0) -> None:
        """Hold the reason, and how many tries may have been billed."""
        super().__init__(reason)
        self.unanswered = unanswered


class RefusedError(NoAnswerError):
    """The model or its provider declined to answer."""

    code = "refused"


class EmptyError(NoAnswerError):
    """The model answered, and said nothing."""

    code = "empty"


class UnusableError(NoAnswerError):
    """The model's answers, corrections included, were of another form, or named sources that are not there."""

    code = "unusable"


class NotAllowedError(InvalidArgument):
    """The provider knows neither the key nor the model, or no key is set: no call can succeed."""

    unanswered = 0


class OverLimitError(Exception):
    """A request could exceed a limit, and was not sent. `limit` names the setting.

    An exception and no exit, as `milepost.BudgetReached` is one: it has to come through an event loop, and Milepost
    records a call that it ends as failed, not as ambiguous.
    """

    def __init__(self, message: str, limit: str) -> None:
        """Hold both."""
        super().__init__(message)
        self.limit = limit
