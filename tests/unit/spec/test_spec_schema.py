"""The job schema and what its errors say: every key explained, every mistake named with its next step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema.validators import Draft202012Validator

from runner.errors import Position, Problem
from runner.spec import schema as schema_module
from runner.spec.explain import Explainer
from runner.spec.rules import RULES
from runner.spec.schema import check_field, check_tree, schema_text
from runner.spec.suggest import LATER
from runner.spec.yaml_reader import read_yaml

SCHEMA = json.loads(schema_text("job"))
REQUEST_FIELDS = sorted(set(SCHEMA["$defs"]["overrides"]["properties"]))


def problems_of(text: str) -> list[Problem]:
    return check_tree(read_yaml(text.encode(), file="job.yaml"))


def resolved(part: Any) -> Any:
    while "$ref" in part:
        target = SCHEMA["$defs"][part["$ref"].removeprefix("#/$defs/")]
        part = {**target, **{key: value for key, value in part.items() if key != "$ref"}}
    return part


def keys_of_the_schema(part: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every key that the schema names, with its part of the schema; conditions and forbidden keys are none."""
    if isinstance(part, dict):
        for name, value in part.get("properties", {}).items():
            if value != {"not": {}} and "const" not in value.keys() - {"description"} | {"if"}:
                yield f"{path}/{name}", resolved(value)
        for name, value in part.items():
            if name not in ("if", "then", "allOf", "examples", "default"):
                yield from keys_of_the_schema(value, f"{path}/{name}")
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from keys_of_the_schema(value, f"{path}/{index}")


KEYS = dict(keys_of_the_schema(SCHEMA))


# ---------------------------------------------------------------- the schema itself


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert len(KEYS) > 80


@pytest.mark.parametrize("key", sorted(KEYS))
def test_every_key_has_a_description_and_examples_that_are_right(key: str) -> None:
    part = KEYS[key]
    assert part["description"].endswith(".")
    assert part["examples"]
    validator = Draft202012Validator({"$defs": SCHEMA["$defs"], **part})
    for example in part["examples"]:
        assert list(validator.iter_errors(example)) == []


def test_every_keyword_of_the_schema_has_its_words() -> None:
    """Otherwise jsonschema's own message would reach the user."""
    silent = {"$defs", "$id", "$ref", "$schema", "allOf", "default", "description", "else", "examples", "if", "items"}
    silent |= {"patternProperties", "properties", "propertyNames", "then", "title"}
    assert keywords(SCHEMA) - silent == set(Explainer(SCHEMA, ())._words)


def keywords(part: Any) -> set[str]:
    if not isinstance(part, dict):
        return set().union(*(keywords(one) for one in part)) if isinstance(part, list) else set()
    found = set(part)
    for name, value in part.items():
        if name in ("properties", "$defs", "patternProperties"):
            found |= set().union(*(keywords(one) for one in value.values()))
        # a condition (`if`) never complains
        elif name not in ("examples", "enum", "const", "default", "required", "dependentRequired", "if"):
            found |= keywords(value)
    return found


def test_one_of_only_asks_for_keys() -> None:
    """`Explainer` reads every `oneOf` that way."""
    found = [part["oneOf"] for part in SCHEMA["$defs"].values() if "oneOf" in part]
    assert len(found) == 3
    assert all(branch.keys() == {"required"} for branches in found for branch in branches)


def test_keys_of_later_versions_are_not_in_the_schema() -> None:
    assert not LATER & {key.rpartition("/")[2] for key in KEYS}


def test_schemas_lie_beside_the_package_or_inside_it(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "job.schema.json").write_text("{}", encoding="utf-8")
    assert schema_module._text_in((tmp_path / "a", tmp_path / "b"), "job") == "{}"
    with pytest.raises(FileNotFoundError):
        schema_text("nothing")


def test_nothing_is_fetched() -> None:
    """An empty registry: a `$ref` to another place fails instead of going to the network."""
    from referencing.exceptions import Unresolvable

    validator = schema_module._validator({"$ref": "http://127.0.0.1:9/x.json"})
    with pytest.raises(Exception, match="Unresolvable") as caught:
        list(validator.iter_errors(1))
    assert isinstance(caught.value.__cause__, Unresolvable) or isinstance(caught.value, Unresolvable)


# ---------------------------------------------------------------- what is right

RIGHT = {
    "everything": """
        version: 1
        name: triage-tickets
        x-shared: {anything: goes}
        model: claude-opus-5-5
        max_tokens: 2000
        system: {file: prompts/triage.md, template: false}
        prompt: "{{ text }}"
        effort: xhigh
        thinking: {type: adaptive, display: summarized}
        stop_sequences: [END]
        metadata: {user_id: "{{ id }}"}
        service_tier: standard_only
        inference_geo: us
        extra_body: {output_config: {format: {type: json_schema}}}
        vars: {language: English, team: {env: TEAM}, list: [1, 2], map: {a: 1}, odd: {env: 1, b: 2}}
        inputs: {file: data.csv, format: csv, id: "#", where: "a > 1", limit: 5, on_bad_row: skip, on_empty: ok,
                 overrides: o}
        matrix:
          model: [claude-opus-5-5, claude-haiku-5-5]
          effort: [low, "{{ e }}"]
          language: [English, 5, {a: b}]
          include: [{model: x, other: 1}]
          exclude: [{effort: low}]
        repeat: 3
        run:
          concurrency: 1000
          request_timeout: {total: 20m, connect: 5, read: 0.5, write: 1d}
          retry: {max: 0, base: 1s, cap: 60, max_wait: 10m}
          stream: false
        """,
    "templates": """
        model: "{{ m }}"
        max_tokens: "{{ n }}"
        prompt: x
        effort: "{% if a %}low{% else %}high{% endif %}"
        thinking: {type: "{{ t }}", budget_tokens: "{{ n }}"}
        stop_sequences: "{{ s }}"
        metadata: "{{ m }}"
        service_tier: "{{ s }}"
        """,
    "the API's spellings": """
        system: [{type: text, text: a}, {text: b}, {file: c}]
        messages:
          - {role: user, content: [{type: text, text: "{{ a }}"}]}
          - {role: system, content: {file: x}}
          - {role: assistant, content: hello}
        output_config: {effort: high}
        thinking: {type: disabled}
        """,
    "thinking off": "thinking: off\n",
    "old thinking": "thinking: {type: enabled, budget_tokens: 1024, display: omitted}\n",
    "rows": "inputs: [{a: 1, file: x}, {overrides: {effort: low, retry: {max: 1}, request_timeout: 1m}}, {}]\n",
    "sources": "inputs: [{file: a.csv}, {glob: '*.txt', match: x}, {paths: '-'}, {rows: [{a: 1}], id: a}]\n",
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_right_specs_have_no_problems(text: str) -> None:
    assert problems_of(text) == []


# ---------------------------------------------------------------- what is wrong

WRONG = {
    "misspelled keys": "max_tokns: 5\nprompts: a\nMODEL: b\nzzz: 1\n",
    "removed from the API": "temperature: 1\ntop_p: 0.5\ntop_k: 5\n",
    "other names": "max_tokens_to_sample: 5\nuser: a\nstop: [a]\nn: 3\ntimeout: 5\nmax_retries: 2\nmodels: [a]\n",
    "credentials and addresses": "api_key: a\nbase_url: b\n",
    "keys of later versions": (
        "checks: [{each: a}]\nexport: {}\nextends: a\nrun: {mode: batch}\ninputs: {job: a, split: b}\n"
    ),
    "cache control": "system: [{text: a, cache_control: {type: persistent, ttl: 2h}}]\ncache: {mode: on, ttl: 2h}\n",
    "output format": "output_config: {effort: high, format: {}}\n",
    "in the wrong place": "concurrency: 4\nfile: a.csv\nmax_wait: 5\nrun: {model: a}\n",
    "thinking as a word": "thinking: disabled\n",
    "thinking as a boolean": "thinking: true\n",
    "thinking as a list": "thinking: []\n",
    "thinking with a wrong type": "thinking: {type: adaptiv}\n",
    "thinking without a type": "thinking: {typ: adaptive, display: summary}\n",
    "thinking without a budget": "thinking: {type: enabled}\n",
    "thinking with too small a budget": "thinking: {type: enabled, budget_tokens: 5}\n",
    "thinking with a useless budget": "thinking: {type: adaptive, budget_tokens: 2000}\n",
    "thinking off, displayed": "thinking: {type: disabled, display: omitted}\n",
    "effort": "effort: hgih\n",
    "effort as a number": "effort: 5\n",
    "effort like elsewhere": "effort: minimal\n",
    "service tier": "service_tier: standard\n",
    "max_tokens in quotes": "max_tokens: '2000'\n",
    "max_tokens in thousands": "max_tokens: 64k\n",
    "max_tokens below nothing": "max_tokens: -1\n",
    "max_tokens as a float": "max_tokens: 1e3\n",
    "max_tokens as a list": "max_tokens: [1]\n",
    "system of a wrong type": "system: 5\n",
    "system with a misspelled key": "system: {fil: a}\n",
    "system blocks": "system: [a, {text: x, file: y}, {}, {type: image, source: {}}, {text: 5}, 7]\n",
    "no prompt": "prompt:\n",
    "prompt as blocks": "prompt: [{text: a}]\n",
    "prompt with a number for a file": "prompt: {file: 5, template: 'no'}\n",
    "messages as a text": "messages: hello\n",
    "messages": "messages: [{role: human, content: a}, {rol: user, content: 5}, {role: user}, hi]\n",
    "messages with an image": "messages: [{role: user, content: [{type: image, source: {}}, {type: text, txt: a}]}]\n",
    "a block's type that is no word": "system: [{type: [], text: a}, {type: {}, text: b}]\n",
    "no messages": "messages: []\n",
    "stop sequences": "stop_sequences: ['', 5, ok]\n",
    "one stop sequence": "stop_sequences: END\n",
    "metadata": "metadata: {user: a}\n",
    "extra body": "extra_body: {max_tokens: 5, stream: true, messages: [], output_config: {effort: low}, other: 1}\n",
    "names of variables": "vars: {row: 1, a b: 2, x: {env: A B}, y: {env: 5}}\n",
    "inputs as a path": "inputs: data.csv\n",
    "inputs as one row": "inputs: {text: hello}\n",
    "an empty list of inputs": "inputs: []\n",
    "a misspelled source": "inputs: {fil: a.csv, formt: csv}\n",
    "two sources in one": "inputs: {file: a.csv, glob: b}\n",
    "a source's options": "inputs: {file: a, format: ndjson, limit: 0, on_bad_row: fail, on_empty: skip, where: 5}\n",
    "a comment for an id": "inputs:\n  file: a\n  id: #\n",
    "rows": "inputs: [{overrides: {effort: hi, cache: 1, prmpt: a}}, hello, {file: 5, id: 3}]\n",
    "paths": "inputs: {paths: list.txt}\n",
    "matrix": "matrix: {model: claude, effort: [hgih], style: a, empty: [], include: [{effort: 5}, 3], exclude: {}}\n",
    "empty maps": "matrix: {}\nrun: {request_timeout: {}}\n",
    "repeat": "repeat: 0\n",
    "version": "version: 2\n",
    "version in quotes": "version: '1'\n",
    "name": "name: Triage Tickets\n",
    "a reserved name": "name: con\n",
    "run": "run: {concurrency: 5000, stream: yes, retry: {max: -1, tries: 1}, worker: 3}\n",
    "a run without settings": "run:\n",
    "durations": "run: {request_timeout: 10 minutes, retry: {base: -1, cap: 1.5s, max_wait: []}}\n",
    "durations in words": "run: {retry: {base: 1 sec, cap: 90 Seconds, max_wait: 5 months}, request_timeout: 100ms}\n",
    "a misspelled timeout": "run: {request_timeout: {totl: 5}}\n",
    "a list instead of a job": "- model: a\n",
    "a text instead of a job": "model\n",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_messages(text: str, snapshot: Any) -> None:
    problems = problems_of(text)
    assert {problem.rule for problem in problems} <= set(RULES)
    assert "\n".join(map(str, problems)) == snapshot


def test_problems_come_in_the_order_of_the_text() -> None:
    places = [problem.where for problem in problems_of("b: 1\nrun: {c: 1}\neffort: 3\na: 2\n")]
    assert places == [Position("job.yaml", *place) for place in ((1, 1), (2, 7), (3, 9), (4, 1))]


def test_every_mistake_is_reported_at_once() -> None:
    text = "".join(f"k{n}: 1\n" for n in range(50)) + "effort: x\nrun: {a: 1, b: 2}\n"
    assert len(problems_of(text)) == 53


def test_no_message_repeats_a_credential() -> None:
    secret = "sk-" + "ant-api03-" + "x" * 40
    document = read_yaml(b"effort: low\n", file="x")
    changed = type(document)(
        {"effort": secret, secret: 1, "model": {secret: 1}}, document.file, document.source, document.root
    )
    assert len(problems := check_tree(changed)) == 3
    assert secret not in "".join(problem.what + problem.next for problem in problems)


# ---------------------------------------------------------------- rendered fields


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", "claude-opus-5-5"), ("max_tokens", 0), ("effort", "max"), ("thinking", "off"),
        ("thinking", {"type": "disabled"}), ("retry", {"max": 3}),
        ("stop_sequences", ["a"]), ("metadata", {"user_id": "a"}), ("metadata", {"user_id": None}), ("metadata", {}),
        ("service_tier", "auto"), ("system", "x" * 1000), ("prompt", ""), ("request_timeout", "5m"),
    ],
)  # fmt: skip
def test_right_fields(name: str, value: Any) -> None:
    assert check_field(name, value) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", ""), ("model", None), ("max_tokens", "{{ n }}"), ("max_tokens", True), ("max_tokens", 1.0),
        ("max_tokens", "5"), ("retry", {"max": "3"}), ("request_timeout", "5 m"),
        ("effort", "hgih"), ("effort", "{{ e }}"), ("thinking", {"type": "enabled"}), ("thinking", {"type": "{{ t }}"}),
        ("stop_sequences", ["a", 5]), ("stop_sequences", "{{ s }}"), ("metadata", {"user": "a"}),
        ("metadata", {"user_id": 5}),
        ("service_tier", None), ("system", 5), ("prompt", None),
    ],
)  # fmt: skip
def test_wrong_fields(name: str, value: Any, snapshot: Any) -> None:
    assert check_field(name, value) == snapshot


def test_values_that_are_equal_but_not_the_same_are_told_apart() -> None:
    assert check_field("max_tokens", 1) is None
    assert check_field("max_tokens", True) is not None
    assert check_field("max_tokens", 1.0) is not None
    assert check_field("max_tokens", 1) is None


def test_a_name_that_is_no_field_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        check_field("inputs", 1)


NAMES = st.text(max_size=4) | st.sampled_from(sorted({key.rpartition("/")[2] for key in KEYS}))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    SCALARS | st.sampled_from(["user", "{{ a }}", "low", "1m", "enabled", "image"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)


@given(st.sampled_from(REQUEST_FIELDS), JSON | st.builds(lambda value: {"user_id": value}, JSON))
def test_the_quick_answers_are_the_schema_s(name: str, value: Any) -> None:
    right = schema_module._field_validator(name).is_valid(value)
    assert (check_field(name, value) is None) == right


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(sorted(SCHEMA["properties"])) | st.text(max_size=5), JSON, max_size=6) | JSON)
def test_any_tree_gives_problems_with_a_place_and_a_rule(value: Any) -> None:
    document = read_yaml(b"model: a\n", file="job.yaml")
    problems = check_tree(replace(document, value=value))
    assert bool(problems) != schema_module._job_validator().is_valid(value)
    assert {problem.rule for problem in problems} <= set(RULES)
    assert all(problem.where is not None and len(problem.what) < 300 for problem in problems)
