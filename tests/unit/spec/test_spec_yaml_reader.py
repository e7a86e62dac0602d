"""The YAML reader: our scalars, a position for everything, limits, and messages that say what to do."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.errors import Position, Problem, SpecError
from runner.spec import yaml_reader
from runner.spec.rules import RULES
from runner.spec.source_text import decode
from runner.spec.yaml_reader import parse_scalar, path_text, read_yaml

FAKE_KEY = "sk-" + "ant-api03-" + "x" * 40  # split, so that no scanner takes it for a real one


def value_of(text: str | bytes) -> Any:
    return read_yaml(text.encode() if isinstance(text, str) else text, file="job.yaml").value


def problems_of(text: str | bytes) -> tuple[Problem, ...]:
    with pytest.raises(SpecError) as caught:
        value_of(text)
    return caught.value.problems


def rules_of(text: str | bytes) -> list[tuple[str, int, int]]:
    return [(one.rule, one.where.line, one.where.column) for one in problems_of(text) if one.where]


# ---------------------------------------------------------------- scalars


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((word, None) for word in ("", "~", "null", "Null", "NULL")),
        *((word, True) for word in ("true", "True", "TRUE")),
        *((word, False) for word in ("false", "False", "FALSE")),
        *((word, word) for word in ("no", "yes", "on", "off", "y", "N", "tRUE", "nULL", "None")),
        ("0", 0), ("-0", 0), ("7", 7), ("-12", -12),
        ("18446744073709551615", 2**64 - 1), ("-9223372036854775808", -(2**63)),
        *((word, word) for word in ("010", "0x1F", "0o17", "+1", "1_000", "12:30", "2026-11-22", "1,5", "--1", "00")),
        ("1.5", 1.5), ("-0.25", -0.25), ("1e5", 1e5), ("1E-3", 1e-3), ("2.0e+3", 2000.0),
        *((word, word) for word in ("1.", ".5", "01.5", ".inf", ".nan", "1e", "e5", "١٢")),
    ],
)  # fmt: skip
def test_scalars_follow_our_rules(text: str, value: Any) -> None:
    for got in (parse_scalar(text), value_of(f"key: {text}\n")["key"]):
        assert got == value
        assert type(got) is type(value)


@pytest.mark.parametrize("text", ["18446744073709551616", "-9223372036854775809", "9" * 5000, "1e999", "-1e999"])
def test_numbers_beyond_64_bits_are_an_error(text: str) -> None:
    with pytest.raises(SpecError, match="quote it") as caught:
        parse_scalar(text)
    assert caught.value.problems[0].rule == "number-range"
    assert len(str(caught.value)) < 200
    assert rules_of(f"a: 1\nb: {text}") == [("number-range", 2, 4)]


def test_quoted_and_block_scalars_are_text() -> None:
    assert value_of("a: '1'\nb: \"true\"\nc: |\n  5\nd: >-\n  null\n") == {
        "a": "1",
        "b": "true",
        "c": "5\n",
        "d": "null",
    }


def test_core_tags_convert() -> None:
    text = "a: !!str 12\nb: !!int '7'\nc: !!float 3\nd: !!map {}\ne: !!seq []\nf: !!null ''\ng: !!bool true\n"
    assert value_of(text) == {"a": "12", "b": 7, "c": 3.0, "d": {}, "e": [], "f": None, "g": True}
    assert isinstance(value_of("c: !!float 3")["c"], float)


@pytest.mark.parametrize(
    "value",
    ["!foo x", "!!set {a}", "!!binary aGk=", "!!int x", "!!str {a: 1}", "!!map []", "!!python/name:os.system x"],
)
def test_other_tags_are_errors(value: str) -> None:
    assert rules_of(f"a: {value}\n") == [("yaml-tag", 1, 4)]


# ---------------------------------------------------------------- positions

NESTED = """\
version: 1
run: {retry: {max: 5,
  base: 1s}}
messages:
  - role: user
    content: |

      Hello,
      world
  - {role: assistant, content: "Hi"}
prompt: >-
  folded
plain: some
  text
"""


@pytest.mark.parametrize(
    ("path", "key", "value", "text"),
    [
        ((), (1, 1), (1, 1), (1, 1)),
        (("version",), (1, 1), (1, 10), (1, 10)),
        (("run", "retry"), (2, 7), (2, 14), (2, 14)),
        (("run", "retry", "max"), (2, 15), (2, 20), (2, 20)),
        (("run", "retry", "base"), (3, 3), (3, 9), (3, 9)),
        (("messages",), (4, 1), (5, 3), (5, 3)),
        (("messages", 0), (5, 5), (5, 5), (5, 5)),
        (("messages", 0, "content"), (6, 5), (6, 14), (7, 1)),
        (("messages", 1), (10, 5), (10, 5), (10, 5)),
        (("messages", 1, "content"), (10, 23), (10, 32), (10, 33)),
        (("prompt",), (11, 1), (11, 9), (12, 3)),
        (("plain",), (13, 1), (13, 8), (13, 8)),
        (("messages", 1, "nothing", 3), (10, 5), (10, 5), (10, 5)),
        (("messages", 7), (4, 1), (5, 3), (5, 3)),
        (("nowhere",), (1, 1), (1, 1), (1, 1)),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_positions(path: tuple[str | int, ...], key: Any, value: Any, text: Any, newline: str) -> None:
    document = read_yaml(NESTED.replace("\n", newline).encode(), file="job.yaml")
    assert document.key_where(path) == Position("job.yaml", *key)
    assert document.where(path) == Position("job.yaml", *value)
    assert document.text_line(path) == Position("job.yaml", *text)


def test_columns_count_characters_and_the_byte_order_mark_does_not() -> None:
    document = read_yaml("\ufeff{ä𝄞: 1, b: 2}\n".encode(), file="x")
    assert document.key_where(("b",)) == Position("x", 1, 9)


def test_unicode_line_separators_end_no_line_for_positions() -> None:
    document = read_yaml("a: 'x\u2028y'\nb: 2\n".encode(), file="x")
    assert document.key_where(("b",)) == Position("x", 2, 1)


def test_an_anchor_and_a_tag_stand_before_the_text() -> None:
    document = read_yaml(b"a: &x !!str |\n  hello\nb: *x\n", file="x")
    assert document.text_line(("a",)) == Position("x", 2, 3)
    assert document.where(("b",)) == Position("x", 3, 4)
    assert document.text_line(("b",)) == Position("x", 2, 3)


def test_merged_keys_are_where_they_were_written() -> None:
    document = read_yaml(b"base: &b {x: 1, y: {z: 2}}\nuse:\n  <<: *b\n  x: 3\n", file="x")
    assert document.value["use"] == {"x": 3, "y": {"z": 2}}
    assert document.where(("use", "y", "z")) == Position("x", 1, 24)
    assert document.where(("use", "x")) == Position("x", 4, 6)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("messages", 0, "role"), "messages[0].role"),
        (("vars", "my name"), 'vars["my name"]'),
        (("x-a", 'q"\\'), 'x-a["q\\"\\\\"]'),
        ((3,), "[3]"),
    ],
)
def test_paths_read_as_written(path: tuple[str | int, ...], text: str) -> None:
    assert path_text(path) == text


# ---------------------------------------------------------------- anchors and merging


def test_aliases_repeat_values_that_share_nothing() -> None:
    value = value_of("a: &a [1, {b: 2}]\nc: *a\n")
    assert value["a"] == value["c"] == [1, {"b": 2}]
    value["c"][1]["b"] = 9
    assert value["a"] == [1, {"b": 2}]


def test_merge_lists_give_way_to_earlier_and_own_keys() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  z: 3\n  <<: [*a, *b]\n"
    assert value_of(text)["c"] == {"x": 1, "y": 1, "z": 3}


def test_a_quoted_merge_key_is_a_key() -> None:
    assert value_of("'<<': 1\n") == {"<<": 1}


def test_an_alias_as_a_key_is_its_text() -> None:
    assert value_of("a: &k name\n*k : 1\n") == {"a": "name", "name": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: *nope\n", [("yaml-alias", 1, 4)]),
        ("a: &x [1, *x]\n", [("yaml-alias", 1, 11)]),
        ("a: &x {b: {c: *x}}\n", [("yaml-alias", 1, 15)]),
        ("a: &x\n  <<: *x\n", [("yaml-alias", 2, 7), ("yaml-merge", 2, 7)]),
        ("<<: 3\n", [("yaml-merge", 1, 5)]),
        ("a: &x {}\nb:\n  <<: [*x, 3]\n", [("yaml-merge", 3, 12)]),
        ("a: &x {k: 1}\nb:\n  <<: *x\n  <<: *x\n", [("duplicate-key", 4, 3)]),
    ],
)
def test_wrong_aliases_and_merges(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert rules_of(text) == expected


def test_an_unknown_alias_names_near_anchors() -> None:
    assert problems_of("a: &defaults 1\nb: *default\n")[0].next == "did you mean `defaults`?"


# ---------------------------------------------------------------- limits


def test_depth() -> None:
    assert value_of("[" * 100 + "]" * 100)
    assert rules_of("[" * 101 + "]" * 101) == [("yaml-too-deep", 1, 101)]
    assert rules_of("[" * 1_000_000)[0][0] == "yaml-too-deep"
    assert rules_of("? " * 1_000)[0][0] == "yaml-too-deep"
    assert rules_of("- " * 1_000)[0][0] == "yaml-too-deep"
    assert rules_of("a: &a " + "[" * 60 + "]" * 60 + "\nb: " + "[" * 60 + "*a" + "]" * 60)[0] == (
        "yaml-too-deep",
        2,
        64,
    )


def test_depth_inside_an_unquoted_template() -> None:
    assert rules_of("a: " + "{{" * 1_000_000) == [("unquoted-template", 1, 4)]  # read to its end, this takes for ever


def test_nodes() -> None:
    assert len(value_of("- 1\n" * 9_999)) == 9_999
    assert rules_of("- 1\n" * 10_000) == [("yaml-too-large", 10_000, 3)]


def laughs(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


def test_billion_laughs_end_before_they_grow() -> None:
    assert rules_of(laughs(1000))[0][0] == "yaml-too-large"  # expanded first, this would never end


def test_bytes() -> None:
    assert problems_of(b"# " + b"x" * 10_000_000)[0].rule == "yaml-too-large"


@pytest.mark.parametrize(
    "text", ["a: !{} b\n", "a: *{}\n", "a: &{0} [*{0}]\n", "1{}: a\n", "{0}: 1\n{0}: 2\n", "a: !<{}> b\n"]
)
def test_messages_stay_short(text: str) -> None:
    problems = problems_of(text.format("1" * 900))
    assert all(len(problem.what) + len(problem.next) < 300 for problem in problems)


# ---------------------------------------------------------------- encodings and characters


@pytest.mark.parametrize(
    ("data", "where", "says"),
    [
        ("a: ü".encode("latin-1"), Position("job.yaml", 1), "byte 0xfc at offset 3"),
        (b"\xef\xbb\xbfa: 1\nb: \xff", Position("job.yaml", 2), "byte 0xff at offset 11"),
        ("a: 1".encode("utf-16"), Position("job.yaml"), "UTF-16"),
        (b"a: \xed\xa0\x80", Position("job.yaml", 1), "offset 3"),
    ],
)
def test_a_wrong_encoding_names_file_and_byte(data: bytes, where: Position, says: str) -> None:
    (problem,) = problems_of(data)
    assert (problem.rule, problem.where) == ("yaml-encoding", where)
    assert says in problem.what


def test_control_characters_are_all_named() -> None:
    assert rules_of("a: x\0\nb: \x1b[0m\nc: \x7f\n") == [("yaml-control-character", line, column)
                                                      for line, column in ((1, 5), (2, 4), (3, 4))]  # fmt: skip
    assert len(problems_of("\0" * 1000)) == 10


def test_escapes_may_write_control_characters() -> None:
    assert value_of('a: "\\0\\e"') == {"a": "\0\x1b"}


# ---------------------------------------------------------------- credentials


@pytest.mark.parametrize(
    "secret",
    [
        FAKE_KEY,
        "sk-" + "proj-" + "a1B2" * 12,
        "AKIA" + "ABCDEFGH12345678",
        "ghp_" + "a1B2c3" * 6,
        "AIza" + "a" * 35,
        "xoxb-" + "1234567890-abcdefghij",
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "hf_" + "a1B2c3" * 6,
    ],
)
@pytest.mark.parametrize("text", ["a: '{}'\n", "# {}\na: 1\n", "'{}': 1\n", "a: {}: y: z\n", "a: |\n  token={}\n"])
def test_a_credential_is_an_error_that_does_not_repeat_it(secret: str, text: str) -> None:
    problems = problems_of(text.format(secret))
    assert "credential" in [problem.rule for problem in problems]
    assert secret not in "\n".join(map(repr, problems))


@pytest.mark.parametrize(
    "text", ["sk-ant-…", "my sk-learn model", "password: hunter2", "AKIA", "task-ant-" + "x" * 40, "sk-" + "a" * 20]
)
def test_texts_about_credentials_pass(text: str) -> None:
    assert value_of(f"a: '{text}'") == {"a": text}


# ---------------------------------------------------------------- messages

BROKEN = {
    "unquoted template": "prompt: {{ text }}\nmodel: a\nmodel: b\n",
    "unquoted template with text behind": "prompt: {{ text }} is it\n",
    "unquoted template with double quotes": 'prompt: {{ row["a"] }}\n',
    "unquoted template in a list": "stop_sequences: [{{ a }}, b]\n",
    "unquoted template in a map": "metadata: {user_id: {{ a }}}\n",
    "unquoted template as an item": "rows:\n  - {{ a.b['c, d'] }}\n",
    "unquoted statement": "prompt: {% if a %}b{% endif %}\n",
    "second colon": "prompt: Answer: yes\n",
    "open quote": "a: 1\nprompt: 'yes\nb: 2\n",
    "quote inside quotes": "prompt: 'it's'\n",
    "tab": "run:\n\tconcurrency: 5\n",
    "tab behind spaces": "run:\n  a: 1\n  \tb: 5\n",
    "open bracket": "a: [1, 2\nb: 3\n",
    "closed bracket": "a: ]\n",
    "lone dash": "inputs:\n  paths: -\n",
    "backslash": 'file: "C:\\data"\n',
    "at sign": "prompt: @file\n",
    "deeper key": "run: 1\n  concurrency: 5\n",
    "shallower key": "run:\n  a: 1\n b: 2\n",
    "missing colon": "model: a\nprompt\nname: b\n",
    "missing space": "model:a\nprompt: b\n",
    "text behind the bar": "prompt: | hello\n  you\n",
    "exclamation": "prompt: !!! stop\n",
    "asterisk": "prompt: *bold* text\n",
    "ampersand": "prompt: & more\n",
    "list in a map": "a: 1\n- b\n",
    "map in a list": "- a\nb: 1\n",
    "second document": "a: 1\n---\nb: 2\n",
    "keys that are no strings": "1: a\ntrue: b\n~: c\n[d]: e\n? {f: g}\n: h\n",
    "many at once": "a: 1\na: 2\nb: *c\nd: !e f\n5: g\nh: {{ i }}\nj: k: l\n",
    "empty": "# nothing but a comment\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_messages(text: str, snapshot: Any) -> None:
    assert "\n".join(map(str, problems_of(text))) == snapshot


@pytest.mark.parametrize("written", [">= 99%", "> 99", ">= 99 %  # nearly all"])
def test_a_comparison_without_quotes_is_to_be_quoted(written: str) -> None:
    (problem,) = problems_of(f"checks:\n  - ok: {written}\n")
    comparison = written.split("  #")[0]
    assert (problem.rule, problem.next) == ("yaml-syntax", f'quote it: `"{comparison}"`')


@pytest.mark.parametrize("text", ["", "\n\n", "---\n", "# x\n", "~", "\ufeff"])
def test_nothing_in_it(text: str) -> None:
    assert [problem.rule for problem in problems_of(text)] == ["yaml-empty"]


def test_duplicates_name_both_positions() -> None:
    (problem,) = problems_of("run:\n  retry: 1\n  retry: 2\n")
    assert (problem.where, problem.path) == (Position("job.yaml", 3, 3), "run.retry")
    assert "job.yaml:2:3" in problem.what


# ---------------------------------------------------------------- both parsers, and hostile input


def both_parsers(text: str) -> list[tuple[Any, list[tuple[str, int]]]]:
    found = []
    for loader in (yaml.CSafeLoader, yaml.SafeLoader):
        root, problems = yaml_reader._compose(decode(text.encode(), file="x"), loader)
        found.append(
            (None if problems else root, sorted((one.rule, one.where.line if one.where else 0) for one in problems))
        )
    return found


@pytest.mark.skipif(
    not hasattr(yaml, "CSafeLoader"), reason="PyYAML was built without libyaml, so there is only one parser"
)
@pytest.mark.parametrize("text", [*BROKEN.values(), NESTED])
def test_both_parsers_say_the_same(text: str) -> None:
    fast, slow = both_parsers(text)
    assert fast == slow


YAMLISH = st.lists(
    st.sampled_from(
        ["a: ", "b", "- ", "\n", "  ", "{", "}", "[", "]", ",", ": ", "&x ", "*x", "<<: ", "|\n", ">-\n", "'", '"',
         "!!int ", "!t ", "#", "{{ a }}", "{% b %}", "---\n", "...\n", "? ", "\t", "\\", "\\uD800", "%YAML 1.2\n",
         "1", "é", "\u2028", "\ufeff", "\0", "\r"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


def only_our_errors(data: bytes) -> None:
    try:
        document = read_yaml(data, file="job.yaml")
    except SpecError as error:
        for problem in error.problems:
            assert problem.rule in RULES
            assert problem.where is not None
        return
    every_path_has_a_place(document, document.value, ())


def every_path_has_a_place(document: yaml_reader.Document, value: Any, path: tuple[str | int, ...]) -> None:
    assert document.where(path).line > 0
    assert document.key_where(path).column > 0
    assert document.text_line(path).line > 0
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in children:
        assert isinstance(step, int if isinstance(value, list) else str)
        every_path_has_a_place(document, child, (*path, step))


@given(st.binary(max_size=200))
@example(b"\xfe\xff\x00a")
@example(b"\xef\xbb\xbf\xef\xbb\xbfa: 1")
def test_any_bytes_give_a_document_or_our_own_error(data: bytes) -> None:
    only_our_errors(data)


@settings(max_examples=300)
@given(YAMLISH)
@example("&x *x")
@example("a: |9\n  b")
@example("*x : &x y")
@example('"\\UFFFFFFFF"')
def test_any_text_gives_a_document_or_our_own_error(text: str) -> None:
    only_our_errors(text.encode())


@settings(max_examples=200)
@given(YAMLISH)
@example('"\\UFFFFFFFF"')
@example('"\\uD800"')
def test_without_libyaml_only_our_own_errors_come_out(text: str) -> None:
    _, problems = yaml_reader._compose(decode(text.encode(), file="x"), yaml.SafeLoader)
    assert {problem.rule for problem in problems} <= set(RULES)


@given(st.text())
@example("1" * 5000)
@example("-1e9999")
def test_any_scalar_is_a_value_or_our_own_error(text: str) -> None:
    with contextlib.suppress(SpecError):
        assert isinstance(parse_scalar(text), (str, int, float, type(None)))


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Zl", "Zp"]), max_size=20)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | TEXT,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
        max_leaves=20,
    )
)
def test_what_json_can_say_is_read_as_json(value: Any) -> None:
    """JSON is YAML, and our plain scalars are JSON's."""
    text = json.dumps(value, ensure_ascii=False)
    if value is not None:
        assert value_of(text) == value
