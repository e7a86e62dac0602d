"""What `retry` reads out of an earlier run's run.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.cli.earlier_run import chosen_by, flags_of, good, outputs_of, spec_of
from runner.errors import SpecError
from runner.store.run_json import command_of

RUN = "20261122T092811.123Z-7f3a"


def earlier(**changes: Any) -> dict[str, Any]:
    tree = {
        "job": "triage",
        "run": RUN,
        "spec": {"path": "specs/triage.yaml"},
        "sittings": [{"arguments": ["specs/triage.yaml", "--limit", "5"]}, {"arguments": ["other"]}],
        "counts": {"good": 4},
        "plan": {"requests": 5},
    }
    return tree | changes


@pytest.mark.parametrize(
    "words",
    [
        ["specs/a.yaml", "--limit", "5", "--shard", "2/8", "--var", "tone=dry", "--simulate"],
        ["run", "--simulate", "--var", "tone=dry", "specs/a.yaml", "--shard=2/8", "--limit=5"],
        ["specs/b.yaml", "specs/a.yaml", "--quiet", "--simulate", "--limit", "5", "--shard", "2/8", "--var=tone=dry"],
    ],
)
def test_the_flags_are_read_as_run_reads_them(words: list[str]) -> None:
    chosen, simulate = flags_of(words, Path("specs/a.yaml"))
    assert chosen.specs == (Path("specs/a.yaml"),)
    assert (chosen.limit, chosen.shard, chosen.variables, simulate) == (5, (2, 8), ("tone=dry",), True)


def test_flags_that_cannot_be_read_are_never_left_out() -> None:
    with pytest.raises(SpecError, match="--from-a-newer-version"):
        flags_of(["specs/a.yaml", "--from-a-newer-version", "--limit", "5"], Path("specs/a.yaml"))


def test_a_run_that_no_command_line_started() -> None:
    chosen, simulate = flags_of([], Path("specs/a.yaml"))
    assert (chosen.only, chosen.limit, simulate) == ((), None, False)


def test_a_value_that_was_not_kept_cannot_be_repeated() -> None:
    with pytest.raises(SpecError, match=r"token=\*\*\*"):
        flags_of(["specs/a.yaml", "--var", "token=***"], Path("specs/a.yaml"))


def test_a_retry_of_a_retry_follows_the_run_that_was_first() -> None:
    assert command_of(earlier()) == ["specs/triage.yaml", "--limit", "5"]
    retry = {"statuses": ["failed"], "arguments": ["run", "specs/triage.yaml", "--only", "a"]}
    assert command_of(earlier(retry=retry)) == ["run", "specs/triage.yaml", "--only", "a"]


@pytest.mark.parametrize(("shard", "left"), [("1/4", (5, ("a",))), (None, (None, ()))])
def test_joined_runs_are_not_the_selection_of_their_first_part(shard: str | None, left: tuple[object, object]) -> None:
    words = ["specs/triage.yaml", "--limit", "5", "--only", "a", "--shard", "1/4", "--var", "tone=dry"]
    merged = [{"run": RUN, "shard": shard, "arguments": words}, {"run": RUN, "shard": shard, "arguments": ["other"]}]
    joined = earlier(merged=merged, sittings=[{"arguments": ["retry", RUN]}])
    assert command_of(joined) == words
    chosen = chosen_by(joined, flags_of(words, Path("specs/triage.yaml"))[0])
    assert (chosen.shard, chosen.variables) == (None, ("tone=dry",))
    assert (chosen.limit, chosen.only) == left


def test_the_spec_is_looked_for_in_the_project_of_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "outputs" / "simulated" / "triage" / RUN
    (tmp_path / "specs").mkdir()
    (tmp_path / "elsewhere").mkdir()
    spec = tmp_path / "specs" / "triage.yaml"
    spec.write_text("prompt: hi\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert spec_of(earlier(), folder, []).resolve() == spec.resolve()
    monkeypatch.chdir(tmp_path)
    assert spec_of(earlier(), folder, []) == Path("specs/triage.yaml")
    spec.unlink()
    with pytest.raises(SpecError, match=r"`specs/triage.yaml`, is not here"):
        spec_of(earlier(), folder, ["specs/triage.yaml"])


@pytest.mark.parametrize(
    ("folder", "outputs"),
    [
        (f"p/outputs/triage/{RUN}", Path("p/outputs")),
        (f"p/outputs/simulated/triage/{RUN}", Path("p/outputs")),
        (f"artifacts/{RUN}", Path("given")),
    ],
)
def test_the_new_run_goes_where_the_earlier_one_is(folder: str, outputs: Path) -> None:
    assert outputs_of(Path(folder), earlier(), Path("given")) == outputs


def test_a_run_is_as_good_as_its_answers() -> None:
    assert not good(earlier())
    assert good(earlier(counts={"good": 5}))
    assert not good(earlier(counts=None))
    assert good(earlier(checks=[{"ok": ">= 80%"}]))
