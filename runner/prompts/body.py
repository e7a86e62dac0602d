"""From request fields to the body of a Messages request. Pure; no row, no file, no network.

A field's value is literal JSON or holds templates; `rendered` makes the first of the second and says what is wrong
with what came out. https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from runner.errors import Position, Problem
from runner.prompts.attachments import rendered_attachments, rendered_item
from runner.prompts.faults import FieldFault
from runner.prompts.output import output_format
from runner.prompts.params import params_of
from runner.records import Json
from runner.spec.attachments import is_item
from runner.spec.template import Expression, Template, names_in, render_tree

_AS_IT_IS: Final = ("stop_sequences", "metadata", "service_tier")
_TEXT: Final = frozenset(("system", "prompt", "messages"))
_UNCHECKED: Final = frozenset(("extra_body",))  # its rules are about keys, and keys are never templates


def body_of(fields: Mapping[str, Json]) -> dict[str, Json]:
    """The API's body of rendered fields, keys in the order people write them."""
    body: dict[str, Json] = {"model": fields["model"], "max_tokens": fields["max_tokens"]}
    if "system" in fields:
        body["system"] = fields["system"]
    if "turns" in fields:
        body["messages"] = fields["turns"].messages
    elif "messages" in fields:
        body["messages"] = fields["messages"]
    elif "prompt" in fields:
        body["messages"] = [{"role": "user", "content": fields["prompt"]}]
    if fields.get("attachments"):
        body["messages"] = with_attachments(body["messages"], fields["attachments"])
    if "thinking" in fields:
        body["thinking"] = fields["thinking"]
    if "effort" in fields:
        body["output_config"] = {"effort": fields["effort"]}
    if "output" in fields and (form := output_format(fields["output"])) is not None:
        body["output_config"] = {**body.get("output_config", {}), "format": form}
    for name in _AS_IT_IS:
        if name in fields:
            body[name] = fields[name]
    body.update(params_of(fields))
    return merged(body, fields["extra_body"]) if "extra_body" in fields else body


def with_attachments(messages: Sequence[Mapping[str, Json]], blocks: list[Json]) -> list[Json]:
    """The messages with these blocks before the text of the first, which is a user's."""
    first, *others = messages
    text = first["content"]
    said = [{"type": "text", "text": text}] if isinstance(text, str) else text
    return [{**first, "content": [*blocks, *said]}, *others]


def merged(below: Mapping[str, Json], above: Mapping[str, Json]) -> dict[str, Json]:
    """Maps merge, anything else is replaced: `extra_body: {output_config: {…}}` keeps the effort beside it."""
    result = dict(below)
    for name, value in above.items():
        old = result.get(name)
        result[name] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def rendered(name: str, value: Any, context: Mapping[str, Json]) -> Json:
    """One field with its templates rendered and its value checked. Raises TemplateFailure, FieldFault."""
    if name == "prompt":
        return _text(value, context, "prompt")
    if name == "system":
        return _content(value, context, "system")
    if name == "messages":
        return [
            {**message, "content": _content(message["content"], context, f"messages[{index}].content")}
            for index, message in enumerate(value)
        ]
    if name == "attachments":
        return rendered_attachments(value, context)
    return checked(name, render_tree(value, context), value)


def checked(name: str, value: Json, source: Any = None) -> Json:
    """A field that is no text, after its schema, in the API's shape. source: what it was rendered from."""
    if name not in _UNCHECKED and not _plainly_right(name, value):
        from runner.spec.schema import check_field  # jsonschema takes 0.1 s; most jobs never get here

        wrong = check_field(name, value)
        if wrong:
            where = source.where if isinstance(source, Template) else None
            raise FieldFault(Problem("wrong-value", wrong, where, next=_conversion(value, source)))
    if name not in ("thinking", "fallbacks"):
        return value
    from runner.spec.fields import normal_field

    return normal_field(name, value)


def _plainly_right(name: str, value: Json) -> bool:
    """True for the common values, which may come a million times; False means: ask the schema."""
    if name == "model":
        return isinstance(value, str) and value != ""
    if name == "stop_sequences":
        return isinstance(value, list) and value != [] and all(isinstance(one, str) and one for one in value)
    if name == "metadata":
        return isinstance(value, dict) and list(value) == ["user_id"] and isinstance(value["user_id"], str)
    return False


def _conversion(value: Json, source: Any) -> str:
    """CSV cells are text: say how to make a number of one."""
    if isinstance(source, Template) and isinstance(value, str) and value.strip().lstrip("-").isdigit():
        return f"write `{source.source.replace('}}', '| int }}')}`; the cells of a CSV file are text"
    return ""


def _content(value: Any, context: Mapping[str, Json], path: str) -> Json:
    """Text or blocks; a lone expression may give either."""
    if isinstance(value, Template):
        made = value.render(context)
        if isinstance(made, list):
            return [_literal_block(block, f"{path}[{index}]", value) for index, block in enumerate(made)]
        return _not_empty(made, path, value.where) if isinstance(made, str) else value.render_text(context)
    if isinstance(value, str):
        return _not_empty(value, path, None)
    return [made for index, block in enumerate(value) for made in _blocks(block, context, f"{path}[{index}]")]


def _blocks(block: Mapping[str, Any], context: Mapping[str, Json], path: str) -> list[Json]:
    return list(rendered_item(block, context)) if is_item(block) else [_block(block, context, path)]


def _text(value: Any, context: Mapping[str, Json], path: str) -> str:
    if isinstance(value, Template):
        return _not_empty(value.render_text(context), path, value.where)
    return _not_empty(value, path, None)


def _block(block: Mapping[str, Any], context: Mapping[str, Json], path: str) -> Json:
    if block.get("type") == "text":
        return {**block, "text": _text(block["text"], context, f"{path}.text")}
    return render_tree(block, context)


def _literal_block(block: Json, path: str, source: Template) -> Json:
    """A block that a row gave: text only, as in the spec itself."""
    if isinstance(block, str):
        block = {"type": "text", "text": block}
    text = block.get("text") if isinstance(block, Mapping) else None
    if not isinstance(text, str) or block.get("type", "text") != "text" or not {*block} <= {"type", "text"}:
        what = "a block is text: a string or `{type: text, text: …}`"
        raise FieldFault(Problem("wrong-value", f"`{path}`: {what}", source.where))
    return {"type": "text", "text": _not_empty(text, path, source.where)}


def _not_empty(text: str, path: str, where: Position | None) -> str:
    """The API refuses text that is empty or all white space."""
    if text and not text.isspace():
        return text
    step = "give the row's values, or leave the row out with `where`" if where else "write some text, or leave it out"
    raise FieldFault(Problem("empty-text", f"`{path}` renders to nothing but white space", where, next=step))


def is_static(value: Any) -> bool:
    """Whether a field holds no template at all, so that it is the same for every row."""
    if isinstance(value, (Template, Expression)):
        return False
    if isinstance(value, Mapping):
        return all(map(is_static, value.values()))
    return all(map(is_static, value)) if isinstance(value, (list, tuple)) else True


def names_of(fields: Mapping[str, Any]) -> frozenset[str]:
    """The top-level names that fields read."""
    return names_in(fields)
