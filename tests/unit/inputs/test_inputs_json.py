"""JSON and JSON Lines: read strictly, as a stream, with line and column for what is wrong."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import SpecError

BAD_OBJECTS = [
    ('{"a": 1, "a": 2}', "the key `a` stands twice"),
    ('{"a": {"b": 1, "b": 1}}', "the key `b` stands twice"),
    ('{"a": NaN}', "`NaN` is not JSON"),
    ('{"a": -Infinity}', "`-Infinity` is not JSON"),
    ('{"a": 1e999}', "the number 1e999 is too large"),
    ('{"a": 18446744073709551616}', "does not fit in 64 bits"),
    ('{"a": ' + "1" * 5000 + "}", "does not fit in 64 bits"),
    (r'{"a": "\ud800"}', "half of a surrogate pair"),
    (r'{"\udc00": 1}', "half of a surrogate pair"),
    ('{"a": ' + "[" * 120 + "]" * 120 + "}", "nested deeper than 100"),
    ("[1]", "is a list, not an object"),
    ("3", "is a number, not an object"),
    ("true", "is a boolean, not an object"),
    ("null", "is null, not an object"),
]


@pytest.mark.parametrize(("text", "said"), BAD_OBJECTS, ids=[said for _, said in BAD_OBJECTS])
def test_a_bad_object_is_a_bad_row_in_both_formats(project, text, said):
    for name, data in (
        ("a.jsonl", f'{{"x": 1}}\n{text}\n{{"x": 2}}\n'),
        ("a.json", f'[{{"x": 1}},\n{text},\n{{"x": 2}}]'),
    ):
        first, bad, last = project.file(name, data)
        assert bad.problem is not None
        assert said in bad.problem.what
        assert str(bad.problem.where) == f"{name}:2"
        assert (first.values, bad.values, last.values) == ({"x": 1}, {}, {"x": 2})


def test_types_are_kept(project):
    value = {"a": 1, "b": 1.5, "c": None, "d": True, "e": [1, {"f": "ü😀"}], "g": 18446744073709551615}
    assert project.file("a.jsonl", json.dumps(value))[0].values == value
    assert project.file("a.json", json.dumps([value]))[0].values == value


def test_blank_lines_are_skipped_and_counted(project):
    rows = project.file("a.ndjson", b'\xef\xbb\xbf\n  \n {"a": 1} \r\n\n{"a": 2}')
    assert [(row.values, row.source.line) for row in rows] == [({"a": 1}, 3), ({"a": 2}, 5)]


def test_a_line_that_is_not_json_names_line_and_column(project, snapshot):
    rows = project.file("a.jsonl", '{"a": 1}\n  {"a": }\n{"a": 1} {"b": 2}\n{"a": "open\n' + "[" * 100_000 + "\n")
    assert [str(row.problem) for row in rows if row.problem] == snapshot


def test_a_line_beyond_the_limit_is_a_bad_row(project, monkeypatch):
    monkeypatch.setattr("runner.inputs.text_file.MAX_TEXT", 100)
    bad, good = project.file("a.jsonl", '{"a": "' + "x" * 500 + '"}\n{"a": 1}\n')
    assert "longer than 32 MB" in str(bad.problem)
    assert good.values == {"a": 1}


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"rows": [{"a": 1}]}',
        '{"a": 1}\n{"a": 2}\n',
        '"a"',
        "a,b\n",
        '[{"a": 1}',
        '[{"a": 1},',
        '[{"a": 1},]',
        '[{"a": 1} {"a": 2}]',
        '[{"a": 1}] x',
        '[\n  {"a": 1},\n  {"a": tru}]',
        '[{"a": "open]',
        "[,]",
    ],
)
def test_what_is_no_list_of_objects_is_an_error_with_a_place(project, text, snapshot):
    with pytest.raises(SpecError) as caught:
        project.file("a.json", text)
    assert {problem.rule for problem in caught.value.problems} == {"json-list"}
    assert str(caught.value) == snapshot


def test_nesting_beyond_all_bounds_is_an_error_too(project):
    with pytest.raises(SpecError) as caught:
        project.file("a.json", "[" * 200_000)
    assert {problem.rule for problem in caught.value.problems} == {"json-list"}


def test_an_empty_list_has_no_rows(project):
    with pytest.raises(SpecError, match="has no rows"):
        project.file("a.json", " [ ] ")
    assert project.rows(project.source("file", "a.json", on_empty="ok")) == []


def test_an_item_longer_than_the_window_is_read_and_the_next_has_its_line(project):
    rows = project.file("a.json", '[\n{"a":\n"' + "x" * 300_000 + '"},\n\n{"a": "y"}]')
    assert [(len(row.values["a"]), row.source.line) for row in rows] == [(300_000, 2), (1, 5)]


def test_an_item_beyond_the_limit_is_an_error(project, monkeypatch):
    monkeypatch.setattr("runner.inputs.readers.json_list.MAX_TEXT", 100_000)
    with pytest.raises(SpecError, match="an item is longer than 32 MB"):
        project.file("a.json", '[{"a": "' + "x" * 500_000)


def test_a_list_is_never_whole_in_memory(project):
    project.write("a.json", json.dumps([{"text": "x" * 1000}] * 20_000))
    tracemalloc.start()
    count = sum(1 for _ in project.stream(project.source("file", "a.json")))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 3_000_000  # the file has 20 MB


SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('ab"é\\', max_size=3), inner, max_size=4),
)


@settings(max_examples=60, deadline=None)
@given(
    items=st.lists(st.dictionaries(st.text('abc{}[],"', max_size=4), VALUE, max_size=4), min_size=1, max_size=12),
    indent=st.sampled_from([None, 0, 2]),
    escaped=st.booleans(),
    chunk=st.integers(1, 40),
)
def test_the_streamed_list_equals_json_loads(new_project, items, indent, escaped, chunk):
    project = new_project()
    text = json.dumps(items, indent=indent, ensure_ascii=escaped)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runner.inputs.readers.json_list._CHUNK", chunk)  # windows end inside everything
        rows = project.file("a.json", text, id="#")
    assert [row.values for row in rows] == json.loads(text)
    assert all(row.problem is None for row in rows)
