from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.records import RetryPolicy, Timeout
from runner.spec.job import JobSpec
from runner.spec.load import LoadOptions, load_job
from runner.spec.row_overrides import check_overrides, normal_overrides

Load = Callable[..., JobSpec]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def loaded(text: str = "model: claude-opus-4-6\nprompt: a\n", *sets: str) -> JobSpec:
        path = tmp_path / "job.yaml"
        path.write_text(text, encoding="utf-8")
        return load_job(path, LoadOptions(sets=sets), env={})

    return loaded


def test_fields_take_the_shape_they_have_in_a_cell(load: Load) -> None:
    overrides = {"thinking": "off", "output_config": {"effort": "low"}, "system": [{"text": "a"}], "max_tokens": 5}
    job = load()
    assert check_overrides(overrides, job) is None
    assert normal_overrides(overrides, job).fields == {
        "thinking": {"type": "disabled"},
        "effort": "low",
        "system": [{"type": "text", "text": "a"}],
        "max_tokens": 5,
    }


def test_timeout_and_retry_change_what_the_job_says(load: Load) -> None:
    job = load("model: claude-opus-5-5\nprompt: a\nrun: {retry: {max: 1, base: 3}, request_timeout: 1m}\n")
    found = normal_overrides({"request_timeout": {"connect": "2s"}, "retry": {"max": 9}}, job)
    assert found.timeout == Timeout(total=60, connect=2, read=60, write=60)
    assert found.retry == RetryPolicy(max=9, base=3)


def test_what_is_not_said_is_none(load: Load) -> None:
    found = normal_overrides({"max_tokens": 5}, load())
    assert (found.timeout, found.retry) == (None, None)


def test_set_wins_over_a_row(load: Load) -> None:
    job = load("model: claude-opus-4-6\nprompt: a\n", "effort=low", "run.retry.max=2")
    found = normal_overrides({"output_config": {"effort": "max"}, "retry": {"max": 9}, "request_timeout": 5}, job)
    assert found.fields == {}
    assert found.retry is None
    assert found.timeout is not None


@pytest.mark.parametrize(
    ("overrides", "part"),
    [
        ([1], "a map of request fields"),
        ({"max_token": 5}, "did you mean `max_tokens`?"),
        ({"run": {}}, "a row cannot set `run`"),
        ({"tools": []}, "a row cannot set `tools`"),
        ({"max_tokens": "{{ n }}"}, "`max_tokens`"),
        ({"prompt": {"file": "a.md"}}, "literal text"),
        ({"system": [{"file": "a.md"}]}, "literal text"),
        ({"messages": [{"role": "user", "content": "a"}]}, "the spec has `prompt`"),
        ({"effort": "hihg"}, "`effort`"),
        ({"request_timeout": "soon"}, "`request_timeout`"),
        ({"retry": {"max": -1}}, "`retry.max`"),
        ({1: 2}, "a row cannot set `1`"),
    ],
)
def test_what_a_row_may_not_say(load: Load, overrides: Any, part: str) -> None:
    assert part in (check_overrides(overrides, load()) or "nothing wrong")


def test_keys_that_are_none_of_a_rows_are_named_together(load: Load) -> None:
    wrong = check_overrides({"tools": [], "max_token": 5, "run": {}, "client": {}}, load())
    assert wrong is not None
    assert wrong.startswith("a row cannot set `max_token`: did you mean `max_tokens`?; ")
    assert "a row cannot set `tools`, `run`, `client`: a row may set `model`, " in wrong
    assert wrong.count("a row may set") == 1


def test_braces_in_a_rows_text_are_text(load: Load) -> None:
    job = load()
    assert check_overrides({"prompt": "{{ a }}"}, job) is None
    assert normal_overrides({"prompt": "{{ a }}"}, job).fields == {"prompt": "{{ a }}"}
