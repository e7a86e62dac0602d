"""Structured output: what a request says of it, what its key holds of it, and whether a reply is what was asked for.

Pure functions over JSON. The author's own schema decides about a reply; the API gets a simpler one. In `text` mode the
API gets nothing: the prompt says what to write, and the reply is searched for JSON.
https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from runner.prompts.schema_transform import transform
from runner.records import Json
from runner.spec.job import OutputSpec

if TYPE_CHECKING:
    from runner.spec.reply_schema import ReplyChecker

__all__ = ["Checked", "OutputSpec", "check_reply", "keyed", "output_format", "transform"]

_FENCE: Final = "```"
_SPECS: Final = 10_000  # as many as there may be cells


@dataclass(frozen=True, slots=True)
class Checked:
    """output: the value, when the reply is what was asked for. errors: what is wrong with it, `output.label: …`."""

    output: Json = None
    errors: tuple[str, ...] = ()


def output_format(spec: OutputSpec) -> dict[str, Json] | None:
    """What goes into `output_config.format`; None when the API is told nothing."""
    return _format(spec) if spec.schema is not None and spec.mode == "native" else None


@lru_cache(maxsize=_SPECS)
def _format(spec: OutputSpec) -> dict[str, Json]:
    return {"type": "json_schema", "schema": transform(spec.schema or {})}


def keyed(body: Mapping[str, Json], spec: OutputSpec | None) -> Mapping[str, Json]:
    """The body as it counts for the request's key: with the author's schema instead of what is made of it.

    The schema is a text in it: in which order an object's keys come decides in which order they are answered.
    """
    if spec is None or spec.schema is None:
        return body
    asked = {**body, "output": {"mode": spec.mode, "schema": _as_text(spec)}}
    config = {name: value for name, value in asked.pop("output_config", {}).items() if name != "format"}
    return {**asked, "output_config": config} if config else asked


@lru_cache(maxsize=_SPECS)
def _as_text(spec: OutputSpec) -> str:
    return orjson.dumps(spec.schema).decode()


# ---------------------------------------------------------------- replies


def check_reply(message: Mapping[str, Json], spec: OutputSpec) -> Checked:
    """Whether a finished reply is JSON that fits the author's schema; any text does when there is none."""
    if spec.schema is None:
        return Checked()
    text = _answer(message.get("content") or ())
    try:
        value = orjson.loads(_json_in(text))
    except orjson.JSONDecodeError as error:
        return Checked(errors=(_not_json(text, error),))
    errors = _checker(spec).errors(value)
    return Checked(errors=errors) if errors else Checked(value)


@lru_cache(maxsize=_SPECS)
def _checker(spec: OutputSpec) -> ReplyChecker:
    from runner.spec.reply_schema import ReplyChecker  # jsonschema takes 0.1 s

    return ReplyChecker(spec.schema or {})


def _answer(content: Sequence[Mapping[str, Any]]) -> str:
    """The text behind the last thing that is no text: what a model says before it uses a tool is not its answer."""
    texts: list[str] = []
    for block in content:
        if block.get("type") != "text":
            texts.clear()
        elif isinstance(block.get("text"), str):
            texts.append(block["text"])
    return "".join(texts)


def _json_in(text: str) -> str:
    """The whole text, or the one block in it that is fenced as JSON (or as nothing, when no other is)."""
    if text.lstrip()[:1] in ("{", "["):
        return text
    fenced = list(_fenced(text))
    for wanted in ("json", ""):
        found = [inner for language, inner in fenced if language.lower() == wanted]
        if len(found) == 1:
            return found[0]
        if found:
            break
    return text


def _fenced(text: str) -> Iterator[tuple[str, str]]:
    """(language, text) of every block between lines of three backticks; line by line, since replies are hostile."""
    language: str | None = None
    inside: list[str] = []
    for line in text.split("\n"):
        mark = line.strip()
        if language is None and mark.startswith(_FENCE):
            language, inside = mark.removeprefix(_FENCE).strip(), []
        elif language is not None and mark == _FENCE:
            yield language, "\n".join(inside)
            language = None
        else:
            inside.append(line)


def _not_json(text: str, error: orjson.JSONDecodeError) -> str:
    if not text.strip():
        return "output: the reply holds no text"
    return f"output: the reply is not JSON (line {error.lineno}, column {error.colno})"
