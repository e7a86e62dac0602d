"""What does not send does not pay for the SDK: `import anthropic` takes one to two seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from harness import CHECKOUT, SPECS, Command

TRIAGE = str(SPECS / "triage.yaml")
LOADED = """
import json, sys
from runner.cli import main
try:
    main(sys.argv[2:])
except SystemExit as ended:
    code = ended.code
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump({"code": code, "modules": sorted(sys.modules)}, file)
"""

WITHOUT_ANTHROPIC = [
    ["--help"],
    ["--version"],
    *([command, "--help"] for command in ("run", "validate", "plan", "render", "show", "runs", "simulate", "init")),
    *([command, "--help"] for command in ("retry", "merge", "prune")),
    ["schema", "--help"],
    ["completion", "--help"],
    ["validate", TRIAGE],
    ["plan", TRIAGE],
    ["render", TRIAGE],
    ["schema", "job"],
    ["completion", "bash"],
]


NOT_FOR_A_PLAIN_JOB = {
    "runner.spec.explain": "nothing is wrong with it",
    "runner.spec.output": "it has no output schema",
    "runner.spec.row_overrides": "its rows override nothing",
    "runner.prompts.media": "nothing is attached",
    "runner.prompts.follow": "nothing is sent, so nothing follows",
    "runner.prompts.cap": "it has no cap",
    "runner.prompts.cache_cost": "its caching needs no warning",
    "runner.inputs.readers.files": "its rows are in one file",
    "runner.models.prices": "no price is shown",
    "runner.models.cost": "the same",
    "runner.records.attempts": "nothing is sent",
    "runner.records.results": "the same",
    "runner.records.events": "the same",
    "runner.public": "it is for Python programs",
    "asyncio": "nothing waits for anything",
}
"""What `validate` and `render` of specs/triage.yaml have no use for, and why."""


def loaded(command: Command, arguments: list[str], report: Path) -> set[str]:
    """The modules that this command imported before it ended well."""
    subprocess.run(
        [sys.executable, "-c", LOADED, str(report), *arguments],
        env=command.environment,
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    told = json.loads(report.read_text(encoding="utf-8"))
    assert told["code"] in (0, None)
    return set(told["modules"])


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize("arguments", WITHOUT_ANTHROPIC, ids=lambda words: "-".join(Path(word).name for word in words))
def test_never_imports_anthropic(arguments: list[str], promptrun: Command, tmp_path: Path) -> None:
    modules = loaded(promptrun, arguments, tmp_path / "loaded.json")
    roots = packages(modules)
    assert not roots & {"anthropic", "aiohttp"}
    if arguments in (["validate", TRIAGE], ["render", TRIAGE]):
        assert not modules & NOT_FOR_A_PLAIN_JOB.keys()
    if arguments[0] != "plan":  # a plan shows prices, and the price table has an HTTP client with it
        assert not roots & {"genai_prices", "httpx2", "pydantic"}


def test_show_and_runs_never_import_anthropic(promptrun: Command, tmp_path: Path) -> None:
    promptrun.ok(SPECS / "capitals.yaml", "--simulate", "--limit", "2", "--output-dir", tmp_path)
    run = str(next((tmp_path / "simulated" / "capitals").glob("*/run.json")).parent)
    outputs = ["--output-dir", str(tmp_path)]
    looks = (["show", run], ["show", run, "bo"], ["runs", "capitals", *outputs], ["prune", "capitals", *outputs])
    for arguments in looks:
        roots = packages(loaded(promptrun, arguments, tmp_path / "loaded.json"))
        assert not roots & {"anthropic", "aiohttp", "httpx2", "pydantic"}, arguments


BEFORE_SIGNALS = "import sys; sys.path.insert(0, sys.argv[1]); import runner.cli; print(*sys.modules)"


def test_next_to_nothing_is_loaded_before_signals_have_their_meaning() -> None:
    """Ctrl-C during an import is a traceback until then."""
    words = [sys.executable, "-I", "-S", "-c", BEFORE_SIGNALS, str(CHECKOUT)]
    loaded = subprocess.run(words, capture_output=True, encoding="utf-8", check=True).stdout.split()
    assert {"runner.cli.early"} <= set(loaded)
    assert not {"typing", "re", "click", "pathlib"} & set(loaded)
