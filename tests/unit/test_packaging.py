"""The files around the code say the truth: versions, targets, workflows, generated docs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner import __version__

CHECKOUT = Path(__file__).resolve().parents[2]
TARGETS = {"demo", "test", "lint", "faults", "bench", "docs", "clean"}


def read(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def workflow() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(read(".github/workflows/ci.yml"))
    return loaded


def ran_by(job: dict[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def test_the_workflow_covers_what_is_claimed() -> None:
    jobs = workflow()["jobs"]
    test = jobs["test"]["strategy"]["matrix"]
    assert set(test["os"]) == {"ubuntu-latest", "macos-latest", "windows-latest"}
    assert test["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert jobs["distributions"]["strategy"]["matrix"]["kind"] == ["wheel", "sdist"]
    assert "--simulate" in ran_by(jobs["distributions"])
    assert ".ci/lowest.py" in ran_by(jobs["lowest"])
    assert ".ci/run" in ran_by(jobs["habits"])


def test_ci_runs_the_commands_of_the_readme() -> None:
    script = read(".ci/run")
    steps = [line.removeprefix("step ") for line in script.splitlines() if line.startswith("step make")]
    assert steps == ["make test", "make lint", "make demo"]
    assert "make test" in read("README.md")
    assert "make demo" in read("README.md")


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no executable bit")
def test_ci_run_is_executable() -> None:
    assert os.access(CHECKOUT / ".ci" / "run", os.X_OK)


@pytest.mark.skipif(os.name == "nt" or shutil.which("make") is None, reason="needs make, and paths without a drive")
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_every_target_can_be_made(target: str, tmp_path: Path) -> None:
    # A .venv that is not there: the plan must begin with making it, except to clean.
    done = subprocess.run(
        ["make", "--dry-run", target, f"VENV={tmp_path.as_posix()}/venv"],
        cwd=CHECKOUT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert ("-m venv" in done.stdout) == (target != "clean")


def test_make_help_lists_every_target() -> None:
    makefile = read("Makefile")
    assert set(re.findall(r'@echo "make (\w+) ', makefile)) == TARGETS


def test_lowest_pins_every_direct_dependency() -> None:
    done = subprocess.run(
        [sys.executable, ".ci/lowest.py"], cwd=CHECKOUT, capture_output=True, encoding="utf-8", check=True
    )
    project = tomllib.loads(read("pyproject.toml"))["project"]
    extras = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    direct = [*project["dependencies"], *extras]
    names = {re.split(r"[\[>]", requirement)[0] for requirement in direct}
    pins = done.stdout.split()
    assert len(pins) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9-]+==[0-9.]+", pin) for pin in pins)
    assert "anthropic==2.12" in pins


def test_the_spec_reference_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=CHECKOUT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_changelog_has_a_place_for_the_next_version() -> None:
    assert "## [Unreleased]" in read("CHANGELOG.md")
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


@pytest.mark.parametrize(
    "page",
    sorted(path.relative_to(CHECKOUT).as_posix() for path in [*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")]),
)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    folder = (CHECKOUT / page).parent
    assert [target for target in LINK.findall(read(page)) if not (folder / target).exists()] == []


def test_outputs_are_never_committed() -> None:
    assert read("outputs/.gitignore").split() == ["*", "!.gitignore"]
