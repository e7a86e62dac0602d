"""The real command asks another provider; an address in a spec counts only where the one who runs it allows it."""

from __future__ import annotations

import json
from pathlib import Path

from harness import Command, HandServer, error, json_lines, message, numbered, read_lines, write_job

FOUNDRY = {"ANTHROPIC_FOUNDRY_API_KEY": "not-a-real-key"}


def test_a_job_runs_on_another_provider_and_falls_back(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    def behaviour(server: HandServer, body: dict, n: int) -> tuple:
        status, headers, content = message(body, f"I am {body['model']}")
        if body["model"] != "claude-opus-5-5":
            return status, headers, content
        refused = {"content": [], "stop_reason": "refusal", "usage": {"input_tokens": 12, "output_tokens": 0}}
        return status, headers, json.dumps({**json.loads(content), **refused}).encode()

    hand_server.behaviour = behaviour
    extra = f"client: {{provider: foundry, base_url: '{hand_server.url}'}}\nfallbacks: [claude-opus-4-8]\n"
    spec = write_job(tmp_path, numbered(3), extra=extra)
    folder = promptrun.ok(spec, "--set", "model=claude-opus-5-5", "--output-dir", tmp_path / "out", env=FOUNDRY).strip()
    results = read_lines(Path(folder) / "results.jsonl")
    assert [(one["status"], one["text"]) for one in results] == [("ok", "I am claude-opus-4-8")] * 3
    assert {(one["model"]["asked"], one["model"]["served"]) for one in results} == {
        ("claude-opus-5-5", "claude-opus-4-8")
    }
    assert [len(one["usage"]["iterations"]) for one in results] == [2, 2, 2]
    assert all("fallbacks" not in body for body in hand_server.bodies)
    assert {headers["api-key"] for headers in hand_server.headers} == {"not-a-real-key"}


def test_a_spec_cannot_send_a_credential_elsewhere(promptrun: Command, tmp_path: Path) -> None:
    spec = write_job(tmp_path, numbered(1), extra="client: {base_url: 'https://evil.example'}\n")
    done = promptrun(spec, env={"ANTHROPIC_API_KEY": "not-a-real-key"})
    assert (done.returncode, done.stdout) == (2, "")
    assert "--allow-host evil.example" in done.stderr
    assert promptrun("validate", spec, "--allow-host", "evil.example").returncode == 0
    assert promptrun("validate", spec, env={"PROMPTRUN_ALLOW_HOSTS": "evil.example"}).returncode == 0


def test_a_missing_login_of_a_provider_is_the_accounts(promptrun: Command, tmp_path: Path) -> None:
    spec = write_job(tmp_path, numbered(1), extra="client: {provider: foundry, resource: mine}\n")
    done = promptrun(spec, "--output-dir", tmp_path / "out")
    assert done.returncode == 4
    assert "ANTHROPIC_FOUNDRY_API_KEY" in done.stderr
    assert not (tmp_path / "out" / "job").exists()


def test_a_debug_log_is_announced_and_shows_no_credential(
    process: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    spec = write_job(tmp_path, numbered(1), extra="client: {headers: {x-gateway-token: {env: GATEWAY_TOKEN}}}\n")
    env = {**hand_server.environment(), "ANTHROPIC_LOG": "debug", "GATEWAY_TOKEN": "gateway-secret"}
    done = process(spec, "--output-dir", tmp_path / "out", env=env)
    assert done.returncode == 0, done.stderr
    assert hand_server.headers[0]["x-gateway-token"] == "gateway-secret"
    assert done.stderr.index("ANTHROPIC_LOG=debug prints every prompt") < done.stderr.index("Request options")
    assert "not-a-real-key" not in done.stderr
    assert "gateway-secret" not in done.stderr
    secret = done.stdout + "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "out").rglob("*.json*"))
    assert "gateway-secret" not in secret
    assert "requests go with the headers x-gateway-token, as the spec says" in done.stderr


def test_a_header_without_its_variable_ends_the_job_before_anything_is_sent(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    extra = "client: {headers: {x-gateway-token: {env: GATEWAY_TOKEN}}}\n"
    done = promptrun(write_job(tmp_path, numbered(1), extra=extra), env=hand_server.environment())
    assert (done.returncode, hand_server.bodies) == (2, [])
    assert "the environment has no `GATEWAY_TOKEN`, which `client.headers` needs" in done.stderr


def test_a_row_has_its_own_time_and_number_of_tries(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    def behaviour(server: HandServer, body: dict, n: int) -> tuple:
        asked = body["messages"][0]["content"]
        if "slow" in asked:
            server.released.wait(20)
        return error(500, "api_error", "no") if "bad" in asked else message(body)

    hand_server.behaviour = behaviour
    rows = [
        {"id": "slow", "word": "slow", "own": {"request_timeout": {"total": 1}, "retry": {"max": 0}}},
        {"id": "bad", "word": "bad", "own": {"retry": {"max": 2}}},
        {"id": "good", "word": "good", "own": {}},
    ]
    extra = "  overrides: own\nrun: {retry: {max: 0, base: 0}}\n"
    spec = write_job(tmp_path, rows, extra=extra)
    done = promptrun(spec, "--output-dir", tmp_path / "out", "--quiet", env=hand_server.environment())
    hand_server.released.set()
    results = {one["id"]: one for one in read_lines(Path(done.stdout.strip()) / "results.jsonl")}
    kinds = {id: [a["failure"]["kind"] for c in one["calls"] for a in c["attempts"] if a["failure"]]
             for id, one in results.items()}  # fmt: skip
    assert kinds == {"slow": ["timeout"], "bad": ["server_error"] * 3, "good": []}


def test_the_provider_and_another_address_are_part_of_the_key(promptrun: Command, tmp_path: Path) -> None:
    def key(client: str, **env: str) -> str:
        spec = write_job(tmp_path, numbered(1), extra=client)
        return json_lines(promptrun.ok("render", spec, env=env))[0]["key"]

    local = "http://127.0.0.1:9"
    keys = [
        key(""),
        key("client: {provider: vertex, region: global}\n"),
        key("client: {provider: foundry, resource: mine}\n"),
        key(f"client: {{base_url: '{local}'}}\n"),
        key("client: {provider: foundry}\n", ANTHROPIC_FOUNDRY_BASE_URL=local),
    ]
    assert len(set(keys)) == len(keys)
    assert key("client: {provider: anthropic}\n") == keys[0]
    assert key("", ANTHROPIC_BASE_URL=local) == keys[3]
    assert key("client: {provider: foundry, resource: another}\n") == keys[2]


def test_a_job_for_bedrock_can_be_tried_on_the_simulator(promptrun: Command, tmp_path: Path) -> None:
    spec = write_job(tmp_path, numbered(2), extra="client: {provider: bedrock, aws_region: eu-central-1}\n")
    model = "model=eu.anthropic.claude-opus-4-8"
    folder = promptrun.ok(spec, "--set", model, "--simulate", "--output-dir", tmp_path / "out").strip()
    assert [one["status"] for one in read_lines(Path(folder) / "results.jsonl")] == ["ok"] * 2
