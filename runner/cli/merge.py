"""`promptrun merge`: one run out of those of shards, or of any runs of one job with different rows."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.options import output_dir, output_format, outputs_here
from runner.cli.streams import put, say

if TYPE_CHECKING:
    from runner.store.merge import Part


@click.command("merge", epilog="Example:\n\n  promptrun merge triage@2 triage@1")
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@output_dir
@output_format
@click.option("--quiet", is_flag=True, help="No summary.")
def command(runs: tuple[str, ...], output_dir: Path | None, output: str, quiet: bool) -> int:
    """Join finished runs of one job into a new run with all their rows.

    RUN is job@1, a run id or a folder, which may come from another machine. Of shards, all have to be there; their
    rows go back into the order of the source. Nothing is sent, and the runs that are joined stay as they are.
    """
    from runner.ends import checked
    from runner.engine.clock import RealClock
    from runner.report.text import summary_text
    from runner.spec.checks import checks_spec
    from runner.store import find_run
    from runner.store.files import to_json
    from runner.store.merge import merge_runs, read_parts

    outputs = outputs_here(output_dir)
    parts = read_parts([find_run(outputs, run) for run in runs])
    refuse_other_flags(parts)
    first = parts[0].run
    simulated = parts[0].folder.parent.parent.name == "simulated"
    folder = (outputs / "simulated" if simulated else outputs) / first["job"]
    summary = merge_runs(parts, folder, arguments=sys.argv[1:], clock=RealClock())
    summary = checked(summary, checks_spec(first.get("checks")))
    code = 0 if summary.passed else 1
    put(to_json(summary.to_json() | {"failure": None, "exit_code": code}) if output == "json" else summary.folder)
    if not quiet:
        say(summary_text(summary))
    return code


def refuse_other_flags(parts: list[Part]) -> None:
    """Raises SpecError when the runs were asked for with other variables or settings: their answers do not compare."""
    from runner.cli.earlier_run import flags_of
    from runner.store.merge import cannot
    from runner.store.run_json import command_of

    def flags(part: Part) -> object:
        chosen, _ = flags_of(command_of(part.run), Path(part.run["spec"]["path"]))
        chosen = replace(chosen, shard=None, allow_paths=(), allow_hosts=())
        return chosen if part.run.get("shard") else replace(chosen, only=(), limit=None)

    for part in parts[1:]:
        if flags(part) != flags(parts[0]):
            raise cannot(f"{parts[0].name} and {part.name} were run with other flags", "Run all of them with the same.")
