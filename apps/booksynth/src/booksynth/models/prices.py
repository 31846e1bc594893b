"""What a request costs: at most before it is sent, by the tokens that were used afterwards; exact decimals."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from booksynth.models.settings import ModelsSettings

_MILLION = Decimal(1_000_000)
# What a provider wraps around messages and schema: roles, the frame of a tool, its own instructions for tools.
FRAME_TOKENS = 2_000

# Bytes of a request for each token of an answer that is sent back in it, with the complaint: twice four, and some more.
REPEATED_BYTES = 10


@dataclass(frozen=True)
class Prices:
    """US dollars for a million tokens."""

    input_usd: Decimal
    output_usd: Decimal

    @classmethod
    def by(cls, settings: ModelsSettings) -> Self:
        """Return the prices that are set."""
        return cls(settings.input_usd_per_million or Decimal(0), settings.output_usd_per_million or Decimal(0))

    def of(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Return the price of so many tokens, in US dollars. Input from a provider's cache counts in full."""
        return (self.input_usd * input_tokens + self.output_usd * output_tokens) / _MILLION

    def at_most(self, input_bytes: int, max_output_tokens: int) -> Decimal:
        """Return the most that a request of *input_bytes* can cost: no token is shorter than a byte."""
        return self.of(input_bytes + FRAME_TOKENS, max_output_tokens)

    def with_corrections(self, input_bytes: int, max_output_tokens: int, corrections: int) -> Decimal:
        """Return about the most that a question costs whose answer is corrected so often.

        A correction sends again what was asked, the answer and a complaint about it.
        """
        sizes = (input_bytes + n * max_output_tokens * REPEATED_BYTES for n in range(corrections + 1))
        return sum((self.at_most(size, max_output_tokens) for size in sizes), Decimal(0))
