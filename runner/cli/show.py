"""`promptrun show`: look at a run, or at one of its results."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from runner.cli.options import output_dir, output_format, outputs_here
from runner.cli.values import utf8


@click.command("show", epilog="Example:\n\n  promptrun show triage@latest T-1042")
@click.argument("run")
@click.argument("row", required=False, type=utf8, metavar="[ID]")
@output_dir
@output_format
def command(run: str, row: str | None, output_dir: Path | None, output: str) -> None:
    """Show a run, or the results of one of its rows.

    RUN is job@latest, job@2 (the second newest), a run id or a folder. ID is a row's id, #731 (the 731st row) or
    L732 (a line of its source).
    """
    from runner.store import find_run

    folder = find_run(outputs_here(output_dir), run)
    click.echo(a_run(folder, output) if row is None else results_of(folder, row, output))


def a_run(folder: Path, output: str) -> str:
    from runner.report.text import show_run_text
    from runner.store import read_run, read_usage

    run, usage = read_run(folder), read_usage(folder)
    if output == "json":
        return orjson.dumps({"run": run, "usage": usage}).decode()
    return show_run_text(run, usage)


def results_of(folder: Path, row: str, output: str) -> str:
    from runner.report.text import show_text
    from runner.store import find_result

    found = find_result(folder, row)
    if output == "json":
        return "\n".join(orjson.dumps(result).decode() for result in found)
    return "\n\n".join(show_text(result) for result in found)
