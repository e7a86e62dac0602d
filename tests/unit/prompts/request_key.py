"""The key alone, for tests that compare keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from runner.prompts.key import key_and_parts
from runner.records import Json


def request_key(service: str, betas: Collection[str], body: Mapping[str, Json], repeat: int) -> str:
    return key_and_parts(service, betas, body, repeat)[0]
