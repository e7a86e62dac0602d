"""What `promptrun init --ci` writes, run as the scheduler would run it (docs/scheduling.md), against loopback."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import SECONDS, Command, HandServer, error, message, read_lines

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="cron, systemd and the workflow's bash are POSIX")


@dataclass(frozen=True)
class Machine:
    """A machine with a project on it: `promptrun` on its PATH, a `sleep` that returns at once, and a `gh` that is none.

    Each command that only pretends writes down what it was asked.
    """

    project: Path
    bin: Path
    home: Path
    environment: Mapping[str, str]
    server: HandServer

    def shell(
        self, script: str, *, shell: tuple[str, ...] = ("sh", "-c"), cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*shell, script],
            env={**self.environment, **env},
            cwd=cwd or self.project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )

    def asked(self, name: str) -> list[str]:
        log = self.bin / f"{name}.log"
        return log.read_text(encoding="utf-8").splitlines() if log.exists() else []

    def results(self) -> list[dict[str, Any]]:
        (latest,) = self.project.glob("outputs/first-job/latest/results.jsonl")
        return read_lines(latest)


@pytest.fixture
def machine(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> Machine:
    project, bin, home = tmp_path / "my jobs", tmp_path / "bin", tmp_path / "home"
    for folder in (project, bin, home / ".config"):
        folder.mkdir(parents=True)
    executable(bin / "promptrun", f'exec {shlex.join(promptrun.start_with)} "$@"')
    executable(bin / "sleep", f'echo "$@" >> {shlex.quote(str(bin))}/sleep.log')
    executable(bin / "gh", f'echo "$@" >> {shlex.quote(str(bin))}/gh.log')
    lines = [f"{name}={value}\n" for name, value in hand_server.environment().items()]
    (home / ".config" / "promptrun.env").write_text("".join(lines), encoding="utf-8")
    path = os.pathsep.join([str(bin), "/usr/bin", "/bin", str(Path(sys.executable).parent)])
    environment = {**promptrun.environment, "HOME": str(home), "PATH": path}
    return Machine(project, bin, home, environment, hand_server)


def executable(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def later_first(server: HandServer, body: dict[str, Any], n: int) -> Any:
    """Asks at first to come back in three hours, which is longer than any job waits by itself: exit code 75."""
    if n == 1:
        return error(429, "rate_limit_error", "Too many requests", **{"retry-after": "10800"})
    return message(body)


def one_bad(server: HandServer, body: dict[str, Any], n: int) -> Any:
    return error(400, "invalid_request_error", "no") if "jammed" in str(body) else message(body)


def init(promptrun: Command, machine: Machine, kind: str) -> None:
    promptrun.ok("init", "--ci", kind, machine.project)


# ---------------------------------------------------------------- the job itself


def test_the_job_is_fit_to_run_unattended(promptrun: Command, machine: Machine) -> None:
    init(promptrun, machine, "cron")
    spec = yaml.safe_load((machine.project / "specs" / "first-job.yaml").read_text(encoding="utf-8"))
    assert spec["run"]["max_cost"] == 1.0
    assert spec["checks"] == [{"ok": ">= 99%"}]
    assert spec["inputs"]["on_bad_row"] == "skip"
    assert "6 requests" in promptrun.ok("validate", machine.project / "specs" / "first-job.yaml")


def test_a_second_scheduler_leaves_the_job_alone(promptrun: Command, machine: Machine) -> None:
    init(promptrun, machine, "cron")
    spec = machine.project / "specs" / "first-job.yaml"
    spec.write_text(spec.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    init(promptrun, machine, "github")
    assert spec.read_text(encoding="utf-8").endswith("# mine\n")
    again = promptrun("init", "--ci", "github", machine.project)
    assert again.returncode == 2
    assert "already there" in again.stderr


# ---------------------------------------------------------------- GitHub


def workflow(machine: Machine) -> dict[str, Any]:
    text = (machine.project / ".github" / "workflows" / "promptrun.yml").read_text(encoding="utf-8")
    tree: dict[str, Any] = yaml.safe_load(text)
    return tree


def steps(machine: Machine, job: str) -> dict[str, dict[str, Any]]:
    return {step["name"]: step for step in workflow(machine)["jobs"][job]["steps"] if "name" in step}


def github(machine: Machine, job: str, name: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one step's script as the runner does: `shell: bash` means these flags.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell
    """
    scratch = machine.home / "runner"
    scratch.mkdir(exist_ok=True)
    given = {"RUNNER_TEMP": str(scratch), "GITHUB_STEP_SUMMARY": str(scratch / "summary.md")}
    script = steps(machine, job)[name]["run"]
    bash = (shutil.which("bash") or "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
    return machine.shell(script, shell=bash, **given, **workflow(machine)["env"], **env)


def test_the_workflow_asks_for_no_more_than_it_needs(promptrun: Command, machine: Machine) -> None:
    init(promptrun, machine, "github")
    tree = workflow(machine)
    assert tree["permissions"] == {"contents": "read"}
    assert tree["jobs"]["plan"]["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert "permissions" not in tree["jobs"]["run"]
    with_key = [
        (job, step.get("name"))
        for job, one in tree["jobs"].items()
        for step in one["steps"]
        if "ANTHROPIC" in str(step) or "secrets" in str(step)
    ]
    assert with_key == [("run", "run")], "one step sees the key, and none of a pull request does"
    assert tree[True].keys() == {"pull_request", "schedule", "workflow_dispatch"}  # YAML 1.1 reads `on` as true


def test_a_pull_request_gets_its_plan_as_a_comment(promptrun: Command, machine: Machine) -> None:
    init(promptrun, machine, "github")
    assert steps(machine, "plan")["install"]["run"] == "python -m pip install promptrun"
    assert github(machine, "plan", "validate").returncode == 0
    done = github(machine, "plan", "plan")
    assert done.returncode == 0, done.stderr
    comment = machine.home / "runner" / "plan.md"
    assert "first-job: 6 requests" in comment.read_text(encoding="utf-8")
    assert github(machine, "plan", "comment", NUMBER="17", GH_TOKEN="none").returncode == 0
    assert machine.asked("gh") == [f"pr comment 17 --body-file {comment} --edit-last --create-if-none"]
    assert machine.server.bodies == []


def test_a_wrong_spec_fails_the_pull_request(promptrun: Command, machine: Machine) -> None:
    init(promptrun, machine, "github")
    (machine.project / "specs" / "first-job.yaml").write_text("modl: x\n", encoding="utf-8")
    assert github(machine, "plan", "validate").returncode == 2
    assert github(machine, "plan", "plan").returncode == 2


def test_the_workflow_runs_the_job_and_comes_back_later_when_told_to(promptrun: Command, machine: Machine) -> None:
    init(promptrun, machine, "github")
    machine.server.behaviour = later_first
    done = github(machine, "run", "run", **machine.server.environment())
    assert done.returncode == 0, done.stderr
    assert machine.asked("sleep") == ["60"]
    assert "::notice::try later (75), in 60 seconds" in done.stdout
    assert [line["status"] for line in machine.results()] == ["ok"] * 6
    assert github(machine, "run", "prune").returncode == 0


def test_the_workflow_fails_with_the_code_and_says_who_acts(promptrun: Command, machine: Machine) -> None:
    init(promptrun, machine, "github")
    machine.server.behaviour = one_bad
    done = github(machine, "run", "run", **machine.server.environment())
    assert done.returncode == 1
    assert "::error::finished, but a check failed (1)" in done.stdout
    assert machine.asked("sleep") == []


# ---------------------------------------------------------------- cron


def crontab(machine: Machine) -> str:
    """The command of the one line, as cron hands it to sh: https://man7.org/linux/man-pages/man5/crontab.5.html"""
    text = (machine.project / "schedule" / "first-job.crontab").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line and not line.startswith("#")]
    times, command = line.split(" ", 5)[:5], line.split(" ", 5)[5]
    assert all(re.fullmatch(r"[0-9*,/-]+", one) for one in times)
    assert not re.search(r"(?<!\\)%", command), "cron ends the command at a bare %"
    installed = re.search(r"code=0; (\S+) specs/", command)
    assert installed is not None
    assert Path(installed[1]).is_absolute(), "cron has a PATH of its own"
    return command.replace("\\%", "%").replace(installed[1], str(machine.bin / "promptrun"))


def test_the_crontab_line_is_silent_when_all_is_well(promptrun: Command, machine: Machine) -> None:
    init(promptrun, machine, "cron")
    done = machine.shell(crontab(machine), cwd=machine.home)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [line["status"] for line in machine.results()] == ["ok"] * 6


def test_the_crontab_line_comes_back_later_when_told_to(promptrun: Command, machine: Machine) -> None:
    init(promptrun, machine, "cron")
    machine.server.behaviour = later_first
    done = machine.shell(crontab(machine), cwd=machine.home)
    assert done.returncode == 0
    assert machine.asked("sleep") == ["600"]
    assert [line["status"] for line in machine.results()] == ["ok"] * 6


def test_the_crontab_line_says_what_has_to_be_done(promptrun: Command, machine: Machine) -> None:
    init(promptrun, machine, "cron")
    machine.server.behaviour = one_bad
    assert "first-job finished, but a check failed" in machine.shell(crontab(machine), cwd=machine.home).stdout
    machine.server.behaviour = lambda server, body, n: error(401, "authentication_error", "no")
    spec = machine.project / "specs" / "first-job.yaml"
    spec.write_text(spec.read_text(encoding="utf-8").replace("max_tokens: 300", "max_tokens: 301"), encoding="utf-8")
    assert "ended with exit code 4" in machine.shell(crontab(machine), cwd=machine.home).stdout


# ---------------------------------------------------------------- systemd


def unit(machine: Machine, name: str) -> dict[str, str]:
    """The settings of a unit file, with `%h` and `%%` replaced as systemd does."""
    text = (machine.project / "schedule" / name).read_text(encoding="utf-8")
    pairs = [line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#")]
    return {key: value.replace("%h", str(machine.home)).replace("%%", "%") for key, _, value in pairs}


def start(machine: Machine) -> int:
    """ExecStart in its folder with its environment file; returns the exit code."""
    settings = unit(machine, "first-job.service")
    lines = Path(settings["EnvironmentFile"]).read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines)
    program, *words = shlex.split(settings["ExecStart"])
    assert Path(program).is_absolute(), "systemd wants the path of the program"
    command = shlex.join([str(machine.bin / "promptrun"), *words])
    return machine.shell(command, cwd=Path(settings["WorkingDirectory"]), **given).returncode


def test_the_service_runs_the_job_and_is_started_again_for_75_alone(promptrun: Command, machine: Machine) -> None:
    init(promptrun, machine, "systemd")
    machine.server.behaviour = later_first
    settings = unit(machine, "first-job.service")
    assert start(machine) == 75 == int(settings["RestartForceExitStatus"])
    assert settings["Restart"] == "no"
    assert start(machine) == 0
    assert [line["status"] for line in machine.results()] == ["ok"] * 6
    assert unit(machine, "first-job.timer")["OnCalendar"]


@pytest.mark.parametrize(
    ("code", "word"), [(1, "a check failed"), (3, "limit"), (4, "account"), (75, "later"), (0, "")]
)
def test_the_service_says_what_an_exit_code_means(code: int, word: str, promptrun: Command, machine: Machine) -> None:
    init(promptrun, machine, "systemd")
    after = unit(machine, "first-job.service")["ExecStopPost"].replace("$$", "$")
    done = machine.shell(after, EXIT_STATUS=str(code))
    assert done.returncode == 0
    assert word in done.stdout
    assert bool(done.stdout) == bool(word)


def test_systemd_takes_the_units(promptrun: Command, machine: Machine) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here")
    init(promptrun, machine, "systemd")
    folder = machine.project / "schedule"
    service = folder / "first-job.service"
    text = service.read_text(encoding="utf-8")
    there = re.sub(r"^ExecStart=(\"[^\"]+\"|\S+)", f"ExecStart={machine.bin / 'promptrun'}", text, flags=re.MULTILINE)
    service.write_text(there, encoding="utf-8")
    units = [str(service), str(folder / "first-job.timer")]
    done = machine.shell(shlex.join([analyze, "verify", "--user", *units]), XDG_RUNTIME_DIR=str(machine.home))
    assert done.returncode == 0, done.stderr
    assert "first-job" not in done.stderr, done.stderr
