"""Every file under tests/examples: an invalid one breaks the rule in its name, a valid one has no problem at all.

An example says in comments at its top how it is loaded: `# rule:`, and where needed `# set:`, `# var:` and `# only:`
for the command line, and `# plan: true` for rules that only planning finds, `# not on: nt` when a message
depends on the system. A new case is a new file.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from runner.errors import Problem, SpecError
from runner.inputs import Selection
from runner.planning import PlanOptions, plan_job
from runner.records import Request
from runner.spec.load import LoadOptions, load_job
from runner.spec.rules import RULES

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
INVALID = sorted((EXAMPLES / "invalid").glob("*.yaml"))
VALID = sorted((EXAMPLES / "valid").glob("*.yaml"))
TODAY = date(2026, 11, 22)
MOST_SHOWN = 4
ENV = {"TEAM": "support", "DB_PASSWORD": "hunter2", "LEAKED": "sk-ant-api03-0123456789abcdefghijklmnop"}

WITHOUT_EXAMPLE = {
    "file-unreadable": "needs a file that may not be read: tests/unit/spec/test_spec_paths.py",
    "file-too-large": "needs 32 MB: tests/unit/spec/test_spec_paths.py",
    "inline-row": "the YAML reader refuses such values first: tests/unit/inputs",
    "request-too-large": "needs 32 MB: tests/unit/prompts/test_prompts_media.py",
    "source-changed": "needs a file that changes while it is read: tests/unit/inputs",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples in a project of their own, deep enough that no `../` of theirs leaves the temporary folder."""
    root = tmp_path_factory.mktemp("project").joinpath("some", "where", "deep", "down")
    root.mkdir(parents=True)
    (root / "outputs").mkdir()
    (root / "outputs" / ".gitignore").write_text("*\n", encoding="utf-8")
    shutil.copytree(EXAMPLES, root / "examples")
    return root.resolve()


def with_names(text: str, project: Path) -> str:
    """The text without the folders of this machine."""
    for folder, name in (
        (project, "<project>"),
        *((above, f"<{n} above>") for n, above in enumerate(project.parents, 1)),
    ):
        if len(folder.parts) > 2:
            text = text.replace(folder.as_posix(), name).replace(str(folder), name)
    return text


@pytest.mark.parametrize("example", INVALID, ids=lambda path: path.stem)
def test_invalid_example_breaks_its_rule_with_this_message(
    example: Path, project: Path, snapshot: SnapshotAssertion
) -> None:
    head = Head(example)
    if head.skipped:
        pytest.skip(f"the message is another one on {os.name}")
    found = problems_of(project / "examples" / "invalid" / example.name, head)
    assert head.rule in {problem.rule for problem in found}
    assert re.fullmatch(rf"{head.rule}(-\d+)?", example.stem), "the file is named after its rule"
    text = "\n".join(map(str, found))
    assert with_names(text, project) == snapshot


@pytest.mark.parametrize("example", VALID, ids=lambda path: path.stem)
def test_valid_example_has_no_problem_and_asks_this(
    example: Path, project: Path, snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "examples" / "valid")  # paths on stdin are relative to where the command runs
    head = Head(example)
    with plan_job(
        project / "examples" / "valid" / example.name, head.plan_options, env=ENV, stdin=head.stdin
    ) as planned:
        assert [*planned.job.warnings, *planned.plan.problems, *planned.plan.warnings] == []
        requests = list(itertools.islice(planned.requests(), MOST_SHOWN))
    assert "\n".join(map(shown, requests)) == snapshot


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_an_example(rule: str) -> None:
    has_example = any(Head(example).rule == rule for example in INVALID)
    assert has_example != (rule in WITHOUT_EXAMPLE)


def test_every_example_is_of_a_known_rule() -> None:
    assert {Head(example).rule for example in INVALID} - set(RULES) == set()


class Head:
    """The comments at the top of an example."""

    def __init__(self, example: Path) -> None:
        lines = example.read_bytes().decode("utf-8", "replace").splitlines()
        pairs = [
            match.groups()
            for line in lines
            if (match := re.match(r"# (rule|plan|set|var|only|stdin|not on): (.*)", line))
        ]
        self.rule = next((value for key, value in pairs if key == "rule"), "")
        self.plan = ("plan", "true") in pairs
        self.skipped = ("not on", os.name) in pairs
        only = tuple(value for key, value in pairs if key == "only")
        self.load_options = LoadOptions(
            sets=tuple(value for key, value in pairs if key == "set"),
            vars=tuple(value for key, value in pairs if key == "var"),
        )
        self.plan_options = PlanOptions(load=self.load_options, selection=Selection(only=only))
        self.stdin = io.BytesIO("".join(value + "\n" for key, value in pairs if key == "stdin").encode())


def shown(request: Request) -> str:
    cell = json.dumps(dict(request.cell), ensure_ascii=False)
    beside = [f"{name}: {text}" for name, text in request.headers.items()]
    if request.betas:
        beside.append(f"anthropic-beta: {','.join(request.betas)}")
    body = json.dumps(json.loads(request.body), indent=2, ensure_ascii=False)
    return "\n".join([f"{request.id} {cell} {request.repeat}", *beside, body])


def problems_of(spec: Path, head: Head) -> Sequence[Problem]:
    """What loading, and where asked planning, finds: errors and warnings."""
    try:
        if not head.plan:
            return load_job(spec, head.load_options, env=ENV, today=TODAY).warnings
        with plan_job(spec, head.plan_options, env=ENV, stdin=head.stdin) as planned:
            return [*planned.job.warnings, *planned.plan.problems, *planned.plan.warnings]
    except SpecError as error:
        return error.problems
