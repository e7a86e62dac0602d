"""The value of one YAML scalar, and which tags have a meaning. Problems go to the complaints, the text stays."""

from __future__ import annotations

from typing import Any

from runner.errors import SpecError
from runner.spec.complaints import Complaints
from runner.spec.document import Path
from runner.spec.scalars import parse_scalar
from runner.spec.suggest import quoted

_CORE = "tag:yaml.org,2002:"
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "null": (type(None),),
}


def scalar_value(event: Any, path: Path, complaints: Complaints) -> Any:
    """The value of a yaml.ScalarEvent: quoted and block scalars are text, plain ones go by our own rules."""
    tag = short_tag(event, path, complaints, *_TYPES)
    if tag == "str" or (event.style and tag is None):
        return _text(event, path, complaints)
    try:
        value = parse_scalar(event.value)
    except SpecError as error:
        found = error.problems[0]
        complaints.add(found.rule, found.what, event.start_mark.index, path, next=found.next)
        return event.value
    if tag is not None and type(value) not in _TYPES[tag]:
        what = f"`!!{tag}` does not fit this value"
        complaints.add("yaml-tag", what, event.start_mark.index, path, next="remove the tag")
    elif tag == "float":
        return float(value)
    return value


def short_tag(event: Any, path: Path, complaints: Complaints, *allowed: str) -> str | None:
    """The short name of an explicit tag (`str` for `!!str`), None without one and after a problem."""
    tag: str | None = event.tag
    if tag is None or tag == "!":
        return None
    short = tag.removeprefix(_CORE)
    if tag.startswith(_CORE) and short in allowed:
        return short
    what = f"the tag {quoted(f'!!{short}' if tag.startswith(_CORE) else tag)} has no meaning here"
    step = "remove the tag, or quote the text if it starts with `!`"
    complaints.add("yaml-tag", what, event.start_mark.index, path, next=step)
    return None


def _text(event: Any, path: Path, complaints: Complaints) -> str:
    text: str = event.value
    if any("\ud800" <= character <= "\udfff" for character in text):  # PyYAML's own scanner lets such escapes pass
        what = "half of a surrogate pair is not a character"
        complaints.add("yaml-control-character", what, event.start_mark.index, path, next="write the character itself")
    return text
