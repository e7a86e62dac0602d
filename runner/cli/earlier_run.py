"""What an earlier run was asked with: its words on the command line, its spec, where its results lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.options import Chosen, given_outputs, words_of
from runner.errors import SpecError

if TYPE_CHECKING:
    from runner.planning import PlannedJob


def chosen_by(earlier: Mapping[str, Any], chosen: Chosen) -> Chosen:
    """The selection that an earlier run is of. chosen: what its words say.

    Joined shards have all that was dealt to them; joined runs of other rows have what no one selection would choose.
    """
    merged = earlier.get("merged")
    if not merged:
        return chosen
    shards = all(part["shard"] for part in merged)
    return replace(chosen, shard=None) if shards else replace(chosen, shard=None, limit=None, only=())


def flags_of(words: Sequence[str], spec: Path) -> tuple[Chosen, bool]:
    """The selection flags among the words, and whether it was simulated.

    Raises SpecError for a value that was not kept, and for flags that this version does not have.
    """
    params = run_params(words[1:] if words[:1] == ["run"] else words, spec)
    flags: dict[str, Any] = {field.name: params.get(field.name) for field in fields(Chosen)}
    chosen = Chosen(**flags | {"specs": (spec,)})
    hidden = [word for word in words_of(chosen) if "***" in word]
    if hidden:
        raise SpecError(
            f"the run had the flag value `{hidden[0]}`, and what looks like a credential is never kept",
            next="Run the spec itself again with that value; what is answered already is not sent again.",
            rule="run",
        )
    return chosen, bool(params.get("simulate"))


def run_params(words: Sequence[str], spec: Path) -> dict[str, Any]:
    """The words as `promptrun run` reads them; without words (the run was started from Python) only the spec."""
    from runner.cli.run import command as run_command

    try:
        return run_command.make_context("run", list(words) or [str(spec)]).params
    except click.UsageError as error:
        raise SpecError(
            f"the flags of that run cannot be read: {error.format_message()}",
            next="Run the spec itself with the flags you want; what is answered already is not sent again.",
            rule="run",
        ) from error


def spec_of(earlier: Mapping[str, Any], folder: Path, words: Sequence[str]) -> Path:
    """Where the spec is today: in the project that the results lie in, in the one around us, or where it was typed."""
    from runner.spec.paths import project_root

    kept = earlier["spec"]["path"]
    roots = [outputs_of(folder, earlier, None), None]
    places = [root.parent / kept for root in roots if root is not None]
    places.append(project_root(Path.cwd() / "spec.yaml") / kept)
    places += [Path(word) for word in words if Path(word).name == Path(kept).name]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise SpecError(
            f"the spec of this run, `{kept}`, is not here",
            next="Run this command in the project that the spec belongs to.",
            rule="run",
        )
    return near(found)


def near(path: Path) -> Path:
    """Relative to the working directory when it lies below it: shorter to read, and to type."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path


def outputs_of(folder: Path, earlier: Mapping[str, Any], output_dir: Path | None) -> Path | None:
    """The outputs folder that the run lies in; for a run that was moved elsewhere, what the flags say."""
    if folder.parent.name != earlier["job"]:
        return given_outputs(output_dir)
    above = folder.parent.parent
    return above.parent if above.name == "simulated" else above


def refuse_other_job(planned: PlannedJob, earlier: Mapping[str, Any]) -> None:
    if planned.job.name != earlier["job"]:
        raise SpecError(
            f"`{planned.job.path}` is now named `{planned.job.name}`; the run is one of `{earlier['job']}`",
            next="Run the spec itself, or give it its old name.",
            rule="run",
        )


def good(earlier: Mapping[str, Any]) -> bool:
    """Whether the run passed its checks."""
    from runner.spec.checks import checks_spec

    counts = earlier["counts"]
    return bool(counts) and checks_spec(earlier.get("checks")).passed(counts["good"], earlier["plan"]["requests"])
