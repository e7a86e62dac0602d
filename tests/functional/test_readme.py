"""The README is run as it stands: its commands, its job, the output it shows. A stranger types nothing else."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from harness import CHECKOUT, Command, HandServer

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
DEMO = "specs/triage.yaml --simulate"
"""What `make demo` types for you once promptrun is installed."""


def blocks(kind: str) -> list[str]:
    return [match["text"] for match in BLOCK.finditer(README) if match["kind"] == kind]


def commands(block: str) -> list[tuple[str, list[str]]]:
    """Each command of a console block, with the lines of output under it."""
    found: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        else:
            found[-1][1].append(line)
    return found


def same_everywhere(text: str) -> str:
    """Without what differs from run to run and from machine to machine: run ids, times, the way to outputs/."""
    text = text.replace("\\", "/")
    text = re.sub(r"\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{4}", "RUN", text)
    text = re.sub(r"\b[\d.]+ s\b", "TIME", text)
    return re.sub(r"\S*(?=\boutputs/)", "", text)


def test_it_has_blocks_of_no_other_kind() -> None:
    assert {match["kind"] for match in BLOCK.finditer(README)} == {"console", "yaml"}


def test_every_command_works_and_says_what_is_shown(promptrun: Command, project: Path, hand_server: HandServer) -> None:
    for text in blocks("yaml"):
        path = text.partition("\n")[0].removeprefix("# ")
        (project / path).write_text(text, encoding="utf-8")
    for block in blocks("console"):
        environment: dict[str, str] = {}
        for line, shown in commands(block):
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").partition("=")
                environment = {name: value, "ANTHROPIC_BASE_URL": hand_server.url}
            elif line != "make demo" and line.startswith("make "):
                can_be_made(line)
            else:
                done = promptrun(*words(line), cwd=project, env=environment)
                assert done.returncode == expected_code(line), f"{line}\n{done.stderr}"
                said = same_everywhere(done.stdout + done.stderr).splitlines()
                assert [want for want in map(same_everywhere, shown) if want not in said] == [], done.stderr
    assert len(hand_server.bodies) == 6, "the first row, then the others, went to the account"


def words(line: str) -> list[str]:
    if line == "make demo":
        assert f"promptrun {DEMO}" in (CHECKOUT / "Makefile").read_text(encoding="utf-8")
        return shlex.split(DEMO)
    program, *arguments = shlex.split(line)
    assert program in ("promptrun", ".venv/bin/promptrun")
    return arguments


def expected_code(line: str) -> int:
    """The README shows one mistake."""
    return 2 if "hihg" in line else 0


def can_be_made(line: str) -> None:
    """A test can't run all tests; that the target is there, and what CI does with it, it can say."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    done = subprocess.run(
        [*shlex.split(line), "--dry-run"], cwd=CHECKOUT, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"step {line}\n" in (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8")


def test_exit_codes_are_those_of_the_docs() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", README, re.MULTILINE)
    page = (CHECKOUT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    assert [int(code) for code, _ in rows] == [0, 1, 2, 3, 4, 70, 74, 75, 130, 143]
    assert [row for row in rows if f"| {row[0]} | {row[1]} |" not in page] == []


def test_the_two_commands_come_first() -> None:
    first, second = [line for line, _ in commands(blocks("console")[0])]
    assert first == "make demo"
    assert second.startswith(".venv/bin/promptrun ")
