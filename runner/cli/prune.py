"""`promptrun prune`: old runs of a job are removed, and for each that stays it is said why."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.options import output_dir, output_format, outputs_here
from runner.cli.streams import put, say

if TYPE_CHECKING:
    from runner.store.prune import Fate

KEEP = 5


@click.command("prune", epilog="Example:\n\n  promptrun prune triage --keep 10 --dry-run")
@click.argument("job")
@click.option("--keep", type=click.IntRange(min=0), default=KEEP, show_default=True, metavar="N", help="How many stay.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--pin", metavar="RUN", help="Keep RUN whatever happens; removes nothing.")
@click.option("--unpin", metavar="RUN", help="Let RUN go like any other; removes nothing.")
@output_dir
@output_format
def command(
    job: str, keep: int, dry_run: bool, pin: str | None, unpin: str | None, output_dir: Path | None, output: str
) -> None:
    """Remove old runs of JOB.

    What stays: the newest finished runs, the one `JOB@latest` means, runs that are not finished, pinned ones, and
    those with answers that a later run would have to pay for again.
    """
    from runner.engine.clock import RealClock
    from runner.store.files import to_json
    from runner.store.find import job_folder
    from runner.store.lock import all_locks
    from runner.store.prune import prune

    outputs = outputs_here(output_dir)
    if pin or unpin:
        mark(outputs, job, pin, unpin, output)
        return
    folder = job_folder(outputs, job)
    with nullcontext() if dry_run else all_locks(folder, at=RealClock().utc()):  # looking needs no right to write
        fates = prune(folder, keep=keep, dry_run=dry_run)
    for fate in fates:
        put(to_json(fate.to_json()) if output == "json" else fate_text(fate, dry_run=dry_run))
    gone = [fate for fate in fates if not fate.kept]
    verb = "would be removed" if dry_run else "removed"
    say(f"{len(gone):,} of {len(fates):,} runs {verb}, {megabytes(sum(fate.size for fate in gone))}")


def mark(outputs: Path, job: str, to_pin: str | None, to_unpin: str | None, output: str) -> None:
    """Pin one run of the job, or let it go. Raises SpecError for a run of another job."""
    from runner.errors import SpecError
    from runner.store import find_run, read_run
    from runner.store.files import to_json
    from runner.store.prune import pin, unpin

    for ref, change, done in ((to_pin, pin, "pinned"), (to_unpin, unpin, "unpinned")):
        if ref is None:
            continue
        folder = find_run(outputs, ref).resolve()
        run = read_run(folder)
        if run["job"] != job.removeprefix("simulated/"):
            raise SpecError(f"`{ref}` is a run of `{run['job']}`, not of `{job}`", rule="run")
        change(folder)
        fate = {"run": run["run"], "pinned": done == "pinned"}
        put(to_json(fate) if output == "json" else f"{done} {run['run']}")


def fate_text(fate: Fate, *, dry_run: bool) -> str:
    verb = f"kept     {fate.kept}" if fate.kept else ("would go" if dry_run else "removed")
    return f"{fate.run}  {megabytes(fate.size):>9}  {verb}"


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.1f} kB"
