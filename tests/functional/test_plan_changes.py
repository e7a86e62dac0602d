"""What a plan says of earlier runs before it happens, and that a run then does just that."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness import Command, json_lines, numbered, read_lines, write_job

ROWS = 1000
SYSTEM = "system: You say words.\n"


@dataclass(frozen=True)
class Job:
    """A job in a project of its own, always simulated."""

    promptrun: Command
    spec: Path

    def plan(self, *options: str) -> str:
        return self.promptrun.ok("plan", self.spec, "--simulate", *options, cwd=self.spec.parent)

    def changes(self, *options: str) -> dict[str, Any]:
        """What a program reads of it."""
        (told,) = json_lines(self.plan("--format", "json", *options))
        return dict(told["changes"] or {}) | {"models": [one["requests"] for one in told["models"]]}

    def run(self, *options: str) -> tuple[list[dict[str, Any]], str]:
        """(results, what was said)."""
        words = (self.spec, "--simulate", "--concurrency", "200", *options)
        done = self.promptrun(*words, cwd=self.spec.parent)
        assert done.returncode == 0, done.stderr
        return read_lines(Path(done.stdout.strip()) / "results.jsonl"), done.stderr

    def edit(self, old: str, new: str, file: str = "job.yaml") -> None:
        path = self.spec.parent / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def finished(promptrun: Command, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job whose 1,000 rows are answered; tests that change it work on a copy."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "outputs").mkdir()
    (folder / "outputs" / ".gitignore").write_text("*\n!.gitignore\n", encoding="utf-8")
    job = Job(promptrun, write_job(folder, numbered(ROWS), extra=SYSTEM))
    assert "changes" not in job.plan()
    job.run()
    return job


@pytest.fixture
def job(finished: Job, tmp_path: Path) -> Job:
    import shutil

    shutil.copytree(finished.spec.parent, tmp_path / "job")
    return Job(finished.promptrun, tmp_path / "job" / "job.yaml")


def sent(results: list[dict[str, Any]]) -> list[str]:
    return [line["id"] for line in results if not line["reused_from"]]


def test_before_the_first_run_there_is_nothing_to_compare_with(promptrun: Command, tmp_path: Path) -> None:
    spec = write_job(tmp_path, numbered(2))
    (told,) = json_lines(promptrun.ok("plan", spec, "--format", "json"))
    assert (told["changes"], told["done"]) == (None, 0)
    assert "to send" not in promptrun.ok("plan", spec)


def test_nothing_changed_sends_nothing(job: Job) -> None:
    assert "0 to send; 1,000 reused (0 sent again)" in job.plan()
    results, said = job.run()
    assert "job: 0 to send; 1,000 reused (0 sent again)" in said
    assert sent(results) == []


def test_editing_one_input_of_1000_sends_one(job: Job) -> None:
    job.edit('"word": "word 17"', '"word": "another"', "job.jsonl")
    text = job.plan()
    assert "1 to send: 1 changed (prompt); 999 reused (0 sent again)" in text
    assert "    changed  r0017: prompt\n" in text
    changes = job.changes()
    assert changes["why"] == [{"parts": ["prompt"], "requests": 1}]
    assert changes["models"] == [1]  # and the cost is that of one
    results, said = job.run()
    assert "1 request changed (prompt); a new run starts\njob: 1 to send; 999 reused (0 sent again)" in said
    assert sent(results) == ["r0017"]
    assert len(results) == ROWS


def test_editing_the_system_prompt_sends_all_and_says_why(job: Job) -> None:
    job.edit("You say words.", "You sing words.")
    assert "1,000 to send: 1,000 changed (system)\n" in job.plan()
    results, said = job.run()
    assert "1,000 requests changed (system); a new run starts" in said
    assert len(sent(results)) == ROWS


@pytest.mark.parametrize(
    "more", ["# a comment\n", "run: {concurrency: 7}\n", "x-note: mine\n", "cache: off\n", "metadata: {user_id: '7'}\n"]
)
def test_what_changes_no_question_sends_none(job: Job, more: str) -> None:
    job.spec.write_text(job.spec.read_text(encoding="utf-8") + more, encoding="utf-8")
    assert "0 to send; 1,000 reused (0 sent again)" in job.plan()


@pytest.mark.parametrize(
    ("option", "parts"),
    [("model=claude-opus-5-5", "model"), ("max_tokens=65", "parameters"), ("system=Sing.", "system")],
)
def test_each_part_is_named(job: Job, option: str, parts: str) -> None:
    (why,) = job.changes("--set", option)["why"]
    assert parts in why["parts"]
    assert why["requests"] == ROWS


def test_rows_that_come_and_go(job: Job) -> None:
    rows = [*numbered(ROWS)[2:], {"id": "extra", "word": "extra"}]
    (job.spec.parent / "job.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    text = job.plan()
    assert "1 to send: 1 new; 998 reused (0 sent again)" in text
    assert "2 requests of run " in text
    assert "    new      extra\n" in text
    assert ": 1 new, 2 gone; a new run starts" in job.run()[1]


def test_a_renamed_row_is_reused(job: Job) -> None:
    job.edit('"id": "r0017"', '"id": "seventeen"', "job.jsonl")
    assert job.changes()["reused"] == ROWS


def test_reuse_off_sends_all_again(job: Job) -> None:
    text = job.plan("--set", "run.reuse=false")
    assert "1,000 to send: 1,000 without an answer that may be used again\n" in text


def test_an_answer_is_used_for_as_long_as_the_spec_says(job: Job) -> None:
    assert job.changes("--set", "run.reuse.max_age=7d")["reused"] == ROWS


def test_an_unfinished_run_of_another_plan_is_named(job: Job) -> None:
    (run,) = (job.spec.parent / "outputs" / "simulated" / "job").glob("2*/run.json")
    told = json.loads(run.read_text(encoding="utf-8")) | {"finished": False}
    run.write_text(json.dumps(told), encoding="utf-8")
    assert "goes on with the unfinished run " in job.plan()
    job.edit("You say words.", "You sing words.")
    said = job.run()[1]
    assert f"the plan changed since run {told['run']}, which is unfinished: 1,000 requests changed (system)" in said


def test_planning_the_changes_imports_no_sdk(job: Job) -> None:
    import subprocess
    import sys

    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "runner.cli", "plan", str(job.spec), "--simulate"],
        env=job.promptrun.environment,
        cwd=job.promptrun.cwd,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
    assert "1,000 reused" in told.stdout
    assert "runner.store.reuse" in imported
    assert not imported & {"anthropic", "aiohttp", "asyncio"}
