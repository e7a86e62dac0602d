"""What live models say against a plan: problems with places, and nothing where a model says nothing."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import pytest

from runner.models.live import LiveModel, live_model
from runner.planning import PlanOptions, plan_job
from runner.prompts.live_checks import live_problems
from runner.prompts.wants import Want, wants

TODAY = date(2026, 11, 22)
SPEC = """\
model: claude-opus-5-5
max_tokens: 70000
effort: xhigh
thinking: adaptive
prompt: What is this?
fallbacks: [claude-opus-4-8]
output:
  schema: {type: object, properties: {a: {type: string}}, required: [a], additionalProperties: false}
attachments:
  - url: https://example.com/a.png
  - url: https://example.com/a.pdf
run: {reuse: true}
"""


def asked(folder: Path, spec: str = SPEC, rows: str = "", **answers):
    """The problems of a job when these are the answers; a model without one can do everything."""
    path = folder / "job.yaml"
    path.write_text(spec + rows, encoding="utf-8")
    with plan_job(path, PlanOptions(), env={}, stdin=io.BytesIO()) as planned:
        wanted = wants(planned.requests())
        ids = {str(want.value) for want in wanted if want.field in ("model", "fallbacks")}
        models = {id: answers.get(id.replace("-", "_"), LiveModel(id)) for id in ids}
        return live_problems(planned.job, wanted, models, TODAY)


def said(problems):
    return [f"{problem.rule} {problem.severity} {problem.where.line}" for problem in problems]


def test_requests_say_what_they_want(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(SPEC, encoding="utf-8")
    with plan_job(path, PlanOptions(), env={}, stdin=io.BytesIO()) as planned:
        wanted = wants(planned.requests())
    assert [(want.field, want.value) for want in wanted] == [
        ("max_tokens", 70_000),
        ("model", "claude-opus-5-5"),
        ("effort", "xhigh"),
        ("output", "structured_outputs"),
        ("thinking", "adaptive"),
        ("fallbacks", "claude-opus-4-8"),
        ("attachments", "image_input"),
        ("attachments", "pdf_input"),
    ]
    assert {want.model for want in wanted} == {"claude-opus-5-5"}


def test_nothing_is_held_against_a_request_that_the_api_does_not_say(tmp_path):
    assert asked(tmp_path) == []


def test_every_refusal_stands_where_the_spec_asks_for_it(tmp_path, snapshot):
    no = {"supported": False}
    small = live_model(
        "claude-opus-5-5",
        {
            "lifecycle": "active",
            "max_tokens": 64_000,
            "capabilities": {
                "image_input": no,
                "pdf_input": no,
                "structured_outputs": no,
                "effort": {"supported": True, "low": {"supported": True}, "xhigh": no},
                "thinking": {"supported": True, "types": {"adaptive": no, "disabled": {"supported": True}}},
            },
            "allowed_fallback_models": ["claude-opus-5"],
        },
    )
    problems = asked(tmp_path, claude_opus_5_5=small)
    assert said(problems) == [
        "max-tokens-refused error 2",
        "effort-refused error 3",
        "output-refused error 8",
        "thinking-refused error 4",
        "fallback-refused error 6",
        "media-refused error 10",
        "media-refused error 10",
    ]
    assert "\n".join(f"{one.path}: {one.what}\n    {one.next}" for one in problems) == snapshot


@pytest.mark.parametrize(
    ("told", "what"),
    [
        (None, "unknown-model error 1"),
        ({"lifecycle": "retired", "retires_at": "2026-06-30T00:00:00Z"}, "model-retires error 1"),
        ({"lifecycle": "deprecated", "retires_at": None}, "model-retires warning 1"),
        ({"lifecycle": "active", "retires_at": "2027-01-31T00:00:00Z"}, "model-retires warning 1"),
    ],
)
def test_a_model_that_is_not_there_or_will_not_be(told, what, tmp_path):
    assert said(asked(tmp_path, claude_opus_5_5=live_model("claude-opus-5-5", told))) == [what]


def test_a_model_that_stays_is_no_news(tmp_path):
    stays = live_model("claude-opus-5-5", {"lifecycle": "active", "retires_at": "2027-11-30T00:00:00Z"})
    assert asked(tmp_path, claude_opus_5_5=stays) == []


def test_a_fallback_s_own_life_counts_and_stands_at_the_fallback(tmp_path):
    gone = LiveModel("claude-opus-4-8", found=False)
    (problem,) = asked(tmp_path, claude_opus_4_8=gone)
    assert (problem.rule, problem.path) == ("unknown-model", "fallbacks")


def test_a_matrix_is_told_of_the_value_that_does_not_work(tmp_path):
    spec = "prompt: Hi.\nmatrix:\n  model: [claude-opus-5-5, claude-haiku-5-5]\n  effort: [low, max]\n"
    haiku = live_model("claude-haiku-5-5", {"capabilities": {"effort": {"max": {"supported": False}}}})
    (problem,) = asked(tmp_path, spec, claude_haiku_5_5=haiku)
    assert (problem.path, problem.where.line, problem.where.column) == ("matrix.effort[1]", 4, 17)


def test_what_only_a_row_wants_stands_at_the_row(tmp_path):
    spec = "model: claude-opus-5-5\nprompt: Hi.\ninputs:\n  - {id: a}\n  - {id: b, overrides: {effort: max}}\n"
    opus = live_model("claude-opus-5-5", {"capabilities": {"effort": {"max": {"supported": False}}}})
    (problem,) = asked(tmp_path, spec, claude_opus_5_5=opus)
    assert (problem.path, problem.where.line) == ("effort", 5)


def test_the_longest_reply_of_all_rows_counts(tmp_path):
    spec = 'model: claude-opus-5-5\nmax_tokens: "{{ n }}"\nprompt: Hi.\ninputs: [{n: 5}, {n: 50}, {n: 7}]\n'
    path = tmp_path / "job.yaml"
    path.write_text(spec, encoding="utf-8")
    with plan_job(path, PlanOptions(), env={}, stdin=io.BytesIO()) as planned:
        assert Want("claude-opus-5-5", "max_tokens", 50) in wants(planned.requests())
