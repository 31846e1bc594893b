"""What a request costs: at most before it is sent, by the tokens that were used afterwards; exact decimals."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

_MILLION = Decimal(1_000_000)
# What a provider wraps around messages and schema: roles, the frame of a tool, its own instructions for tools.
FRAME_TOKENS = 2_000


@dataclass(frozen=True)
class Prices:
    """US dollars for a million tokens."""

    input_usd: Decimal
    output_usd: Decimal

    def of(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Return the price of so many tokens, in US dollars. Input from a provider's cache counts in full."""
        return (self.input_usd * input_tokens + self.output_usd * output_tokens) / _MILLION

    def at_most(self, input_bytes: int, max_output_tokens: int) -> Decimal:
        """Return the most that a request of *input_bytes* can cost: no token is shorter than a byte."""
        return self.of(input_bytes + FRAME_TOKENS, max_output_tokens)
