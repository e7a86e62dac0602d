"""Templates: what they make of values, what they may not do, and what is said when they fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from runner.errors import Position, SpecError
from runner.spec.paths import Confine
from runner.spec.template import Template, TemplateFailure, Templates, names_in, render_tree

AT = Position("specs/job.yaml", 4, 9)
ROW = {
    "text": "5 < 6 & é",
    "items": "a column",
    "Customer Name": "Ann",
    "budget": 500,
    "share": 0.5,
    "new": True,
    "gone": None,
    "tags": ["a", None, {"é": "<b>"}],
}
CONTEXT = {**ROW, "row": ROW, "vars": {"tone": "dry"}, "tone": "dry", "matrix": {"style": "short"}, "repeat": 2}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path.resolve()


@pytest.fixture
def templates(root: Path) -> Templates:
    return Templates(Confine(root), base=root)


@pytest.fixture
def render(templates: Templates) -> Callable[..., Any]:
    def rendered(source: str, context: dict[str, Any] | None = None) -> Any:
        made = templates.text(source, AT)
        return made if isinstance(made, str) else made.render(CONTEXT if context is None else context)

    return rendered


def failing(templates: Templates, source: str, context: dict[str, Any] | None = None) -> TemplateFailure:
    template = templates.text(source, AT)
    assert isinstance(template, Template)
    with pytest.raises(TemplateFailure) as caught:
        template.render(CONTEXT if context is None else context)
    return caught.value


# ---------------------------------------------------------------- what comes out


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ text }}!", "5 < 6 & é!"),
        ("new: {{ new }}, {{ budget }}, {{ share }}", "new: true, 500, 0.5"),
        ("{{ tags }}\n", '["a",null,{"é":"<b>"}]\n'),
        ("{{ row.items }} {{ row['Customer Name'] }}", "a column Ann"),
        ("{{ vars.tone }} {{ matrix.style }} {{ repeat }}", "dry short 2"),
        ("{{ 'x' ~ new ~ share }}", "xtrue0.5"),
        ("a{{ tags | tojson }}", 'a["a",null,{"é":"<b>"}]'),
        ("a{{ gone | default('none') }}{{ missing | default('-') }}", "anone-"),
        ("{% for tag in ['x', 'y'] %}{{ loop.index }}{{ tag }}{% endfor %}", "1x2y"),
        ("{{ [1, true] | join(', ') }} {{ [1, 2] | map('string') }}", '1, true ["1","2"]'),
        ("{{ 'yes' if false }}|", "|"),
        ("{{ '%05.1f' | format(share) }} {{ '{:>4}'.format(budget) }}", "000.5  500"),
        ("kept newline {{ budget }}\n", "kept newline 500\n"),
        ("{% raw %}{{ budget }}{% endraw %}", "{{ budget }}"),
    ],
)
def test_inside_text_values_render_as_the_language_says(render: Callable[..., Any], source: str, expected: str) -> None:
    assert render(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ budget }}", 500),
        ("{{ share * 2 }}", 1.0),
        ("{{ new }}", True),
        ("{{ gone }}", None),
        ("{{ row.tags }}", ROW["tags"]),
        ("{{ {'a': (1, 2)} }}", {"a": [1, 2]}),
        ("{{ ['a'] | map('upper') }}", ["A"]),
        ("{{- text -}}", ROW["text"]),
    ],
)
def test_a_lone_expression_keeps_its_type(render: Callable[..., Any], source: str, expected: Any) -> None:
    made = render(source)
    assert made == expected
    assert type(made) is type(expected)


def test_a_lone_expression_as_text(templates: Templates) -> None:
    template = templates.text("{{ tags }}", AT)
    assert isinstance(template, Template)
    assert template.render_text(CONTEXT) == '["a",null,{"é":"<b>"}]'
    with pytest.raises(TemplateFailure, match="is null"):
        template.render_text({"tags": None})


@pytest.mark.parametrize(
    "source",
    [
        r"\section{#1} {#comment?#} \textbf{x} #}",
        "# Title\n## Sub\n{# not a comment #}\n",
        "no braces at all",
        "{ {x} } $\\{",
    ],
)
def test_latex_and_markdown_survive(render: Callable[..., Any], source: str) -> None:
    assert render(source) == source
    assert render(source + " {{ budget }}") == source + " 500"


def test_text_without_template_is_given_back_as_it_is(templates: Templates) -> None:
    assert templates.text("# {# x #}\r\n", AT) == "# {# x #}\r\n"


def test_row_values_are_never_templates(render: Callable[..., Any]) -> None:
    hostile = "{{ 7 * 7 }}{% include '/etc/passwd' %}"
    assert render("<{{ text }}>{{ [text] }}", {"text": hostile}) == f'<{hostile}>["{hostile}"]'


# ---------------------------------------------------------------- what is said


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("undefined", "{{ txt }}"),
        ("undefined-attribute", "{{ row.txt }}!"),
        ("undefined-var", "{{ vars.tune }}!"),
        ("undefined-nothing-near", "{{ zzz.a.b }}"),
        ("undefined-item", "{{ tags[7] }}"),
        ("undefined-of-text", "{{ text.nope }}"),
        ("null", "The budget is {{ gone }}."),
        ("null-of-two", "{{ text }} {{ gone }}"),
        ("division", "{{ 1 / 0 }}"),
        ("type", "{{ text + 1 }}"),
        ("dunder", "{{ text.__class__ }}"),
        ("range", "{{ range(10 ** 9) }}"),
        ("padding", "{{ text.ljust(10 ** 9) }}"),
        ("recursion", "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}"),
        ("infinite", "{{ [1e308 * 10] }}"),
        ("map-key", "{{ {1: 2} }}"),
        ("include-missing", "{% include 'nope.md' %}"),
    ],
)
def test_failures_say_what_and_where(templates: Templates, name: str, source: str, snapshot: SnapshotAssertion) -> None:
    assert str(failing(templates, source).problem) == snapshot(name=name)


@pytest.mark.parametrize(
    "source", ["{{ text", "{% if %}", "{{ text | uper }}", "{{ text is nothing }}", "{% for x in %}", "{{ \ud800 }}"]
)
def test_syntax_errors_are_spec_errors(templates: Templates, source: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(SpecError) as caught:
        templates.text(source, AT)
    assert caught.value.problems[0].rule == "template-syntax"
    assert str(caught.value) == snapshot


def test_a_line_of_a_block_scalar_is_the_line_of_the_file(templates: Templates, root: Path) -> None:
    (root / "specs").mkdir()
    (root / "specs/job.yaml").write_text("\n\nprompt: |\n  Hello,\n\n    {{ txt }} there\n", encoding="utf-8")
    template = templates.text("Hello,\n\n  {{ txt }} there\n", Position("specs/job.yaml", 4, 3))
    assert isinstance(template, Template)
    with pytest.raises(TemplateFailure) as caught:
        template.render({})
    assert caught.value.problem.where == Position("specs/job.yaml", 6, 5)


def test_an_escaped_newline_does_not_move_the_line(templates: Templates, root: Path) -> None:
    (root / "specs").mkdir()
    (root / "specs/job.yaml").write_text('\n\n\nprompt: "Hello\\n{{ txt }}"\nname: x\n', encoding="utf-8")
    template = templates.text("Hello\n{{ txt }}", Position("specs/job.yaml", 4, 10))
    assert isinstance(template, Template)
    with pytest.raises(TemplateFailure) as caught:
        template.render({})
    assert caught.value.problem.where == Position("specs/job.yaml", 4, 10)


def test_syntax_errors_of_a_tree_come_together(templates: Templates) -> None:
    def where(path: tuple[str | int, ...]) -> Position:
        return Position("job.yaml", 1 + len(path))

    with pytest.raises(SpecError) as caught:
        templates.tree({"a": "{{", "b": ["{{ x }}", "{% nope %}"]}, where)
    assert [str(problem.where) for problem in caught.value.problems] == ["job.yaml:2", "job.yaml:3"]


# ---------------------------------------------------------------- what it may not do


ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ row.__class__ }}",
    "{{ row['__class__'] }}",
    "{{ text['__class__'] }}",
    "{{ '{0.__class__}'.format(text) }}",
    "{{ '{0[__class__]}'.format(text) }}",
    "{{ '{a.__class__}'.format_map({'a': text}) }}",
    "{{ text | attr('__class__') }}",
    "{{ text.encode() }}",
    "{{ (5).to_bytes(4, 'big') }}",
    "{{ range.__init__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ file.__globals__ }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ joiner().__class__ }}",
    "{{ namespace().__class__ }}",
    "{{ ([] | map('upper')).gi_frame }}",
    "{{ tags.append(1) }}",
    "{{ row.update({}) }}",
    "{{ row.pop('text') }}",
    "{{ lipsum() }}",
    "{{ dict.mro() }}",
    "{% set x = row.setdefault('a', 1) %}{{ x }}",
]


@pytest.mark.parametrize("source", ESCAPES)
def test_sandbox_holds(templates: Templates, source: str) -> None:
    before = json.dumps(ROW)
    assert failing(templates, source).problem.rule in {"template-error", "template-undefined"}
    assert json.dumps(ROW) == before


@pytest.mark.parametrize("source", ["{{ [1, 2] | random }}", "{{ tags | pprint }}"])
def test_filters_that_are_left_out(templates: Templates, source: str) -> None:
    with pytest.raises(SpecError, match="there is no filter"):
        templates.text(source, AT)


BOMBS = [
    "{{ 'a' * 10**9 }}",
    "{{ 10**9 * 'a' }}",
    "{{ [0] * 10**8 }}",
    "{{ 'a' | center(10**9) }}",
    "{{ 'a'.center(10**9) }}",
    "{{ 'a'.zfill(10**9) }}",
    "{{ ('\t' * 1000).expandtabs(10**8) }}",
    "{{ 'a' | indent(10**9, true) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%.1000000000f' % 1.5 }}",
    "{{ '%*d' % (10**9, 1) }}",
    "{{ '%(a)1000000000s' % {'a': 1} }}",
    "{{ ('%(a)s' * 100000) % {'a': 'b' * 100000} }}",
    "{{ '%1000000000d' | format(1) }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ '{:>{w}}'.format(1, w=10**9) }}",
    "{{ ('{0:>1000000}' * 1000).format(1) }}",
    "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
    "{{ ('a' * 100000) | replace('a', 'b' * 100000) }}",
    "{{ ('a' * 1000000).join(range(1000)) }}",
    "{{ range(1000) | join('a' * 1000000) }}",
    "{{ ('a' * 100000) | wordwrap(1, wrapstring='b' * 100000) }}",
    "{{ [1] | batch(10**9, 0) }}",
    "{{ [1] | slice(10**9) }}",
    "{{ 10 ** 10000 }}",
    "{{ 2 ** 2 ** 4000 ** 2 }}",
    "{% set ns = namespace(s='aaaa') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
    "{% set ns = namespace(s='aaaa') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
    "{% set ns = namespace(n=3) %}{% for i in range(60) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
    "{% set ns = namespace(s=['a' * 99]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
    "{% set n = range(9999) %}{% for a in n %}{% for b in n %}{% for c in n %}{% endfor %}{% endfor %}{% endfor %}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "{% for a in [[1]] recursive %}{% if loop.depth < 60 %}{{ loop([1]) }}{{ loop([1]) }}{% endif %}{% endfor %}",
    "{% for i in range(100) %}{{ 'a' * 1000000 }}{% endfor %}",
    "{% set x %}{% for i in range(100) %}{{ 'a' * 1000000 }}{% endfor %}{% endset %}",
    "{% macro f() %}{% for i in range(100) %}{{ 'a' * 1000000 }}{% endfor %}{% endmacro %}{{ f() }}",
]


@pytest.mark.parametrize("source", BOMBS)
def test_what_would_grow_without_bound_fails_at_once(templates: Templates, source: str) -> None:
    assert failing(templates, source).problem.rule == "template-too-large"


@pytest.mark.parametrize("width", [10**9, 2**70])
def test_a_hostile_row_cannot_choose_a_width(templates: Templates, width: int) -> None:
    problem = failing(templates, "{{ 'x'.rjust(row.width) }}", {"row": {"width": width}}).problem
    assert problem.rule == "template-too-large"


def test_thirty_two_megabytes_are_allowed_and_no_more(render: Callable[..., Any], templates: Templates) -> None:
    half = "a" * (16 * 1024 * 1024)
    assert len(render("{{ half }}{{ half }}", {"half": half})) == 32 * 1024 * 1024
    assert failing(templates, "{{ half }}{{ half }}.", {"half": half}).problem.rule == "template-too-large"


def test_the_bound_counts_bytes(templates: Templates) -> None:
    half = "é" * (16 * 1024 * 1024)
    assert failing(templates, "{{ half }}.", {"half": half}).problem.rule == "template-too-large"


# ---------------------------------------------------------------- files


def test_file_and_include_are_relative_to_their_writer(render: Callable[..., Any], root: Path) -> None:
    (root / "parts/deep").mkdir(parents=True)
    (root / "parts/a.md").write_text("A({% include 'deep/b.md' %})", encoding="utf-8")
    (root / "parts/deep/b.md").write_text("B {{ text }} {{ file('c.txt') }}", encoding="utf-8")
    (root / "parts/deep/c.txt").write_text("{{ raw }} é", encoding="utf-8")
    assert render("{% include 'parts/a.md' %}", {"text": "x"}) == "A(B x {{ raw }} é)"


def test_a_file_is_read_once_for_all_rows(render: Callable[..., Any], root: Path) -> None:
    (root / "a.md").write_text("first", encoding="utf-8")
    assert render("{{ file(path) }}", {"path": "a.md"}) == "first"
    (root / "a.md").write_text("second", encoding="utf-8")
    assert render("{{ file(path) }}", {"path": "a.md"}) == "first"


def test_a_missing_include_may_be_meant(render: Callable[..., Any], templates: Templates, root: Path) -> None:
    (root / "b.md").write_text("B", encoding="utf-8")
    assert render("{% include 'a.md' ignore missing %}{% include ['a.md', 'b.md'] %}") == "B"
    assert templates.files == (root / "b.md",)
    assert failing(templates, "{% include '../a.md' ignore missing %}").problem.rule == "path-outside-root"


def test_loops_know_their_place(render: Callable[..., Any]) -> None:
    assert render("{% for x in 'abc' if x != 'b' %}{{ loop.index }}/{{ loop.length }}{{ loop.last }} {% endfor %}") == (
        "1/2false 2/2true "
    )
    assert render("{% for x in [] %}{% else %}none{% endfor %}") == "none"


def test_names_include_those_of_included_files(templates: Templates, root: Path) -> None:
    (root / "a.md").write_text(
        "{{ one }}{% include 'a.md' ignore missing %}{% set own = 1 %}{{ own }}", encoding="utf-8"
    )
    first = templates.text("{% include 'a.md' %}{{ two }}{{ range(2) }}", AT)
    second = templates.text("{% include 'a.md' %} again", AT)
    assert names_in([first, {"x": second}]) == {"one", "two"}
    assert names_in(second) == {"one"}


@pytest.mark.parametrize(
    "source",
    [
        "{{ file('../secret.txt') }}",
        "{% include '../secret.txt' %}",
        "{{ file('link.txt') }}",
        "{% include 'link.txt' %}",
        "{% import '../secret.txt' as x %}",
        "{% extends '../secret.txt' %}",
        "{% include row.path %}",
    ],
)
def test_files_outside_the_root_are_not_read(tmp_path: Path, source: str) -> None:
    root = (tmp_path / "root").resolve()
    root.mkdir()
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    try:
        (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    except OSError:
        pytest.skip("this system makes no symbolic links")
    problem = failing(Templates(Confine(root), base=root), source, {"row": {"path": "../secret.txt"}}).problem
    assert (problem.rule, problem.where) == ("path-outside-root", AT)


def test_a_failure_in_an_included_file_stands_in_that_file(templates: Templates, root: Path) -> None:
    (root / "a.md").write_text("one\n{{ txt }}\n", encoding="utf-8")
    assert failing(templates, "x\n{% include 'a.md' %}").problem.where == Position("a.md", 2, 1)


def test_a_syntax_error_in_an_included_file_stands_in_that_file(templates: Templates, root: Path) -> None:
    (root / "a.md").write_text("one\n{{ txt\n", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        templates.text("{% include 'a.md' %}", AT)
    assert caught.value.problems[0].where == Position("a.md", 2, 1)


def test_a_file_that_includes_itself_fails(templates: Templates, root: Path) -> None:
    (root / "a.md").write_text("{% include 'a.md' %}", encoding="utf-8")
    assert failing(templates, "{% include 'a.md' %}").problem.rule == "template-too-large"


# ---------------------------------------------------------------- expressions and trees


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("budget > 100", True),
        ("-budget < 0", True),
        ("text", ROW["text"]),
        ("row.tags | length", 3),
        ("gone is none and new", True),
    ],
)
def test_expressions(templates: Templates, source: str, expected: Any) -> None:
    assert templates.expression(source, AT).evaluate(CONTEXT) == expected


@pytest.mark.parametrize("source", ["", "budget >", "a }} text", "{% if x %}"])
def test_what_is_no_expression(templates: Templates, source: str) -> None:
    with pytest.raises(SpecError) as caught:
        templates.expression(source, AT)
    (problem,) = caught.value.problems
    assert problem.rule == "template-syntax"
    assert "the expression cannot be read" in problem.what
    assert "without braces" in problem.next


@pytest.mark.parametrize(
    ("source", "step"),
    [
        ("{{ budget }}", "write `budget`"),
        ("{{- row.a -}} > 3", "write `row.a > 3`"),
        ("{{ a }} == {{ b }}", "write one expression without braces around it, such as `row.lang == 'de'`"),
        ("a }}{{ b", "write `ab`"),
    ],
)
def test_an_expression_written_as_a_template(templates: Templates, source: str, step: str) -> None:
    with pytest.raises(SpecError, match="no braces") as caught:
        templates.expression(source, AT)
    assert caught.value.problems[0].next == step


def test_braces_inside_a_text_of_an_expression_are_text(templates: Templates) -> None:
    assert templates.expression("'{{' in row.text", AT).evaluate({"row": {"text": "a {{ b"}}) is True


def test_trees_render_their_strings_and_leave_their_keys(templates: Templates) -> None:
    tree = templates.tree({"{{ k }}": ["{{ budget }}", "a {{ new }}", 3, None], "b": {"c": "plain"}}, lambda path: AT)
    assert render_tree(tree, CONTEXT) == {"{{ k }}": [500, "a true", 3, None], "b": {"c": "plain"}}
    assert names_in(tree) == {"budget", "new"}


# ---------------------------------------------------------------- hostile input

WORDS = (
    "{{ }} {% %} {# #} {{- -}} row . text | [ ] ( ) ' \" ~ + * ** % if else endif for in endfor set endset macro "
    "endmacro include file raw endraw autoescape true endautoescape 0 9 99999 , : = == tojson join center format "
    "default namespace range loop not and é \ud800 \x00 \n # __class__ .__init__ |attr block endblock"
)
PIECES = st.sampled_from(WORDS.split(" "))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(PIECES | st.text(max_size=5), max_size=12).map(" ".join) | st.text())
def test_hostile_templates_raise_only_our_errors(source: str) -> None:
    templates = Templates(Confine(Path.cwd() / "nowhere"), base=Path.cwd() / "nowhere")
    try:
        made = templates.text(source, AT)
        if isinstance(made, Template):
            json.dumps(made.render(CONTEXT), allow_nan=False)
    except (TemplateFailure, SpecError):
        return


SOURCES = [
    "{{ value }}",
    "a {{ value }}",
    "{{ row.value.value }}",
    "{{ value | tojson }} {{ value ~ value }}",
    "{{ 'x' * value }}",
    "{{ value % value }}",
    "{{ value ** value }}",
    "{{ 'x'.ljust(value) }}",
    "{{ value | join(value) }}",
    "{{ value | replace(value, value) }}",
    "{% for one in value %}{{ one }}{% endfor %}",
    "{{ value | round(value) }}",
    "{{ value | indent(value) }}",
    "{{ value | format(value) }}",
    "{{ value.format(value, a=value) }}",
    "{{ value | batch(value, value) | list }}",
    "{{ value | sort | first }}",
    "{{ file(value) }}",
    "{% include value %}",
    "{{ value | default('x') | string | length }}",
]


HOSTILE = Templates(Confine(Path.cwd() / "nowhere"), base=Path.cwd() / "nowhere")


@pytest.mark.parametrize("source", SOURCES)
@settings(max_examples=40)
@given(
    value=VALUES | st.sampled_from([2**70, 10**9, -(10**9), "%99999999d", "{:>99999999}", "{0.__class__}", "\ud800"])
)
def test_hostile_values_raise_only_our_errors(source: str, value: Any) -> None:
    template = HOSTILE.text(source, AT)
    assert isinstance(template, Template)
    try:
        made = template.render({"value": value, "row": {"value": {"value": value}}})
    except TemplateFailure:
        return
    json.dumps(made, allow_nan=False)
