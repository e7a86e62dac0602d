"""The built wheel in an empty environment, outside the checkout: what a user gets from `pip install`."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from harness import CHECKOUT, Command, clean_environment, read_lines


def pip(*words: str | Path, python: str | Path = sys.executable) -> None:
    done = subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", *map(str, words)],
        capture_output=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode and any(word in done.stderr for word in NO_NETWORK):
        pytest.skip("no network: pip cannot reach a package index")
    assert done.returncode == 0, done.stderr


NO_NETWORK = ("NewConnectionError", "NameResolutionError", "Connection refused", "Temporary failure in name resolution")


@pytest.fixture
def installed(tmp_path: Path) -> Command:
    """promptrun from its wheel, in an environment that holds nothing else."""
    pip("wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path / "wheels", CHECKOUT)
    (wheel,) = (tmp_path / "wheels").glob("promptrun-*.whl")
    venv.create(tmp_path / "env", with_pip=False, symlinks=os.name != "nt")
    scripts = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    pip("--python", tmp_path / "env", "install", "--quiet", "--no-compile", wheel)  # Python compiles what it uses
    (tmp_path / "elsewhere").mkdir()
    return Command(clean_environment(tmp_path), cwd=tmp_path / "elsewhere", start_with=(str(scripts / "promptrun"),))


def test_init_and_the_job_it_made(installed: Command) -> None:
    installed.ok("init", "first")
    installed.ok("validate", "first/specs/first-job.yaml")
    printed = installed.ok("first/specs/first-job.yaml", "--simulate")
    folder = installed.cwd / printed.strip()

    assert folder.is_relative_to(installed.cwd / "first" / "outputs" / "simulated" / "first-job")
    results = read_lines(folder / "results.jsonl")
    assert results
    assert all(line["good"] for line in results)
    for name in ("job", "result", "run", "usage"):
        schema = (CHECKOUT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
        assert installed.ok("schema", name).strip() == schema.strip()
