"""Templates: text of a spec, compiled once and rendered for every row.

The one way to Jinja for the rest of the program. What a template may do is `template_environment`'s; what goes
wrong is a `TemplateFailure` whose problem stands at the template's line. Values are data: nothing here ever
compiles a row's value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateNotFound, meta, nodes
from jinja2.runtime import Context

from runner.errors import Position, Problem, PromptrunError, SpecError
from runner.records import Json
from runner.spec.template_environment import Language, compile_nodes
from runner.spec.template_errors import Noun, TemplateFailure, braces_problem, failure, line_of, syntax_problem
from runner.spec.template_files import Origin
from runner.spec.template_values import Fault, to_json, to_text, within_bytes

if TYPE_CHECKING:
    from runner.spec.paths import Confine

__all__ = ["Expression", "Template", "TemplateFailure", "Templates", "names_in", "render_tree", "to_text"]

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_VALUE: Final = "lone_expression_value"
Step: TypeAlias = str | int


class _Compiled:
    """A compiled template and how to run it. names: the top-level names it reads, of its includes too."""

    __slots__ = ("_blocks", "_environment", "_globals", "_name", "_root", "_typed", "names", "source", "where")

    def __init__(self, source: str, where: Position, names: frozenset[str], code: JinjaTemplate, typed: bool) -> None:
        self.source = source
        self.where = where
        self.names = names
        self._typed = typed
        self._root = code.root_render_func
        self._blocks = code.blocks
        self._name = code.name
        self._environment: Any = code.environment
        self._globals = dict(code.globals)

    def _value(self, context: Mapping[str, Json]) -> Any:
        """The text, or a lone expression's value, still as Jinja has it."""
        self._environment.steps = 0
        known = Context(self._environment, {**self._globals, **context}, self._name, self._blocks)
        if not self._typed:
            return within_bytes(self._environment.concat(self._root(known)))
        for _ in self._root(known):
            pass
        return known.vars[_VALUE]

    def line_at(self, index: int) -> Position:
        """Where the line that holds this character of the source stands."""
        origin = self._environment.files.origins[self._name]
        return line_of(origin, self.source.count("\n", 0, index) + 1, self._environment)

    def _failure(self, error: Exception, context: Mapping[str, Json]) -> TemplateFailure:
        return failure(error, self._environment, self._name or "", context)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source!r}, {self.where})"


class Template(_Compiled):
    """Text with `{{ … }}`. names: the top-level names it reads (globals such as `file` are not among them)."""

    __slots__ = ()

    def render(self, context: Mapping[str, Json]) -> Json:
        """The text; a lone `{{ expression }}` gives its value with its type. Raises TemplateFailure."""
        try:
            return to_json(self._value(context))
        except Exception as error:
            raise self._failure(error, context) from None

    def render_text(self, context: Mapping[str, Json]) -> str:
        """The text, for fields that hold nothing else: a lone number becomes its JSON, null is a failure."""
        try:
            return to_text(self._value(context))
        except Exception as error:
            raise self._failure(error, context) from None


class Expression(_Compiled):
    """One expression without braces, as `where:` has it."""

    __slots__ = ()

    def evaluate(self, context: Mapping[str, Json]) -> Json:
        """Its value as JSON. Raises TemplateFailure."""
        try:
            return to_json(self._value(context))
        except Exception as error:
            raise self._failure(error, context) from None


class Templates:
    """Compiles the templates of one job. `base`: the folder that `file()` and includes are relative to."""

    def __init__(self, confine: Confine, *, base: Path) -> None:
        self._language = Language(confine)
        self._base = base
        self._made: dict[tuple[str, Position, Path], Template] = {}
        self._read: dict[str, frozenset[str]] = {}  # included file → the names it reads

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that includes and `file()` have read so far, absolute; at most the first 1,000."""
        return tuple(self._language.files.read)

    def text(self, source: str, where: Position, *, base: Path | None = None) -> Template | str:
        """The template, or the text itself when there is nothing to render.

        where: of the text's first character. Raises SpecError `template-syntax`.
        """
        if "{{" not in source and "{%" not in source:
            return source
        key = (source, where, base or self._base)
        if key not in self._made:
            self._made[key] = self._compile_text(source, where, base or self._base)
        return self._made[key]

    def expression(self, source: str, where: Position, *, base: Path | None = None) -> Expression:
        """An expression such as `row.score > 3`. Raises SpecError `template-syntax`."""
        name = self._register(source, where, base or self._base)
        try:
            tree = self._parse("{{ " + source + " }}")  # spaces: `-x` is not `{{-`
            alone = _lone(tree)
            if alone is None:
                raise Fault("template-syntax", "it is not one expression")
            return Expression(source, where, self._names(tree, name), self._assign(alone, name), True)
        except Exception as error:
            if "{{" in source:
                raise SpecError.of([braces_problem(source, where)]) from None
            raise self._syntax_error(error, name, noun="expression") from None

    def tree(self, value: Json, where_of: Callable[[tuple[Step, ...]], Position]) -> Any:
        """The JSON tree with every templated string compiled; keys are never templates. Raises SpecError with all."""
        problems: list[Problem] = []
        made = self._tree(value, (), where_of, problems)
        if problems:
            raise SpecError.of(problems)
        return made

    def _tree(self, value: Json, path: tuple[Step, ...], where_of: Any, problems: list[Problem]) -> Any:
        if isinstance(value, str):
            try:
                return self.text(value, where_of(path))
            except SpecError as error:
                problems.extend(error.problems)
                return value
        if isinstance(value, Mapping):
            return {key: self._tree(item, (*path, key), where_of, problems) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._tree(item, (*path, index), where_of, problems) for index, item in enumerate(value)]
        return value

    def _compile_text(self, source: str, where: Position, base: Path) -> Template:
        name = self._register(source, where, base)
        try:
            tree = self._parse(source)
            alone = _lone(tree)
            names = self._names(tree, name)
            code = compile_nodes(self._language, tree, name) if alone is None else self._assign(alone, name)
            return Template(source, where, names, code, alone is not None)
        except Exception as error:
            raise self._syntax_error(error, name) from None

    def _register(self, source: str, where: Position, base: Path) -> str:
        name = f"template {len(self._language.files.origins)}"
        self._language.files.origins[name] = Origin(where, base, source)
        return name

    def _parse(self, source: str) -> nodes.Template:
        if _SURROGATE.search(source):
            raise Fault("template-syntax", "the text holds half of a character (a lone surrogate)")
        return self._language.parse(source)

    def _assign(self, expression: nodes.Expr, name: str) -> JinjaTemplate:
        """Code that keeps the expression's value instead of writing it as text."""
        keep = nodes.Assign(nodes.Name(_VALUE, "store"), expression, lineno=expression.lineno)
        return compile_nodes(self._language, nodes.Template([keep], lineno=1), name)

    def _names(self, tree: nodes.Template, name: str) -> frozenset[str]:
        """Names the template reads, and those of the files it includes, as far as they are written down."""
        names = set(meta.find_undeclared_variables(tree))
        for included in meta.find_referenced_templates(tree):
            names |= {"text"} if included is None else self._names_of_file(included, name)
        return frozenset(names)

    def _names_of_file(self, included: str, parent: str) -> frozenset[str]:
        """A file that is not there is the render's to report: `ignore missing` may be meant."""
        language = self._language
        try:
            path = language.join_path(included, parent)
            if path not in self._read:
                self._read[path] = frozenset()  # it may include itself
                self._read[path] = self._names(language.parse(language.files.source_of(path), name=path), path)
            return self._read[path]
        except (SpecError, TemplateNotFound):
            return frozenset()

    def _syntax_error(self, error: Exception, name: str, *, noun: Noun = "template") -> PromptrunError:
        if isinstance(error, SpecError):
            return error
        return SpecError.of([syntax_problem(error, self._language, name, noun=noun)])


def _lone(tree: nodes.Template) -> nodes.Expr | None:
    """The expression of a text that is one `{{ expression }}` and nothing else."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return None
    output = tree.body[0]
    if len(output.nodes) != 1 or isinstance(output.nodes[0], nodes.TemplateData):
        return None
    return output.nodes[0]


def render_tree(tree: Any, context: Mapping[str, Json]) -> Json:
    """The tree with its templates rendered; what holds none is the same object. Raises TemplateFailure."""
    if isinstance(tree, Template):
        return tree.render(context)
    if isinstance(tree, Mapping):
        return {key: render_tree(item, context) for key, item in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [render_tree(item, context) for item in tree]
    return tree


def names_in(tree: Any) -> frozenset[str]:
    """Every top-level name that the templates of a tree read."""
    if isinstance(tree, (Template, Expression)):
        return tree.names
    items: Iterable[Any] = ()
    if isinstance(tree, Mapping):
        items = tree.values()
    elif isinstance(tree, (list, tuple)):
        items = tree
    return frozenset().union(*map(names_in, items))
