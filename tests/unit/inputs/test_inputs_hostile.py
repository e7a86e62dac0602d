"""Any bytes as any format: rows or our own errors, nothing else, and every row can be sent as JSON."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.errors import SpecError
from runner.spec.slow_pattern import NO_PATTERN, compiled

PIECES = (
    st.sampled_from([bytes([byte]) for byte in b'",\n\r\t\0ab{}[]:\xff'])
    | st.sampled_from(
        [b"\r\n", b'{"a":1}', b"- ", b"a: b\n", b"\\u", b"\\ud800", b"1e999", b"NaN", b"\xc3\xa9", b"\xef\xbb\xbf"]
    )
    | st.sampled_from([b"\xe2\x80\xa8", b"id", b"&x", b"*x", b"{{", b"<<: ", b"!!"])
)
BYTES = st.binary(max_size=60) | st.lists(PIECES, max_size=30).map(b"".join)


@pytest.mark.parametrize("name", ["h.csv", "h.tsv", "h.jsonl", "h.json", "h.yaml", "h.txt"])
def test_any_bytes_give_rows_or_our_own_error(new_project, name):
    @settings(max_examples=250, deadline=None)
    @given(BYTES)
    @example(b"a\n" + b"[" * 3000)
    @example(b'[{"a":' + b"[" * 100_000)
    def check(data: bytes) -> None:
        try:
            rows = new_project().file(name, data)
        except SpecError:
            return
        assert rows
        assert [row.number for row in rows] == list(range(1, len(rows) + 1))
        for row in rows:
            json.dumps(dict(row.values), allow_nan=False, ensure_ascii=False).encode("utf-8")
            assert (row.problem is None) or row.values == {}

    check()


@settings(max_examples=150, deadline=None)
@given(BYTES)
def test_any_bytes_as_paths_on_stdin_give_rows_or_our_own_error(new_project, data):
    project = new_project()
    project.stdin_bytes = data
    try:
        rows = project.rows(project.source("paths", "-", on_empty="ok"))
    except SpecError:
        return
    assert all(row.problem is not None or (project.root / row.values["path"]).is_file() for row in rows)


def is_expression(text: str) -> bool:
    """Whether loading a spec lets it through as `match`."""
    try:
        return bool(compiled(text))
    except NO_PATTERN:
        return False


@settings(max_examples=150, deadline=None)
@given(st.text("*?[]!{}/.ab\\^-", min_size=1, max_size=12), st.text("(?P<a>)[]*+.b", max_size=10).filter(is_expression))
def test_any_pattern_gives_rows_or_our_own_error(new_project, pattern, match):
    project = new_project()
    project.write("a/b", "x")
    project.write("ab", "x")
    with contextlib.suppress(SpecError):
        project.rows(project.source("glob", pattern, match=match, on_empty="ok"))
