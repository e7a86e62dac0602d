"""`promptrun retry`: send some requests of an earlier run again, with the flags that run had."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import compress, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.again import Again
from runner.cli.earlier_run import chosen_by, flags_of, good, outputs_of, refuse_other_job, spec_of
from runner.cli.options import Flags, outputs_here, reading_specs, sending, service, words_to_run
from runner.cli.streams import say
from runner.cli.telling import all_warnings, tell_where, warn, warn_of_log
from runner.cli.values import utf8

if TYPE_CHECKING:
    from runner.planning import PlannedJob
    from runner.retrying import Compared, Retry, Rows

STATUSES = ("failed", "invalid", "refused", "tool_use", "truncated")


def read_statuses(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> frozenset[str]:
    """`refused,truncated`, also given twice."""
    found = frozenset(word.strip() for one in value for word in one.split(","))
    wrong = sorted(found - set(STATUSES))
    if wrong:
        raise click.BadParameter(f"`{wrong[0]}` is none of {', '.join(STATUSES)}", ctx, param)
    return found or frozenset({"failed"})


@click.command("retry", epilog="Example:\n\n  promptrun retry triage@latest --status failed,refused")
@click.argument("run")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    callback=read_statuses,
    metavar="STATUS,…",
    help=f"What is sent again: {', '.join(STATUSES)}.  [default: failed]",
)
@click.option(
    "--set", "sets", multiple=True, type=utf8, metavar="KEY=VALUE", help="Set a key of the spec: run.max_cost=5."
)
@sending
def command(run: str, statuses: frozenset[str], sets: tuple[str, ...], flags: Flags) -> int:
    """Send the failed requests of RUN again, or those with another status.

    It starts a new run, of the same spec with the same flags (--var, --set, --only, --limit, --shard, --simulate),
    on today's files. Rows that changed since are named and not sent; all other results are taken over, so that the
    new run is complete. RUN is named as for `promptrun show`.
    """
    from runner.cli.run import require_money, run_all
    from runner.retrying import Retry, compare
    from runner.sitting import RunOptions
    from runner.store import find_run, read_run
    from runner.store.run_json import command_of

    folder = find_run(outputs_here(flags.output_dir), run).resolve()
    earlier = read_run(folder)
    words = command_of(earlier)
    chosen, simulate = flags_of(words, spec_of(earlier, folder, words))
    chosen = replace(chosen_by(earlier, chosen), sets=(*chosen.sets, *sets))
    retry = Retry(folder, earlier["run"], statuses, ("run", *words_to_run(chosen.specs, chosen, simulate=simulate)))
    with reading_specs(chosen, service=service(simulate, chosen.allow_hosts)) as (whole,):
        refuse_other_job(whole, earlier)
        compared = compare(whole, retry)
        tell_compared(compared, retry, earlier, words, quiet=flags.quiet)
        if not compared.sent:
            return 0 if good(earlier) else 1
        with what_is_sent(whole, compared) as planned:
            warn(all_warnings(planned))
            if not simulate:
                tell_where(planned.job.client)
            warn_of_log(os.environ)
            require_money([planned], yes=flags.yes, max_cost=flags.max_cost, simulate=simulate)
            options = RunOptions(
                outputs=outputs_of(folder, earlier, flags.output_dir),
                simulate=simulate,
                concurrency=flags.concurrency,
                max_cost=flags.max_cost,
                arguments=tuple(sys.argv[1:]),
                wait=flags.wait,
                retry=retry,
            )
            again = Again(retry_words(run, earlier["run"], statuses), sets, flags, piped=planned.stdin.used)
            return run_all([planned], options, flags, again)


@contextmanager
def what_is_sent(planned: PlannedJob, compared: Compared) -> Iterator[PlannedJob]:
    """The plan without the rows that are left out; its cost and cache are those of what is sent."""
    from runner.planning import plan_job

    if not compared.left_out:
        yield planned.without(compress(count(), compared.settled))
        return
    selection = replace(planned.options.selection, left_out=frozenset(compared.left_out))
    options = replace(planned.options, selection=selection)
    with plan_job(planned.job.path, options, env=os.environ, stdin=planned.stdin) as rest:
        yield rest.without(compress(count(), compared.settled))


def retry_words(ref: str, run: str, statuses: frozenset[str]) -> Callable[[Path | None], Sequence[str]]:
    """How to name this retry: `job@1` means another run as soon as there is a new one."""
    words = ["retry", run if "@" in ref else ref]
    words += [] if statuses == {"failed"} else ["--status", ",".join(sorted(statuses))]
    return lambda spec: words


def tell_compared(
    compared: Compared, retry: Retry, earlier: Mapping[str, Any], words: Sequence[str], *, quiet: bool
) -> None:
    """What is sent, what is taken over, and what is left out."""
    if not earlier["finished"]:
        say(f"{retry.run} is not finished: `{shlex.join(['promptrun', *words])}` would go on with it instead")
    for rows, what in ((compared.changed, "changed since"), (compared.new, "new since")):
        if rows.count:
            say(rows_text(rows, what))
    if compared.gone:
        say(f"{number(compared.gone, 'result')} of that run belong to no request of today's files")
    if not compared.sent:
        say(f"nothing to send again: no other request of {retry.run} is {' or '.join(sorted(retry.statuses))}")
    elif not quiet:
        say(f"sending {number(compared.sent, 'request')} of {retry.run} again, taking over {compared.taken:,}")


def rows_text(rows: Rows, what: str) -> str:
    ids = ", ".join(f"`{id}`" for id in rows.ids) + (", …" if rows.count > len(rows.ids) else "")
    return f"{number(rows.count, 'row')} {what}, not sent: {ids}\n    Running the spec itself sends what is new."


def number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
