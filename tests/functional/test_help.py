"""Every command's help ends in an example, and every example works as it is printed."""

from __future__ import annotations

import re
import shlex
import urllib.request
from pathlib import Path

import pytest
from harness import Command, first_url

COMMANDS = [
    "run",
    "validate",
    "plan",
    "render",
    "show",
    "runs",
    "retry",
    "merge",
    "prune",
    "simulate",
    "init",
    "schema",
    "completion",
]
EXAMPLE = re.compile(r"^\s*(?:[A-Z]+=\S+ )?promptrun (?P<arguments>.+)$", re.MULTILINE)


def examples(help_text: str) -> list[list[str]]:
    _, found, after = help_text.partition("Example")
    assert found, f"no example in:\n{help_text}"
    lines = [shlex.split(match["arguments"], comments=True) for match in EXAMPLE.finditer(after)]
    assert lines, f"no command after `Example` in:\n{help_text}"
    return lines


def test_the_help_lists_every_command(promptrun: Command) -> None:
    listed = promptrun.ok("--help").partition("Commands:")[2]
    assert [line.split()[0] for line in listed.splitlines() if re.match(r"  \w", line)][: len(COMMANDS)] == COMMANDS


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_the_example_in_the_help_works(
    command: str | None, promptrun: Command, process: Command, project: Path
) -> None:
    lines = examples(promptrun.ok(*([command] if command else []), "--help"))
    if command in ("show", "runs", "prune", "retry"):
        promptrun.ok("specs/triage.yaml", "--simulate", cwd=project)
    if command == "merge":
        for shard in ("1/2", "2/2"):
            promptrun.ok("specs/triage.yaml", "--simulate", "--shard", shard, cwd=project)
    for arguments in lines:
        if arguments[0] == "simulate":
            serves_and_stops(process, arguments)
            continue
        done = process(*arguments, cwd=project)
        assert done.returncode == 0, f"promptrun {shlex.join(arguments)}\n{done.stderr}"


def serves_and_stops(promptrun: Command, arguments: list[str]) -> None:
    """The simulator says where it listens, answers there, and ends when told to."""
    server = promptrun.start(*with_free_port(arguments))
    try:
        url = first_url(server)
        with urllib.request.urlopen(f"{url}/simulator/log", timeout=60) as reply:
            assert reply.headers["x-promptrun-simulated"] == "1"
    finally:
        server.terminate()
        server.communicate(timeout=60)


def with_free_port(arguments: list[str]) -> list[str]:
    """The example names a port that may be taken on this machine."""
    words = list(arguments)
    if "--port" in words:
        words[words.index("--port") + 1] = "0"
        return words
    return [*words, "--port", "0"]
