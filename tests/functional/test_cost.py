"""Before and after spending, by the real command: docs/cost.md as it stands, counting, asking models, and the bill."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from harness import CHECKOUT, Command, HandServer, json_lines, message, numbered, read_lines, write_job

PAGE = (CHECKOUT / "docs" / "cost.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
PRICES = re.compile(r"prices of \d{4}-\d\d-\d\d \(genai-prices [\d.]+\)")


def blocks(kind: str) -> list[str]:
    return [match["text"] for match in BLOCK.finditer(PAGE) if match["kind"] == kind]


def same_every_day(text: str) -> str:
    return PRICES.sub("prices of DAY (genai-prices VERSION)", text)


@pytest.fixture
def support(tmp_path: Path) -> Path:
    """The job of the page."""
    spec, _ = blocks("yaml")
    (tmp_path / "support.yaml").write_text(spec, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("block", blocks("console"), ids=lambda text: text.split("\n", 1)[0])
def test_every_command_of_the_page_works_and_says_what_is_shown(block: str, support: Path, promptrun: Command) -> None:
    line, _, shown = block.partition("\n")
    done = promptrun(*shlex.split(line.removeprefix("$ promptrun ")), cwd=support)
    assert done.returncode == 0, done.stderr
    if shown:
        assert same_every_day(done.stdout) == same_every_day(shown)


def test_the_budget_of_the_page_goes_into_a_spec(support: Path, promptrun: Command) -> None:
    spec = support / "support.yaml"
    spec.write_text("\n".join(blocks("yaml")), encoding="utf-8")
    assert "all of it costs $0.026 at most" in promptrun.ok("plan", "support.yaml", cwd=support)
    summary = promptrun("support.yaml", "--simulate", cwd=support).stderr
    assert "left of max_cost $5.00" in summary
    (usage,) = support.glob("outputs/simulated/support/2*/usage.json")
    budget = json.loads(usage.read_text(encoding="utf-8"))["budget"]
    assert budget["left_usd"] == pytest.approx(5 - budget["spent_usd"])
    assert (budget["max_cost_usd"], budget["maybe_billed_usd"]) == (5.0, 0.0)


def test_a_plan_that_is_counted(tmp_path: Path, promptrun: Command, snapshot: object) -> None:
    spec = tmp_path / "job.yaml"
    (tmp_path / "rows.txt").write_text("".join(f"row {n} {'long ' * (n % 9)}\n" for n in range(200)), encoding="utf-8")
    spec.write_text(
        f"model: claude-opus-4-8\nmax_tokens: 100\nsystem: {'You sort tickets with care. ' * 300}\n"
        "prompt: '{{ text }}'\ninputs: {file: rows.txt}\n",
        encoding="utf-8",
    )
    shown = promptrun.ok("plan", "job.yaml", "--count-tokens", "--simulate", cwd=tmp_path)
    assert same_every_day(shown) == snapshot


def test_counting_and_asking_need_credentials(support: Path, promptrun: Command) -> None:
    for words in (["plan", "support.yaml", "--count-tokens"], ["validate", "support.yaml", "--online"]):
        done = promptrun(*words, cwd=support)
        assert done.returncode == 4, done.stdout
        assert "add `--simulate`" in done.stderr
        assert done.stdout == ""


def test_models_that_cannot_do_it_are_problems_with_places(tmp_path: Path, promptrun: Command) -> None:
    spec = tmp_path / "job.yaml"
    spec.write_text("model: claude-next\nprompt: Hi.\n", encoding="utf-8")
    assert promptrun("validate", "job.yaml", cwd=tmp_path).returncode == 0
    done = promptrun("validate", "job.yaml", "--online", "--simulate", cwd=tmp_path)
    assert done.returncode == 2
    assert "job.yaml:1:8: model: the API knows no model `claude-next`" in done.stderr


def test_a_warning_of_a_model_stops_nothing(tmp_path: Path, promptrun: Command) -> None:
    (tmp_path / "job.yaml").write_text("model: claude-sonnet-4-5\nprompt: Hi.\n", encoding="utf-8")
    done = promptrun("validate", "job.yaml", "--online", "--simulate", cwd=tmp_path)
    assert done.returncode == 0
    assert "`claude-sonnet-4-5` is deprecated and retires on 2026-11-30" in done.stderr


def test_earlier_answers_make_a_plan_s_cost_likely(tmp_path: Path, promptrun: Command, hand_server: HandServer) -> None:
    spec = write_job(tmp_path, numbered(4))
    before = json_lines(promptrun.ok("plan", spec, "--format", "json", env=hand_server.environment()))[0]
    promptrun.ok(spec, "--quiet", env=hand_server.environment())
    words = ("plan", spec, "--set", "run.reuse=false")
    after = json_lines(promptrun.ok(*words, "--format", "json", env=hand_server.environment()))[0]
    assert before["models"][0]["likely_usd"] is None
    assert (after["earlier_results"], after["models"][0]["expected_output_tokens"]) == (4, 4 * 6)
    assert after["models"][0]["least_usd"] < after["models"][0]["likely_usd"] < after["models"][0]["full_usd"]
    assert "likely" in promptrun.ok(*words, env=hand_server.environment())


def test_the_spec_s_prices_are_what_is_billed(tmp_path: Path, promptrun: Command, hand_server: HandServer) -> None:
    hand_server.behaviour = lambda server, body, n: message(body)
    own = "prices: {claude-haiku-5-5: {input: 1000, output: 2000}}\n"
    spec = write_job(tmp_path, numbered(2), extra=own)
    folder = Path(promptrun.ok(spec, "--quiet", env=hand_server.environment()).strip())
    each = (12 * 1000 + 6 * 2000) / 1e6
    assert [line["cost_usd"] for line in read_lines(folder / "results.jsonl")] == pytest.approx([each, each])
    usage, run = (json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in ("usage", "run"))
    assert usage["cost"]["usd"] == pytest.approx(2 * each)
    assert usage["prices"] == run["prices"]
    assert run["prices"]["overrides"] == {"claude-haiku-5-5": {"input": 1000.0, "output": 2000.0}}
    assert run["prices"]["source"] == "genai-prices"
    reserved = next(line for line in read_lines(folder / "journal.jsonl") if line["t"] == "sent")["may_cost_usd"]
    assert reserved > each


def test_an_unpriced_model_is_named_with_what_to_do(
    tmp_path: Path, promptrun: Command, hand_server: HandServer
) -> None:
    (tmp_path / "job.yaml").write_text("model: claude-next\nmax_tokens: 9\nprompt: Hi.\n", encoding="utf-8")
    done = promptrun("job.yaml", cwd=tmp_path, env=hand_server.environment())
    assert "cost     unknown: no price for claude-next" in done.stderr
    assert "`prices:`" in done.stderr
