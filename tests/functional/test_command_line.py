"""What hands type and scripts pass: numbers out of all bounds, empty and very long names, letters the locale has not.

Whatever it is, the command says what is wrong with it, and what it prints for programs stays readable for them.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from harness import Command, json_lines, numbered, write_job

GRUESSE_AS_BYTES = "prompt=Gr\udcc3\udcbc\udcc3\udc9fe {{ word }}"
"""What Python makes of UTF-8 on the command line in a locale that is not UTF-8."""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return write_job(tmp_path, numbered(2))


@pytest.mark.parametrize(
    "words",
    [
        ("--limit", "0"),
        ("--max-cost", "nan"),
        ("--max-cost", "inf"),
        ("--max-cost", "1e300"),
        ("--max-cost", "0"),
        ("--max-cost", "five"),
        ("--concurrency", "99999999999999999999"),
        ("--shard", "9/8"),
        ("--output-dir", ""),
        ("--only", "\udcfc"),
        ("--var", "name=\udcfc"),
        ("--set", "prompt=\udcfc"),
    ],
    ids=lambda words: ascii(" ".join(words)),
)
def test_an_option_that_makes_no_sense_is_named(promptrun: Command, spec: Path, words: tuple[str, str]) -> None:
    done = promptrun("run", spec, "--simulate", *words, cwd=spec.parent)
    assert done.returncode == 2, done.stderr
    assert f"Invalid value for '{words[0]}'" in done.stderr
    assert not (spec.parent / "outputs").exists()


def test_a_limit_beyond_all_bounds_is_none(promptrun: Command, spec: Path) -> None:
    assert "ok, 2 requests" in promptrun.ok("validate", spec, "--limit", "99999999999999999999")


def test_a_simulator_with_a_log_beyond_all_bounds(promptrun: Command) -> None:
    done = promptrun("simulate", "--log-size", "99999999999999999999")
    assert (done.returncode, "Invalid value for '--log-size'" in done.stderr) == (2, True)


def test_values_are_utf_8_whatever_the_locale_is(promptrun: Command, spec: Path) -> None:
    (line, _) = json_lines(promptrun.ok("render", spec, "--set", GRUESSE_AS_BYTES))
    assert line["body"]["messages"][0]["content"] == "Grüße word 0"


def test_a_row_is_found_by_its_id_whatever_the_locale_is(promptrun: Command, tmp_path: Path) -> None:
    spec = write_job(tmp_path, [{"id": "ü", "word": "x"}])
    folder = promptrun.ok(spec, "--simulate", "--quiet", "--only", "\udcc3\udcbc").strip()
    assert "ü" in promptrun.ok("show", folder, "\udcc3\udcbc")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names of files that are not text")
def test_json_is_json_where_a_folder_is_no_text(promptrun: Command, spec: Path) -> None:
    outputs = spec.parent / "out\udcff"
    for arguments in (
        (spec, "--simulate", "--format", "json"),
        ("runs", "--format", "json"),
        ("show", "simulated/job@latest", "--format", "json"),
        ("prune", "simulated/job", "--format", "json"),
    ):
        assert json_lines(promptrun.ok(*arguments, "--output-dir", outputs))


def test_pinning_prints_json_for_who_asks_for_it(promptrun: Command, spec: Path) -> None:
    folder = Path(promptrun.ok(spec, "--simulate", "--quiet").strip())
    for option, pinned in (("--pin", True), ("--unpin", False)):
        words = ("prune", "simulated/job", option, "simulated/job@1", "--format", "json")
        printed = promptrun.ok(*words, cwd=spec.parent)
        assert json.loads(printed) == {"run": folder.name, "pinned": pinned}


@pytest.mark.parametrize("words", [("plan", "SPEC"), ("run", "SPEC", "--simulate"), ("show", "job@1")])
def test_a_place_that_no_path_leads_to(promptrun: Command, spec: Path, words: tuple[str, ...]) -> None:
    named = [str(spec) if word == "SPEC" else word for word in words]
    done = promptrun(*named, "--output-dir", spec.parent / ("x" * 300))
    assert done.returncode == 74, done.stderr
    assert "Name another place" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no folder that a process stands in")
@pytest.mark.parametrize("words", ["runs", "show job@1", "validate SPEC"])
def test_a_current_folder_that_was_removed(process: Command, spec: Path, words: str) -> None:
    (spec.parent / "gone").mkdir()
    command = shlex.join([*process.start_with, *words.replace("SPEC", str(spec)).split()])
    shell = f"cd {shlex.quote(str(spec.parent / 'gone'))} && rmdir ../gone && exec {command}"
    done = subprocess.run(
        ["sh", "-c", shell],
        env=process.environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 74, done.stderr
    assert done.stderr.startswith("the current folder is not there any more")


def test_a_spec_that_is_given_twice(promptrun: Command, spec: Path) -> None:
    done = promptrun("run", spec, f"{spec.parent}/../{spec.parent.name}/{spec.name}", "--simulate")
    assert done.returncode == 2
    assert "given twice" in done.stderr


def test_init_where_nothing_can_be_written_says_what_to_type(promptrun: Command, spec: Path) -> None:
    done = promptrun("init", spec / "below-a-file")
    assert done.returncode == 74
    assert "promptrun init FOLDER" in done.stderr
