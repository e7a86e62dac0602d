"""What goes with a body and does not depend on its texts: betas, headers, secrets, terms. Pure.

Where only texts are templates it is the same for every row of a cell, and is worked out once instead of a million
times. Knows no row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from runner.models.terms import caches_of, terms_of
from runner.prompts.betas import betas_of
from runner.prompts.params import headers_of, secrets_of
from runner.records import Json, Terms

TEXTS: Final = frozenset({"system", "prompt", "messages"})
"""Fields that none of it depends on."""


class Sent(NamedTuple):
    betas: tuple[str, ...]
    headers: Mapping[str, str]
    secrets: Mapping[str, str]


@dataclass(frozen=True)
class Beside:
    """same: whether it is the same for all bodies that are asked about."""

    same: bool
    _sent: list[Sent] = field(default_factory=list)
    _terms: dict[tuple[str, tuple[str, ...]], Terms] = field(default_factory=dict)

    def sent(self, fields: Mapping[str, Any]) -> Sent:
        """What is sent beside the body of these rendered fields."""
        if self._sent:
            return self._sent[0]
        made = Sent(betas_of(fields), headers_of(fields), secrets_of(fields))
        if self.same:
            self._sent.append(made)
        return made

    def terms(self, body: Mapping[str, Json], text: bytes | None, unbounded: tuple[str, ...]) -> Terms:
        """As `terms_of`. Which caches a text writes and what of it is unbounded may differ from row to row."""
        if not self.same:
            return terms_of(body, text, unbounded=unbounded)
        key = (caches_of(text), unbounded)
        if key not in self._terms:
            self._terms[key] = terms_of(body, text, unbounded=unbounded)
        return self._terms[key]


def beside(templated: Collection[str]) -> Beside:
    """templated: the fields that differ from row to row."""
    return Beside(same=TEXTS.issuperset(templated))
