"""What a row is called: a column, a template, its path or its number.

Says nothing about uniqueness: the plan sees every row and names both places.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from runner.inputs.entry import BadRow
from runner.inputs.file_values import FileValues
from runner.records import Json
from runner.spec.job import InputSource
from runner.spec.near import listed, near_names
from runner.spec.template import Template

MAX_ID: Final = 256
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Namer: TypeAlias = Callable[[Mapping[str, Json], int], str]
"""From a row's values and its number to its id; raises BadRow, or TemplateFailure from a template."""


def namer(source: InputSource, context: Callable[[Mapping[str, Json], Any], dict[str, Json]]) -> Namer:
    """How a source names its rows. context: from a row's values and a template to what the template sees."""
    wanted = source.id
    if wanted == "#":
        return lambda values, number: str(number)
    if isinstance(wanted, Template):
        return lambda values, number: checked_id(wanted.render(context(values, wanted)), "the id's template")
    if wanted is not None:
        return lambda values, number: _of_column(values, wanted)
    return _unasked


def numbered_id(number: int) -> str:
    """What a row without a usable id is called; `--only` takes it too."""
    return f"#{number}"


def _unasked(values: Mapping[str, Json], number: int) -> str:
    if "id" in values:
        return checked_id(values["id"], "the column `id`")
    return str(values["path"]) if isinstance(values, FileValues) else str(number)


def _of_column(values: Mapping[str, Json], column: str) -> str:
    if column not in values:
        raise BadRow("row-id", f"the row has no column `{column}` to take its id from", next=_columns(values, column))
    return checked_id(values[column], f"the column `{column}`")


def checked_id(value: Json, origin: str) -> str:
    """The id as text; a number or boolean as its JSON. origin: for messages. Raises BadRow."""
    if isinstance(value, str):
        text = value
    elif value is None:
        text = ""
    elif isinstance(value, dict | list):
        raise BadRow(
            "row-id", f"{origin} holds a {'map' if isinstance(value, dict) else 'list'}, not an id", next=_OTHER
        )
    else:
        text = json.dumps(value)
    if len(text) <= MAX_ID and text.isprintable() and text.strip():
        return text
    return _checked_text(text, origin)


def _checked_text(text: str, origin: str) -> str:
    """The slow half: says what is wrong, or that an unusual character is fine after all."""
    if not text.strip():
        raise BadRow(
            "row-id", f"{origin} is empty, so the row has no id", next='fill it in, or set `id: "#"` to number the rows'
        )
    if len(text) > MAX_ID:
        raise BadRow("row-id", f"{origin} has {len(text)} characters; an id has at most {MAX_ID}", next=_OTHER)
    if found := _CONTROL.search(text):
        raise BadRow("row-id", f"{origin} holds the control character U+{ord(found[0]):04X}", next=_OTHER)
    return text


_OTHER: Final = 'choose another column with `id:`, or set `id: "#"` to number the rows'


def _columns(values: Mapping[str, Json], wanted: str) -> str:
    if near := near_names(wanted, values):
        return f"did you mean `{near[0]}`?"
    return f"its columns are {listed(values)}" if values else "the row has no columns"
