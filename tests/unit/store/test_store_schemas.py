"""What is written fits its schema, and the schemas are strict enough to notice a change."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from store_job import failed, ok, plan_of, request

from runner.store import open_run, read_results, read_run, read_usage
from runner.store.merge import merge_runs, read_parts

SCHEMAS = Path(__file__).parents[3] / "schemas"


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8")))


def faults(name, tree):
    return [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(tree)]


@pytest.fixture
def folder(job):
    with job.open(5) as run:
        for result in (ok(0), failed(1), ok(2, usage={"input_tokens": 1, "output_tokens": 1}, model="claude-new")):
            run.sent(result.request, 1, job.clock.utc(), None)
            run.done(result)
        run.done(ok(3, status="refused", stop_reason="refusal", stop_details={"category": "cyber"}))
        run.write_identical(request(4), 0)
        assert faults("run", json.loads((run.folder / "run.json").read_text(encoding="utf-8"))) == []
        run.finish()
        return run.folder


@pytest.mark.parametrize("name", ["result", "run", "usage"])
def test_a_schema_is_valid_and_describes_every_field(name):
    schema = validator(name).schema
    Draft202012Validator.check_schema(schema)
    assert missing_descriptions(schema, name) == []


def missing_descriptions(schema, path):
    missing = [] if path.count(".") == 0 or "description" in schema or "$ref" in schema or not schema else [path]
    for group in ("properties", "$defs"):
        for name, part in schema.get(group, {}).items():
            missing += [] if group == "$defs" and name in ("tokens",) else missing_descriptions(part, f"{path}.{name}")
    return missing


@pytest.mark.parametrize("name", ["run", "usage"])
def test_files_fit_their_schema(folder, name):
    tree = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    assert faults(name, tree) == []
    assert faults(name, tree | {"surprise": 1}) != []


def test_every_result_line_fits_the_schema(folder):
    records = list(read_results(folder))
    assert len(records) == 5
    assert [faults("result", record) for record in records] == [[]] * 5
    assert faults("result", records[0] | {"status": "good"}) != []
    assert faults("result", {name: value for name, value in records[0].items() if name != "key"}) != []


def test_no_run_has_no_results_and_still_fits(job):
    folder, summary = job.run(total=0)
    assert summary.finished
    for name in ("run", "usage"):
        assert faults(name, json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))) == []


def test_shards_retries_and_joined_runs_fit_their_schema(job):
    shards = []
    for k in (1, 2):
        manifest = job.manifest(shard={"k": k, "of": 2, "limited": False}, limited=True, checks=[{"ok": ">= 99%"}])
        with open_run(job.folder, manifest=manifest, plan=plan_of(1), clock=job.clock) as run:
            run.done(ok(0, request=replace(request(0), id=f"row-{k}")))
            run.finish()
        shards.append(run.folder)
    joined = merge_runs(read_parts(shards), job.folder, arguments=["merge"], clock=job.clock)
    retry = {"statuses": ["failed"], "arguments": ["run", "triage.yaml"]}
    manifest = job.manifest(parent=joined.run, retry=retry)
    with open_run(job.folder, manifest=manifest, plan=plan_of(2), clock=job.clock) as run:
        for n, line in enumerate(read_results(Path(joined.folder))):
            run.write_reused(request(n), line)
        run.finish()
    for folder in (*shards, Path(joined.folder), run.folder):
        assert faults("run", read_run(folder)) == []
        assert faults("usage", read_usage(folder)) == []
        assert [faults("result", line) for line in read_results(folder)] == [[]] * len(list(read_results(folder)))
