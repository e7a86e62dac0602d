"""Renders attachments: `when` decides, templates become text, a lone expression's value becomes items of its own.

Pure. What comes out is a list of literal items (spec/attachments.py); `media` makes blocks of them. `from_row` marks
a path that a row holds as it is: such a path is relative to the row's file, any other to the spec.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from runner.errors import Position, Problem
from runner.prompts.faults import FieldFault
from runner.records import Json
from runner.spec.attachments import has_condition, normal_item, plain_item
from runner.spec.template import Expression, Template

_DEEPEST: Final = 4


def rendered_attachments(items: Any, context: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Raises TemplateFailure and FieldFault."""
    return [made for item in items for made in rendered_item(item, context)]


def rendered_item(item: Mapping[str, Any], context: Mapping[str, Json]) -> list[dict[str, Json]]:
    """The item's literal form; none when its `when` is false, several when its expression gives a list."""
    when = item.get("when")
    if isinstance(when, Expression) and not when.evaluate(context):
        return []
    if "value" in item:
        template: Template = item["value"]
        made = template.render(context)
        return list(_from_value(made, template.where, from_row=_holds(context.get("row"), made)))
    literal = {name: _literal(value, context) for name, value in item.items() if name != "when"}
    path = item.get("path")
    if isinstance(path, Template):
        literal |= {"at": path.where, "from_row": _holds(context.get("row"), literal["path"])}
    return [literal]


def _literal(value: Any, context: Mapping[str, Json]) -> Any:
    """Text for a template; a lone expression may give a list of texts."""
    if isinstance(value, Template):
        made = value.render(context)
        if isinstance(made, list) and made and all(isinstance(one, str) for one in made):
            return made
        return value.render_text(context)
    return [_literal(one, context) for one in value] if isinstance(value, list) else value


def _from_value(made: Json, at: Position | None, *, from_row: bool) -> Iterator[dict[str, Json]]:
    if isinstance(made, list):
        for one in made:
            yield from _from_value(one, at, from_row=from_row)
    elif isinstance(made, str) and made.strip():
        yield {**plain_item(made), "at": at, "from_row": from_row}
    elif isinstance(made, Mapping):
        yield {**normal_item(_checked(made, at)), "at": at, "from_row": from_row}
    else:
        raise FieldFault(_not_attachable(made, at))


def _checked(made: Mapping[str, Json], at: Position | None) -> Mapping[str, Json]:
    from runner.spec.schema import check_field

    wrong = "`when` is for the spec" if has_condition(made) else check_field("attachments", made)
    if wrong:
        raise FieldFault(Problem("wrong-value", wrong, at, "attachments"))
    return made


def _not_attachable(made: Json, at: Position | None) -> Problem:
    if made in ("", None) or isinstance(made, str):
        what, step = "the attachment renders to nothing", "leave it out with `when`, or fill the column"
        return Problem("empty-text", what, at, "attachments", step)
    what = "an attachment is a path, a URL or a map"
    return Problem("wrong-value", what, at, "attachments", "name a column of paths")


def _holds(values: Json, value: Json, depth: int = 0) -> bool:
    """Whether a row holds this very value, at any place a template can reach without making something new of it."""
    if depth > _DEEPEST:
        return False
    inner = values.values() if isinstance(values, Mapping) else values if isinstance(values, list) else ()
    return any(one is value or one == value or _holds(one, value, depth + 1) for one in inner)
