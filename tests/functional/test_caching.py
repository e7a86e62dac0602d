"""Prompt caching over a real socket: how many requests write and read, and what is said when they should and do not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness import Command

SYSTEM = "You sort support tickets with care, and you never guess. " * 150  # about 2,400 tokens
MODEL = "claude-opus-4-8"  # caches from 1,024 tokens on


@dataclass(frozen=True)
class Ran:
    """A simulated run. stderr: warnings, then the summary."""

    results: list[dict[str, Any]]
    usage: Mapping[str, Any]
    stderr: str

    def wrote(self) -> int:
        return sum(one["usage"]["cache_creation_input_tokens"] > 0 for one in self.results)

    def read(self) -> int:
        return sum(one["usage"]["cache_read_input_tokens"] > 0 for one in self.results)


@dataclass(frozen=True)
class Job:
    """A job in a folder of its own, run by the real command against the simulator."""

    promptrun: Command
    folder: Path

    def write(self, spec: str, rows: int = 400, columns: str = "id,text", row: str = "{n},ticket {n}") -> Path:
        lines = [columns, *(row.format(n=n, variant=n % 40) for n in range(rows))]
        (self.folder / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (self.folder / "system.md").write_text(SYSTEM, encoding="utf-8")
        path = self.folder / "job.yaml"
        path.write_text(
            f"model: {MODEL}\nrun: {{concurrency: 50}}\ninputs: {{file: rows.csv}}\n{spec}", encoding="utf-8"
        )
        return path

    def run(self, spec: str, *options: str, **rows: Any) -> Ran:
        path = self.write(spec, **rows)
        done = self.promptrun(path, "--simulate", "--output-dir", self.folder / "out", *options)
        assert done.returncode == 0, done.stderr
        run = Path(done.stdout.strip())
        lines = (run / "results.jsonl").read_text(encoding="utf-8").splitlines()
        return Ran([json.loads(line) for line in lines], json.loads((run / "usage.json").read_bytes()), done.stderr)


@pytest.fixture
def job(promptrun: Command, tmp_path: Path) -> Job:
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / ".gitignore").write_text("*\n", encoding="utf-8")
    return Job(promptrun, tmp_path)


SHARED = 'system: {file: system.md}\nprompt: "Sort: {{ text }}"\n'


def test_four_hundred_rows_one_write(job: Job) -> None:
    ran = job.run(SHARED)
    assert (ran.wrote(), ran.read()) == (1, 399)
    cache = ran.usage["cache"]
    assert (cache["writes"], cache["reads"], cache["audit"]) == (1, 399, [])
    assert cache["hit_rate"] > 0.9
    assert cache["saved_usd"] > 0
    assert "cache    1 request wrote" in ran.stderr
    assert "; saved $" in ran.stderr


def test_two_thousand_rows_over_forty_variants_forty_writes(job: Job) -> None:
    spec = 'system: "{% include \'system.md\' %} Team {{ team }}."\nprompt: "Sort: {{ text }}"\n'
    ran = job.run(spec, rows=2000, columns="id,text,team", row="{n},ticket {n},{variant}")
    assert (ran.wrote(), ran.read()) == (40, 1960)


def test_what_is_rendered_is_what_is_sent_and_keys_do_not_know_of_it(job: Job) -> None:
    path = job.write(SHARED + "cache: {ttl: 1h}\n", rows=3)
    rendered = [json.loads(line) for line in job.promptrun.ok("render", path).splitlines()]
    assert rendered[0]["body"]["system"] == [
        {"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    ]
    plain = [json.loads(line) for line in job.promptrun.ok("render", path, "--set", "cache=off").splitlines()]
    assert plain[0]["body"]["system"] == SYSTEM
    assert [one["key"] for one in plain] == [one["key"] for one in rendered]


def test_off_caches_nothing(job: Job) -> None:
    ran = job.run(SHARED + "cache: off\n", rows=20)
    assert (ran.wrote(), ran.read()) == (0, 0)


def test_an_hour_is_written_for_an_hour(job: Job) -> None:
    ran = job.run(SHARED + "cache: {ttl: 1h}\n", rows=20)
    assert (ran.wrote(), ran.read()) == (1, 19)
    assert ran.usage["tokens"]["cache_write_1h"] > 0
    assert ran.usage["tokens"]["cache_write_5m"] == 0


def test_marks_by_hand(job: Job) -> None:
    ran = job.run('system: {file: system.md, cache: true}\nprompt: "Sort: {{ text }}"\n', rows=50)
    assert (ran.wrote(), ran.read()) == (1, 49)


def test_languages_share_the_image_and_images_share_the_system_prompt(job: Job) -> None:
    """Five languages of four images: each image is written once, and the system prompt with the first of them."""
    spec = (
        'system: {file: system.md}\nattachments: {url: "https://example.com/{{ id }}.png", type: image}\n'
        'prompt: "A caption in {{ language }}."\nvars: {language: ""}\n'
        "matrix: {language: [English, French, German, Italian, Spanish]}\n"
    )
    ran = job.run(spec, "--set", "run.reuse=true", rows=4)
    assert (ran.wrote(), ran.read()) == (4, 19)
    first = [
        one["usage"]["cache_creation_input_tokens"]
        for one in ran.results
        if one["usage"]["cache_creation_input_tokens"]
    ]
    assert sum(size > 2000 for size in first) == 1  # the system prompt is written by one of them


def test_a_row_variable_in_the_system_prompt_is_told_its_price_and_caught_at_its_byte(job: Job) -> None:
    ran = job.run('system: "{% include \'system.md\' %}Team {{ id }}."\nprompt: "Sort: {{ text }}"\n', rows=100)
    assert (ran.wrote(), ran.read()) == (0, 0)
    assert (
        "job.yaml:4:10: system: warning: `{{ id }}` makes the system prompt of 100 requests one that no other shares"
        in ran.stderr
    )
    assert "tokens are paid in full: $1.2" in ran.stderr
    assert "written once and read by all others for about $0.1" in ran.stderr
    (finding,) = ran.usage["cache"]["audit"]
    assert (finding["kind"], finding["requests"], finding["of"]) == ("differs", 100, 100)
    assert (finding["difference"]["place"], finding["difference"]["byte"]) == ("system", len(SYSTEM) + len("Team "))
    assert f"system differs first at byte {len(SYSTEM) + 5:,}" in ran.stderr


def test_a_mark_behind_what_drifts_is_caught_too(job: Job) -> None:
    spec = 'system: [{text: "{% include \'system.md\' %}{{ id }}", cache: true}]\nprompt: "Sort: {{ text }}"\n'
    ran = job.run(spec, rows=30)
    assert (ran.wrote(), ran.read()) == (30, 0)
    assert "30 requests have a marked prefix that no other request has" in ran.stderr
    (finding,) = ran.usage["cache"]["audit"]
    assert (finding["requests"], finding["difference"]["place"], finding["difference"]["byte"]) == (
        30,
        "system[0]",
        len(SYSTEM),
    )


def test_automatic_on_independent_rows_is_told_what_it_costs(job: Job) -> None:
    ran = job.run(SHARED + "cache: automatic\n", rows=40)
    assert ran.read() == 0
    assert ran.wrote() == 40
    assert "has each of 40 independent requests write its own whole text" in ran.stderr
    assert "costs about $0.1" in ran.stderr
    assert ran.usage["cache"]["saved_usd"] < 0
    assert "; lost $" in ran.stderr


def test_diagnose_counts_the_apis_reasons(job: Job) -> None:
    ran = job.run(SHARED + "cache: {diagnose: true}\n", rows=30)
    assert (ran.wrote(), ran.read()) == (1, 29)
    reasons = ran.usage["cache"]["miss_reasons"]
    assert reasons["messages_changed"] == 29  # rows that share only a system prompt differ there by design
    assert "the API's reasons for missing: 29 messages_changed" in ran.stderr


def test_a_conversation_reads_what_its_earlier_turns_wrote(job: Job) -> None:
    spec = 'system: {file: system.md}\nturns: [{user: "Sort: {{ text }}"}, {user: Why?}, {user: Are you sure?}]\n'
    ran = job.run(spec, rows=3)
    for one in ran.results:
        later = [call["usage"] for call in one["calls"][1:]]
        read = [usage["cache_read_input_tokens"] for usage in later]
        assert read[0] < read[1]
        assert all(usage["input_tokens"] == 0 for usage in later)


def test_the_plan_says_what_will_be_written_and_read(job: Job) -> None:
    plan = job.promptrun.ok("plan", job.write(SHARED))
    assert "cache    1 shared prefix written once (about 2,443 tokens, 5m), read by 399 requests" in plan
    as_json = json.loads(job.promptrun.ok("plan", job.write(SHARED), "--format", "json"))
    assert (as_json["cache"]["writes"], as_json["cache"]["reads"]) == (1, 399)
