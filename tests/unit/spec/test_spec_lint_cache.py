"""The key `cache`, marks beside texts, and what is warned of before anything is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.errors import Problem, SpecError
from runner.models.caching import ASSUMED_LEAST, least_tokens
from runner.models.rules import known_models, rule_for
from runner.models.text_size import BYTES_PER_TOKEN
from runner.spec.job import CacheSpec, JobSpec
from runner.spec.load import load_job


def load(folder: Path, text: str) -> JobSpec:
    path = folder / "job.yaml"
    path.write_text(
        f"model: claude-opus-4-8\nprompt: '{{{{ text }}}}'\ninputs: [{{text: a}}]\n{text}", encoding="utf-8"
    )
    return load_job(path, env={})


def problems(folder: Path, text: str) -> list[Problem]:
    try:
        return list(load(folder, text).warnings)
    except SpecError as error:
        return list(error.problems)


def rules(folder: Path, text: str) -> list[str]:
    return [problem.rule for problem in problems(folder, text)]


@pytest.mark.parametrize(
    ("text", "mode", "ttl", "diagnose"),
    [
        ("", "shared", "auto", False),
        ("cache: off\n", "off", "auto", False),
        ("cache: {ttl: 1h}\n", "shared", "1h", False),
        ("cache: {mode: automatic, ttl: 5m, diagnose: true}\n", "automatic", "5m", True),
        ("system: {file: long.md, cache: true}\n", "manual", "auto", False),
        ("system: [{file: long.md, cache: true}]\n", "manual", "auto", False),
        ("system: [{file: long.md, cache_control: {type: ephemeral}}]\n", "manual", "auto", False),
        ("system: [{file: long.md, cache: false}]\n", "shared", "auto", False),
    ],
)
def test_the_setting_in_one_form(tmp_path: Path, text: str, mode: Any, ttl: Any, diagnose: bool) -> None:
    (tmp_path / "long.md").write_text("long " * 4000, encoding="utf-8")
    cache = load(tmp_path, text).cache
    assert (cache.mode, cache.ttl, cache.diagnose) == (mode, ttl, diagnose)


def test_a_marked_file_becomes_a_block(tmp_path: Path) -> None:
    (tmp_path / "long.md").write_text("long " * 4000, encoding="utf-8")
    (block,) = load(tmp_path, "system: {file: long.md, cache: true}\n").cells[0].fields["system"]
    assert block["cache_control"]["type"] == "ephemeral"


@pytest.mark.parametrize("model", known_models())
def test_every_model_has_its_own_minimum(tmp_path: Path, model: str) -> None:
    """One text just under it is warned of, one just above it is not."""
    least, known = least_tokens(model)
    rule = rule_for(model)
    assert rule is not None
    assert (least, known) == ((rule.min_cache_prefix, True) if rule.min_cache_prefix else (ASSUMED_LEAST, False))
    fields = f"model: {model}\nprompt: Go.\ncache: shared\n"
    found = {}
    for name, tokens in (("short", least - 10), ("long", least + 10)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"{fields}system: {'x' * round(tokens * BYTES_PER_TOKEN)}\n", encoding="utf-8")
        found[name] = [problem.what for problem in load_job(path, env={}).warnings if problem.rule == "cache-too-short"]
    assert len(found["short"]) == 1
    assert "10 too few" in found["short"][0]
    assert f"{least:,}" in found["short"][0]
    assert found["long"] == []


def test_who_did_not_ask_for_caching_is_not_told_that_it_is_too_short(tmp_path: Path) -> None:
    assert rules(tmp_path, "system: Be brief.\n") == []
    assert rules(tmp_path, "system: Be brief.\ncache: off\n") == []
    assert rules(tmp_path, "system: Be brief.\ncache: shared\n") == ["cache-too-short"]


@pytest.mark.parametrize("name", ["now", "today", "run_date", "start_time", "build_timestamp", "uuid", "nonce"])
def test_clocks(tmp_path: Path, name: str) -> None:
    text = f"cache: shared\nvars: {{{name}: x}}\nsystem: 'It is {{{{ {name} }}}}.'\n"
    (found,) = problems(tmp_path, text)
    assert found.rule == "cache-clock"
    assert f"`{name}`" in found.what
    assert str(found.where) == "job.yaml:6:10"


@pytest.mark.parametrize("name", ["update", "timeless", "candidate", "team", "known"])
def test_words_that_only_sound_like_one(tmp_path: Path, name: str) -> None:
    assert rules(tmp_path, f"cache: shared\nvars: {{{name}: x}}\nsystem: 'It is {{{{ {name} }}}}.'\n") == []


def test_a_short_system_prompt_may_hold_what_it_likes(tmp_path: Path) -> None:
    assert rules(tmp_path, "vars: {now: x}\nsystem: 'It is {{ now }}. {{ row | tojson }}'\n") == []


def test_a_long_one_may_not(tmp_path: Path) -> None:
    (tmp_path / "long.md").write_text("long " * 1000 + "\nIt is {{ now }}.\n{{ row | tojson }}\n", encoding="utf-8")
    found = problems(tmp_path, "vars: {now: x}\nsystem: {file: long.md}\n")
    assert [(problem.rule, str(problem.where)) for problem in found] == [
        ("cache-clock", "long.md:2:1"),
        ("cache-unsorted", "long.md:3:1"),
    ]


def test_row_values_in_the_system_prompt_are_named_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "long.md").write_text("Rules.\nFor {{ row.name }}, {{ vars.team }} and {{ team }}.\n", encoding="utf-8")
    cache = load(tmp_path, "vars: {team: a}\nsystem: {file: long.md}\n").cache
    assert [(one.name, str(one.where)) for one in cache.varying] == [("row.name", "long.md:2:1")]


def test_the_default_is_shared() -> None:
    assert CacheSpec() == CacheSpec("shared", "auto", diagnose=False, where=None, varying=())
