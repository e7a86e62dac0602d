"""Rules about what is said: texts, and the order of a conversation's roles.

API facts: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

from runner.errors import Problem
from runner.models.rules import rule_for
from runner.spec.lint_facts import CellFacts
from runner.spec.turns import turn_contents

_PRESENCE_UNKNOWN: Final = frozenset({"matrix", "?"})  # `?`: some unknown key, perhaps this one misspelt


def one_question(facts: CellFacts) -> Iterator[Problem]:
    """Exactly one of `prompt`, `messages` and `turns`."""
    if _PRESENCE_UNKNOWN & set(facts.broken) or {"prompt", "messages", "turns"} & set(facts.broken):
        return
    present = [name for name in ("prompt", "messages", "turns") if name in facts.fields]
    if not present:
        step = 'add `prompt: "…"` for one user turn, `messages` for a conversation, or `turns` for a scripted one'
        yield facts.report("one-of", "there is nothing to ask: no `prompt`, `messages` or `turns`", "prompt", next=step)
    elif "turns" in present and len(present) > 1:
        what = f"`{present[0]}` and `turns` stand beside each other; each is a whole conversation"
        step = "keep one of them; the first turn of `turns` may be the prompt"
        yield facts.report("one-of", what, "turns", next=step)
    elif len(present) == 2:
        what = "`prompt` and `messages` stand beside each other; they say the same in two ways"
        yield facts.report("one-of", what, "messages", next="keep `messages` and make the prompt its last user message")


def no_blank_text(facts: CellFacts) -> Iterator[Problem]:
    """The API answers 400 to a text block without text."""
    for name, inner, text in _texts(facts):
        if isinstance(text, str) and not text.strip():
            step = "write something, or remove the key" if name == "system" else "write something"
            yield facts.report("empty-value", "the text is empty, which the API refuses", name, *inner, next=step)


def message_order(facts: CellFacts) -> Iterator[Problem]:
    """A user speaks first; a system message stands inside the conversation, behind a user's."""
    roles = _roles(facts)
    if roles and roles[0] != "user":
        step = "move it to the top-level `system`" if roles[0] == "system" else "start with the user's message"
        yield facts.report("message-order", f"the first message is the {roles[0]}'s", "messages", 0, "role", next=step)
    for i, role in enumerate(roles[1:], start=1):
        if role == "system" and roles[i - 1] != "user":
            what = f"a system message follows a user message, not the {roles[i - 1]}'s"
            yield facts.report("message-order", what, "messages", i, "role", next="move it behind a user message")


def no_prefill(facts: CellFacts) -> Iterator[Problem]:
    """A last message from the assistant is a 400 on Claude 4.6 and later."""
    roles = _roles(facts)
    if not roles or roles[-1] != "assistant":
        return
    model = facts.literal("model")
    rules = rule_for(model) if isinstance(model, str) else None
    if rules is not None and rules.prefill:
        return
    known = rules is not None and rules.prefill is False
    what = (
        f"the last message is the assistant's, which `{model}` refuses"
        if known
        else ("the last message is the assistant's, which models from Claude 4.6 on refuse")
    )
    step = "end with a user message; say there how the answer has to begin"
    severity: Literal["error", "warning"] = "error" if known else "warning"
    yield facts.report("prefill", what, "messages", len(roles) - 1, "role", next=step, severity=severity)


RULES: tuple[Callable[[CellFacts], Iterator[Problem]], ...] = (
    one_question,
    no_blank_text,
    message_order,
    no_prefill,
)


def _roles(facts: CellFacts) -> list[str]:
    messages = facts.fields["messages"].value if "messages" in facts.fields else None
    return [message["role"] for message in messages] if isinstance(messages, list) else []


def _texts(facts: CellFacts) -> Iterator[tuple[str, tuple[str | int, ...], Any]]:
    """(field, place in it, text) of every text of a cell."""
    for name in ("system", "prompt"):
        if name in facts.fields:
            yield from ((name, inner, text) for inner, text in _content_texts(facts.fields[name].value))
    messages = facts.fields["messages"].value if "messages" in facts.fields else None
    for i, message in enumerate(messages if isinstance(messages, list) else ()):
        for inner, text in _content_texts(message["content"]):
            yield "messages", (i, "content", *inner), text
    for inner, content in turn_contents(facts.fields["turns"].value if "turns" in facts.fields else None):
        yield from (("turns", (*inner, *place), text) for place, text in _content_texts(content))


def _content_texts(content: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(content, list):
        yield from (((i, "text"), block.get("text")) for i, block in enumerate(content))
    else:
        yield (), content
