"""What the YAML parser could not read, in words that say what to do about it.

Looks at the parser's complaint and at the line it complains about; reads nothing itself. The complaints are
libyaml's, and PyYAML's own where that reads instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from runner.errors import Problem
from runner.spec.source_text import SourceText

_TEMPLATE_START = re.compile(r"(?:^|[:\[,-])[ \t]*(\{[{%])")
_KEY_ONLY = re.compile(r"\s*(?:- +)*[^\s:]*\Z")
_NO_SPACE = re.compile(r"\s*(?:- +)*[\w-]+:[^\s:/]\S*\s*\Z")
_ALIGN = "give all keys of a map the same indentation"
_BRACKET = ("a `[` or `{` is not closed, or a comma is missing", "close it, or quote the whole value")
_DASH = ("a list cannot start in this line", 'start it on the next line, or quote a lone dash: `"-"`')
_NO_VALUE = ("a value is missing here, or starts with a character that YAML keeps for itself", "quote the value")
_AT_THE_START = ("while parsing a flow", "anchor", "alias")  # complaints whose cause stands where the value began
_HINTS = (  # what the parser says, what we say, the next step
    ("unknown escape", "this escape is unknown in double quotes", r"write `\\` for a backslash, or use single quotes"),
    ("escape", "this escape is not a character", "write the character itself"),
    ("sequence entries are not allowed", *_DASH),
    ("undefined tag handle", "a value starts with `!`", "quote the value"),
    ("incompatible YAML", "this YAML version is unknown", "remove the line"),
    ("directive", "a line starts with `%`", "quote the text, or remove the line"),
    ("cannot start any token", "this character cannot start a value", "quote the value"),
    ("did not find expected '-'", "an item does not line up with the others of its list",
     "start each item with `- ` in the same column"),
    ("block collection", "an item does not line up with the others of its list",
     "start each item with `- ` in the same column"),
    ("while parsing a flow", *_BRACKET),
    ("did not find expected key", "this does not line up with the other keys of its map", _ALIGN),
    ("expected <block end>", "this does not line up with the other keys of its map", _ALIGN),
    ("did not find expected node content", *_NO_VALUE),
    ("expected the node content", *_NO_VALUE),
    ("anchor", "a value starts with `&`", "quote the value"),
    ("alias", "a value starts with `*`", "quote the value"),
    ("block scalar", "this cannot stand behind `|` or `>`", "start the text on the next line, indented with spaces"),
    ("did not find expected <document start>", "this does not belong to the document above",
     "write the whole file as one map of keys"),
    ("expected '<document start>'", "this does not belong to the document above",
     "write the whole file as one map of keys"),
)  # fmt: skip
_COMPARISON = re.compile(r"[:-] (>=? *[0-9.]+ *%?) *(?:#.*)?$")
Seen: TypeAlias = tuple[str, str, int]  # what, next step, index


def syntax_problem(error: Exception, source: SourceText) -> Problem:
    """The one problem that ended the parsing, where its cause stands as far as that can be told."""
    index, context = _mark(error, "problem_mark"), _mark(error, "context_mark")
    for line in dict.fromkeys((source.at(index).line, source.at(context).line)):
        if template := _TEMPLATE_START.search(source.line(line)):
            return _template(source, source.line_start(line) + template.start(1))
    where = source.at(index)
    if "\t" in (line_text := source.line(where.line))[: len(line_text) - len(line_text.lstrip())]:
        return Problem("yaml-tab", "this line is indented with a tab", where, next="indent with spaces")
    what, step, index = next(_readings(str(error), index, context, source))
    return Problem("yaml-syntax", what, source.at(index), next=step)


def quote_it(source: SourceText, start: int) -> str:
    """The next step for a template without quotes that starts at this index."""
    position = source.at(start)
    line = source.line(position.line)
    before, text = line[: position.column - 1], line[position.column - 1 :].split(" #")[0].rstrip()
    if "[" in before or ("{" in before and "}}" in text):
        text = text[: text.find("}}") + 2]
    if len(text) > 60 or text.count("{") != text.count("}"):
        return "put quotes around the whole value"
    quote = "'" if '"' in text else '"'
    return "put quotes around the whole value" if quote in text else f"quote it: `{quote}{text}{quote}`"


def _template(source: SourceText, index: int) -> Problem:
    what = f"YAML cannot read an unquoted `{source.text[index : index + 2]}`"
    return Problem("unquoted-template", what, source.at(index), next=quote_it(source, index))


def _readings(says: str, index: int, context: int, source: SourceText) -> Iterator[Seen]:
    """What the complaint may mean, the surest reading first."""
    if "quoted scalar" in says and ("end of stream" in says or "document separator" in says):
        yield "this quote is never closed", "close the quote", context
    if "expected ':'" in says:
        yield "a `:` is missing behind this", "write `key: value`; a text of several lines goes below a `|`", context
    if "mapping values are not allowed" in says:
        yield _second_colon(index, source)
    if "block scalar" in says and (at_least := _COMPARISON.search(source.line(source.at(index).line))):
        yield "`>` means a text of several lines to YAML", f'quote it: `"{at_least[1].rstrip()}"`', index
    before = source.text[:index].rstrip(" ")
    if before[-1:] in ("'", '"', "]", "}") and "expected" in says and before[-1:] != source.text[index : index + 1]:
        step = "quote the whole value; inside single quotes write `''` for `'`"
        yield f"text goes on behind this `{before[-1]}`", step, len(before) - 1
    for complaint, what, step in _HINTS:
        if complaint in says:
            yield what, step, context if complaint in _AT_THE_START else index
    yield "this is not YAML", "check the quotes, brackets and indentation here", index


def _second_colon(index: int, source: SourceText) -> Seen:
    """A `: ` where a value goes on: in a text that needs quotes, or in a key that stands too deep."""
    position = source.at(index)
    before = source.line(position.line)[: position.column - 1]
    if _NO_SPACE.match(source.line(position.line - 1)):
        return "a space is missing behind the `:` of the line above", "write `key: value`", index
    if _KEY_ONLY.match(before):
        return "this key stands deeper than the line above allows", _ALIGN, index
    return "a second `: ` stands in this line", "quote the text, or write it below a `|`", index


def _mark(error: Any, name: str) -> int:
    """The index that an error of the parser names; ValueErrors of PyYAML's scanner have none."""
    mark = getattr(error, name, None)
    return mark.index if mark is not None else 0
