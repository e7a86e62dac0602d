"""Jinja as the language has it: sandboxed, strict, without comments, clock or chance, JSON in text, files confined.

The rules of templates are here; what each costs is bounded in `template_bounds`, what a value becomes is in
`template_values`. Row values never pass through this environment as source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from jinja2 import BaseLoader, StrictUndefined, Template, nodes, pass_context, pass_environment
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import UndefinedError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from runner.spec import template_bounds as bounds
from runner.spec import template_filters as ours
from runner.spec.template_files import TemplateFiles
from runner.spec.template_values import MAX_TEXT, Fault, to_text

if TYPE_CHECKING:
    from runner.spec.paths import Confine

_NEVER: Final = "\udfff\udffe"  # lone surrogates: no UTF-8 file can hold them, and `Templates` refuses them
_FEW: Final = 64
_COUNTED: Final = "counted"
_CALL: Final = 20  # steps: a macro's call takes that many times as long as an iteration
MAX_STEPS: Final = 1_000_000


class UndefinedName(UndefinedError):
    """A name or key that is not there. obj: what was asked for it, `missing` for a top-level name."""

    def __init__(self, name: Any, obj: Any, hint: str | None, message: str | None = None) -> None:
        super().__init__(message or hint)
        self.name = name
        self.obj = obj
        self.hint = hint


class _Missing(StrictUndefined):
    __slots__ = ()

    def __init__(self, hint: str | None = None, obj: Any = missing, name: str | None = None, exc: Any = None) -> None:
        raised = exc if exc not in (None, UndefinedError) else partial(UndefinedName, name, obj, hint)
        super().__init__(hint, obj, name, cast(type[UndefinedError], raised))


class _Generator(CodeGenerator):
    """Jinja's code with `~` bounded, and rendering its operands as they would render in text."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802  # Jinja's visitor names
        self.write("environment.concat((")
        for operand in node.nodes:
            self.visit(operand, frame)
            self.write(", ")
        self.write("))")


@pass_context
def _finalize(_: Context, value: Any) -> str:
    """Text of every `{{ … }}`. Asking for the context keeps Jinja from folding constants with Python's `str`."""
    return value if type(value) is str else to_text(value)


class Language(ImmutableSandboxedEnvironment):
    """One per job."""

    code_generator_class = _Generator
    intercepted_binops = frozenset(bounds.OPERATORS)

    def __init__(self, confine: Confine) -> None:
        super().__init__(
            undefined=_Missing,
            finalize=_finalize,
            autoescape=False,
            keep_trailing_newline=True,
            optimized=False,
            auto_reload=False,
            comment_start_string=_NEVER,
            comment_end_string=_NEVER[::-1],
            loader=_Loader(),
        )
        self.files = TemplateFiles(confine)
        self.steps = 0  # of the render that is going on
        self.globals.pop("lipsum")
        self.globals["file"] = _file
        for name in ours.LEFT_OUT:
            self.filters.pop(name)
        self.filters.update(ours.OURS)
        self.filters[_COUNTED] = _counted

    def step(self, size: int = 1) -> None:
        """Counts an iteration or a call; nested loops would otherwise run for days."""
        self.steps += size
        if self.steps > MAX_STEPS:
            raise Fault("template-too-large", f"the template takes more than {MAX_STEPS:,} steps", "loop over less")

    @staticmethod
    def concat(parts: Iterable[Any]) -> str:
        """Joins what a template wrote; stops at 32 MB instead of collecting it."""
        rest = iter(parts)
        first = list(islice(rest, _FEW))
        try:
            size = sum(map(len, first))
            if len(first) < _FEW and size <= MAX_TEXT:
                return "".join(first)
        except TypeError:
            pass  # operands of `~` that are not text yet
        return bounds.joined(_chain(first, rest))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`row.items` is the column `items` when there is one: keys before attributes."""
        if isinstance(obj, Mapping):
            try:
                return obj[attribute]
            except LookupError:
                pass
        return self._attribute(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        try:
            return obj[argument]
        except (TypeError, LookupError, AttributeError):
            if isinstance(argument, str) and not isinstance(obj, Mapping):
                return self._attribute(obj, argument)
        return self.undefined(obj=obj, name=argument)

    def _attribute(self, obj: Any, name: str) -> Any:
        if isinstance(obj, _Missing):
            return getattr(obj, name)  # raises, naming what is undefined
        if name.startswith("_"):
            raise Fault("template-error", f"templates may not use `{name[:80]}`")
        if not ours.may_use(obj, name):
            return self.undefined(obj=obj, name=name)
        if isinstance(obj, str):
            return ours.bounded_method(obj, name, getattr(obj, name), self)
        return super().getattr(obj, name)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        bounds.OPERATORS[operator](left, right)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.step(_CALL)
        return super().call(context, obj, *args, **kwargs)

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        for loop in list(source.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, _COUNTED, [], [], None, None, lineno=loop.lineno, environment=self)
        return super()._generate(source, *args, **kwargs)

    def join_path(self, template: str, parent: str) -> str:
        return self.files.path_of(template, parent)


@pass_environment
def _counted(environment: Language, items: Iterable[Any]) -> Iterable[Any]:
    for item in items:
        environment.step()
        yield item


def _chain(first: Iterable[Any], rest: Iterable[Any]) -> Iterable[Any]:
    yield from first
    yield from rest


class _Loader(BaseLoader):
    """Reads what `join_path` resolved; it never searches."""

    def get_source(self, environment: Any, template: str) -> tuple[str, str | None, None]:
        return environment.files.source_of(template), None, None


@pass_context
def _file(context: Context, path: Any) -> str:
    """`{{ file('notes.md') }}`: the text of a file under the project root, never rendered."""
    environment = cast(Language, context.environment)
    if not isinstance(path, str):
        raise Fault("template-error", "`file` takes one path as text")
    return environment.files.text_of(path, environment.files.origins[cast(str, context.name)].base)


def compile_nodes(environment: Language, tree: nodes.Template, name: str) -> Template:
    """Python code for a syntax tree, under a name that `files.origins` knows."""
    tree.set_environment(environment)
    code = environment.compile(tree, name=name)
    return Template.from_code(environment, code, environment.make_globals(None))
