"""Text from elsewhere on one line of ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.claude.wording import excerpt, one_line


@given(st.text(), st.integers(1, 50))
def test_always_one_printable_line_of_bounded_length(text, limit):
    line = one_line(text, limit=limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    assert "\x1b" not in line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("key sk-ant-api03-AbC_d-9 refused", "key [credential] refused"),
        ("Authorization: Bearer abcdefgh.ijkl", "Authorization: [credential]"),
        ("https://me:pw@host/x", "https://host/x"),
        ("my secret is hush", "my secret is [credential]"),
    ],
)
def test_credentials_are_taken_out(text, line):
    assert one_line(text, secrets=("hush",)) == line


def test_an_excerpt_is_the_text_of_a_page():
    assert excerpt(b"<html><script>var a = 1</script><h1>Bad</h1>\n\n<p>Gateway</p>") == "`Bad Gateway`"
    assert excerpt(b"\xff\xfe") == "`\ufffd\ufffd`"
    assert excerpt(b" \n") == "an empty body"
