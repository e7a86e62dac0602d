"""What multiplies the price of tokens: batches, fast mode, inference in the US. A table and its product.

https://platform.claude.com/docs/en/about-claude/pricing; they stack, and none of them touches web searches.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from runner.models.rules import rule_for

_BATCH: Final = Decimal("0.5")
_FAST: Final = Decimal(2)


def multiplier(told: Mapping[str, Any], model: str) -> Decimal:
    """The product of what applies. told: a `usage`, at its top level and for all its parts, or a request's body."""
    factor = Decimal(1)
    if told.get("service_tier") == "batch":
        factor *= _BATCH
    if told.get("speed") == "fast":
        factor *= _FAST
    if told.get("inference_geo") == "us" and (rule := rule_for(model)) is not None:
        factor *= Decimal(str(rule.us_multiplier))
    return factor
