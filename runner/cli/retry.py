"""`promptrun retry`: send some requests of an earlier run again, with the flags that run had."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from itertools import compress, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.options import (
    Chosen,
    all_warnings,
    given_outputs,
    outputs_here,
    reading_specs,
    sending,
    service,
    tell_where,
    warn,
    warn_of_log,
    words_of,
)
from runner.cli.streams import say
from runner.errors import SpecError

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
@sending
def command(
    run: str,
    statuses: frozenset[str],
    wait: bool,
    concurrency: int | None,
    max_cost: float | None,
    yes: bool,
    output_dir: Path | None,
    output: str,
    log_file: Path | None,
    quiet: bool,
) -> int:
    """Send the failed requests of RUN again, or those with another status.

    It starts a new run, of the same spec with the same flags (--var, --set, --only, --limit, --shard, --simulate),
    on today's files. Rows that changed since are named and not sent; all other results are taken over, so that the
    new run is complete. RUN is named as for `promptrun show`.
    """
    from runner.cli.run import require_money, run_all
    from runner.retrying import Retry, compare
    from runner.sitting import RunOptions
    from runner.store import find_run, read_run

    folder = find_run(outputs_here(output_dir), run).resolve()
    earlier = read_run(folder)
    words = run_words(earlier)
    chosen, simulate = flags_of(words, spec_of(earlier, folder, words))
    again = ("run", *map(str, chosen.specs), *(["--simulate"] if simulate else []), *words_of(chosen))
    retry = Retry(folder, earlier["run"], statuses, again)
    with reading_specs(chosen, service=service(simulate)) as (whole,):
        refuse_other_job(whole, earlier)
        compared = compare(whole, retry)
        tell_compared(compared, retry, earlier, words, quiet=quiet)
        if not compared.sent:
            return 0 if good(earlier) else 1
        with what_is_sent(whole, compared) as planned:
            warn(all_warnings(planned))
            if not simulate:
                tell_where(planned.job.client)
            warn_of_log(os.environ)
            require_money([planned], yes=yes, max_cost=max_cost, simulate=simulate)
            options = RunOptions(
                outputs=outputs_of(folder, earlier, output_dir),
                simulate=simulate,
                concurrency=concurrency,
                max_cost=max_cost,
                arguments=typed(run, earlier["run"], statuses, output_dir),
                wait=wait,
                retry=retry,
            )
            return run_all([planned], options, quiet=quiet, output=output, log_file=log_file)


# ---------------------------------------------------------------- what the earlier run was


def run_words(earlier: Mapping[str, Any]) -> list[str]:
    """The words of the run command that the earlier run was, or repeated."""
    if earlier.get("retry"):
        return list(earlier["retry"]["arguments"])
    return list(earlier["sittings"][0]["arguments"])


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


# ---------------------------------------------------------------- what is done now


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


def typed(ref: str, run: str, statuses: frozenset[str], output_dir: Path | None) -> tuple[str, ...]:
    """The command that goes on with this retry: `job@1` means another run as soon as there is a new one."""
    words = ["retry", run if "@" in ref else ref]
    words += [] if statuses == {"failed"} else ["--status", ",".join(sorted(statuses))]
    return (*words, *(["--output-dir", str(output_dir)] if output_dir else []))


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
