"""Rules about the other fields of a request's body.

API facts: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from runner.errors import Problem
from runner.spec.lint_facts import CellFacts

_ASKING: Final = ("effort", "prompt", "turns", "output", "cache", "attachments", "extra_body")
_RUNNING: Final = ("vars", "inputs", "matrix", "repeat", "run", "name", "version", "client", "prices")
_OURS: Final = frozenset((*_ASKING, *_RUNNING))


def no_blank_stop(facts: CellFacts) -> Iterator[Problem]:
    """The API refuses stop sequences of white space alone."""
    stops = facts.fields["stop_sequences"].value if "stop_sequences" in facts.fields else ()
    for i, text in enumerate(stops if isinstance(stops, list) else ()):
        if isinstance(text, str) and not text.strip():
            what = "a stop sequence of white space alone is refused by the API"
            yield facts.report("empty-value", what, "stop_sequences", i, next="use a visible marker such as `END`")


def opaque_user_id(facts: CellFacts) -> Iterator[Problem]:
    """`metadata.user_id` is meant to be opaque; the API asks for no names, addresses or phone numbers."""
    metadata = facts.fields["metadata"].value if "metadata" in facts.fields else None
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    if isinstance(user, str) and "@" in user:
        what = "`user_id` looks like an e-mail address; the API asks for an opaque id"
        step = "send a hash or an internal number"
        yield facts.report("personal-data", what, "metadata", "user_id", next=step, severity="warning")


def extra_body_is_the_apis(facts: CellFacts) -> Iterator[Problem]:
    """`extra_body` goes to the API as it is, which knows none of the spec's own keys."""
    extra = facts.fields["extra_body"].value if "extra_body" in facts.fields else None
    for key in extra if isinstance(extra, dict) else ():
        if key in _OURS:
            what = f"`{key}` is a key of the spec, not a field of the API's request body"
            yield facts.report("not-allowed", what, "extra_body", key, next=f"write `{key}: …` at the top level")


RULES: tuple[Callable[[CellFacts], Iterator[Problem]], ...] = (no_blank_stop, opaque_user_id, extra_body_is_the_apis)
