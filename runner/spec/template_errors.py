"""What went wrong inside a template, as a Problem at the template's own line.

Jinja compiles to Python; a traceback's frames are mapped back to template lines, and those to lines of the file
the template was written in. Nothing here renders.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import TracebackType
from typing import Any, Final, Literal, TypeAlias

from jinja2 import TemplateSyntaxError
from jinja2.exceptions import SecurityError
from jinja2.utils import missing

from runner.errors import Position, Problem, SpecError
from runner.spec.near import did_you_mean, listed
from runner.spec.template_environment import Language, UndefinedName
from runner.spec.template_files import MissingFile, Origin
from runner.spec.template_values import Fault, kind_of

ALWAYS: Final = ("row", "vars", "matrix", "repeat")
_EXPRESSION: Final = re.compile(r"\{\{-?\s*(.+?)\s*-?\}\}")
_BRACES: Final = re.compile(r"\{\{-?\s*|\s*-?\}\}")
_NO_SUCH: Final = re.compile(r"No (filter|test) named '(.+)'")
Noun: TypeAlias = Literal["template", "expression"]
_HOW: Final[Mapping[Noun, str]] = {
    "template": "to send braces as they are, write {% raw %}…{% endraw %} around them",
    "expression": "write one expression without braces around it, such as `row.lang == 'de'`",
}
_MOST: Final = 300


class TemplateFailure(Exception):
    """A template cannot be rendered with these values. problem.where: the template's line."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def failure(error: Exception, environment: Language, name: str, context: Mapping[str, Any]) -> TemplateFailure:
    """The failure that an exception of a render stands for; `name` is the outermost template."""
    if isinstance(error, TemplateFailure):
        return error
    if isinstance(error, TemplateSyntaxError):
        return TemplateFailure(syntax_problem(error, environment, name))
    name, line = _innermost(error.__traceback__, name)
    origin = environment.files.origins[name]
    problem = _problem(error, context)
    if problem.rule == "template-null":
        problem = replace(problem, what=_named_null(origin, line) or problem.what)
    return TemplateFailure(replace(problem, where=line_of(origin, line, environment)))


def syntax_problem(error: Exception, environment: Language, name: str, *, noun: Noun = "template") -> Problem:
    """The Problem of text that is no template (no expression); it may stand in a file that `name` includes."""
    inner = getattr(error, "name", None)
    name = inner if inner in environment.files.origins else name
    line = (error.lineno if isinstance(error, TemplateSyntaxError) else None) or 1
    where = line_of(environment.files.origins[name], line, environment)
    if isinstance(error, (RecursionError, MemoryError)):
        return Problem("template-syntax", f"the {noun} is nested too deeply", where)
    message = (error.message if isinstance(error, TemplateSyntaxError) else None) or str(error)
    unknown = _NO_SUCH.match(message)
    if unknown:
        known = environment.filters if unknown[1] == "filter" else environment.tests
        step = did_you_mean(unknown[2], known, otherwise="see https://jinja.palletsprojects.com/templates/")
        return Problem("template-syntax", f"there is no {unknown[1]} `{unknown[2][:80]}`", where, next=step)
    what = f"the {noun} cannot be read: {_plain(message).rstrip('.')}"
    return Problem("template-syntax", what, where, next=_HOW[noun])


def braces_problem(source: str, where: Position) -> Problem:
    """The Problem of an expression written as a template."""
    bare = _BRACES.sub("", source).strip()
    step = f"write `{bare[:200]}`" if source.count("{{") == 1 else _HOW["expression"]
    return Problem("template-syntax", "an expression has no braces around its names", where, next=step)


def line_of(origin: Origin, line: int, language: Language) -> Position:
    """The file's line for the template's; the first line when the text is folded or escaped, so that none matches."""
    if line <= 1 or not origin.at.line:
        return origin.at
    texts = origin.text.splitlines()
    wanted = texts[line - 1].strip() if line <= len(texts) else ""
    number = origin.at.line + line - 1
    written = language.files.line(origin.at.file, number)
    if not wanted or wanted not in written:
        return origin.at
    return Position(origin.at.file, number, written.index(wanted) + 1)


def _innermost(trace: TracebackType | None, name: str) -> tuple[str, int]:
    """The template and line of the deepest frame that belongs to one."""
    line = 1
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            name, line = template.name, template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return name, line


def _problem(error: Exception, context: Mapping[str, Any]) -> Problem:
    if isinstance(error, Fault):
        return Problem(error.rule, error.what, next=error.next)
    if isinstance(error, UndefinedName):
        return _undefined(error, context)
    if isinstance(error, MissingFile):
        return error.problem
    if isinstance(error, SpecError):
        return error.problems[0]
    if isinstance(error, SecurityError):
        return Problem("template-error", f"the template may not do this: {_plain(str(error))}")
    if isinstance(error, (MemoryError, RecursionError)):
        return Problem("template-too-large", "the template calls itself too deeply, or holds too much at once")
    return Problem("template-error", f"the template fails: {_plain(str(error)) or type(error).__name__}")


def _undefined(error: UndefinedName, context: Mapping[str, Any]) -> Problem:
    name, holder = error.name, error.obj
    if error.hint is not None:
        return Problem("template-undefined", _plain(error.hint))
    if holder is missing:
        known = [key for key in context if key not in ALWAYS]
        return _unknown(f"`{name}` is not a column of this row, a var or a matrix key", str(name), known)
    if isinstance(holder, Mapping) and isinstance(name, str):
        return _unknown(f"`{name[:80]}` is not {_place(holder, context)}", name, [str(key) for key in holder])
    if isinstance(name, int):
        return Problem("template-undefined", f"{kind_of(holder)} has no item {name} here", next="write `| default('')`")
    return Problem("template-undefined", f"{kind_of(holder)} has no `{str(name)[:80]}`")


def _unknown(what: str, name: str, known: list[str]) -> Problem:
    near = _near(name, tuple(known))
    names = f"known here: {listed(sorted(known))}" if known else "no columns, vars or matrix keys are known here"
    return Problem("template-undefined", f"{what}; {near}" if near else what, next=names)


@lru_cache(maxsize=64)
def _near(name: str, known: tuple[str, ...]) -> str:
    return did_you_mean(name, known)  # slow, and the same for every row of a file


def _place(holder: Any, context: Mapping[str, Any]) -> str:
    for name, place in (("row", "a column of this row"), ("vars", "one of `vars`"), ("matrix", "a matrix key")):
        if holder is context.get(name):
            return place
    return "a key of that map"


def _named_null(origin: Origin, line: int) -> str:
    """``the value of `row.budget` is null`` when the line holds one expression, else ""."""
    texts = origin.text.splitlines()
    found = _EXPRESSION.findall(texts[line - 1]) if 0 < line <= len(texts) else []
    return f"`{found[0][:80]}` is null" if len(found) == 1 else ""


def _plain(text: str) -> str:
    """One line, not endless, and without what a terminal would obey."""
    text = " ".join(text.split())
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"
