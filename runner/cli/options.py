"""Options that several commands share, and what they mean to the layers below."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.values import OutputFolder, dollars, read_shard, utf8

if TYPE_CHECKING:
    from runner.planning import PlannedJob
    from runner.spec.job import JobSpec


SELECTION = (
    click.argument("specs", nargs=-1, required=True, type=click.Path(path_type=Path)),
    click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N rows."),
    click.option(
        "--only", multiple=True, type=utf8, metavar="ID", help="Only this row (again for more): an id, #731 or L732."
    ),
    click.option("--shard", callback=read_shard, metavar="K/N", help="Every Nth of those rows from the Kth on: 2/8."),
    click.option(
        "--var", "variables", multiple=True, type=utf8, metavar="NAME=VALUE", help="Set a variable of the spec."
    ),
    click.option(
        "--set", "sets", multiple=True, type=utf8, metavar="KEY=VALUE", help="Set a key of the spec: run.concurrency=5."
    ),
    click.option(
        "--allow-path",
        "allow_paths",
        multiple=True,
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Let the spec read files under DIR too.",
    ),
    click.option(
        "--allow-host",
        "allow_hosts",
        multiple=True,
        metavar="HOST",
        help="Let `client` in the spec send requests to HOST.  [env: PROMPTRUN_ALLOW_HOSTS]",
    ),
)


output_dir = click.option(
    "--output-dir",
    type=OutputFolder(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where results go, instead of outputs/ at the project's root.  [env: PROMPTRUN_OUTPUT_DIR]",
)
output_format = click.option(
    "--format", "output", type=click.Choice(["text", "json"]), default="text", help="What stdout gets."
)


SENDING = (
    click.option("--wait", is_flag=True, help="Wait while another process runs this job."),
    click.option("--concurrency", type=click.IntRange(1, 1000), metavar="N", help="Requests in flight at once."),
    click.option("--max-cost", type=dollars, metavar="USD", help="Cap what it all costs."),
    click.option("--yes", is_flag=True, help="Do not ask, however much `run.confirm_above` would have asked about."),
    output_dir,
    output_format,
    click.option(
        "--log-file",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Append a JSON line for each attempt and result to FILE.",
    ),
    click.option("--quiet", is_flag=True, help="No progress and no summary."),
)
"""What commands that send take."""


@dataclass(frozen=True)
class Flags:
    """The options of `SENDING`, as typed."""

    wait: bool = False
    concurrency: int | None = None
    max_cost: float | None = None
    yes: bool = False
    output_dir: Path | None = None
    output: str = "text"
    log_file: Path | None = None
    quiet: bool = False

    def words(self) -> list[str]:
        """As they could be typed."""
        words = ["--wait"] if self.wait else []
        words += ["--concurrency", str(self.concurrency)] if self.concurrency else []
        words += ["--max-cost", plain_number(self.max_cost)] if self.max_cost is not None else []
        words += ["--yes"] if self.yes else []
        words += ["--output-dir", str(self.output_dir)] if self.output_dir else []
        words += ["--format", self.output] if self.output != "text" else []
        words += ["--log-file", str(self.log_file)] if self.log_file else []
        return [*words, "--quiet"] if self.quiet else words


def sending(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the command the options of `SENDING` as one `Flags`, its argument `flags`."""
    return gathered(function, SENDING, Flags, "flags")


def gathered(
    function: Callable[..., Any], decorators: Sequence[Callable[..., Any]], record: type, name: str
) -> Callable[..., Any]:
    """The command with these click options and arguments, which it gets as one record in its argument `name`."""

    @wraps(function)
    def command(**arguments: Any) -> Any:
        made = record(**{field.name: arguments.pop(field.name) for field in fields(record)})
        return function(**arguments, **{name: made})

    for decorate in reversed(decorators):
        command = decorate(command)
    return command


@dataclass(frozen=True)
class Chosen:
    """SPEC… and the flags that choose and change what is run, as typed."""

    specs: tuple[Path, ...]
    limit: int | None
    only: tuple[str, ...]
    shard: tuple[int, int] | None
    variables: tuple[str, ...]
    sets: tuple[str, ...]
    allow_paths: tuple[Path, ...]
    allow_hosts: tuple[str, ...]


def selection(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the command SPEC… and the selection flags as one `Chosen`, its argument `chosen`."""
    return gathered(function, SELECTION, Chosen, "chosen")


def words_of(chosen: Chosen) -> list[str]:
    """The selection flags as they could be typed, without the specs."""
    words = ["--limit", str(chosen.limit)] if chosen.limit else []
    words += ["--shard", "/".join(map(str, chosen.shard))] if chosen.shard else []
    for option, values in (
        ("--only", chosen.only),
        ("--var", chosen.variables),
        ("--set", chosen.sets),
        ("--allow-path", chosen.allow_paths),
        ("--allow-host", chosen.allow_hosts),
    ):
        for value in values:
            words += [option, str(value)]
    return words


def words_to_run(specs: Sequence[Path], chosen: Chosen, *, simulate: bool) -> list[str]:
    """The words after `promptrun` that run these specs; `run` is said where a spec is not known for one by its name."""
    from runner.cli.commands import is_spec

    names = [str(spec) for spec in specs]
    said = [] if is_spec(names[0]) else ["run"]
    return [*said, *names, *(["--simulate"] if simulate else []), *words_of(chosen)]


def plain_number(number: float) -> str:
    """Without an exponent, and `5` for 5.0."""
    return f"{number:.12f}".rstrip("0").rstrip(".")


def given_outputs(output_dir: Path | None) -> Path | None:
    """`--output-dir`, else what the environment says (`paths.outputs_asked`)."""
    from runner.spec.paths import outputs_asked

    return outputs_asked(output_dir, os.environ)


def outputs_here(output_dir: Path | None) -> Path:
    """The outputs of the project the current directory belongs to, for commands that take no spec."""
    from runner.spec.paths import project_root

    return given_outputs(output_dir) or project_root(Path.cwd() / "spec.yaml") / "outputs"


@contextmanager
def reading_specs(
    chosen: Chosen, *, service: str, kept: Callable[[JobSpec], Iterable[Path]] | None = None
) -> Iterator[list[PlannedJob]]:
    """Load and plan every spec; all problems of all specs are raised together. kept: as in `PlanOptions`."""
    from runner.inputs import Selection, Shard
    from runner.planning import PlanOptions, plan_jobs
    from runner.spec.load import LoadOptions

    shard = Shard(*chosen.shard) if chosen.shard else None
    options = PlanOptions(
        load=LoadOptions(
            sets=chosen.sets,
            vars=chosen.variables,
            allow_paths=chosen.allow_paths,
            allow_hosts=chosen.allow_hosts,
        ),
        selection=Selection(only=chosen.only, limit=chosen.limit, shard=shard),
        service=service,
        kept=kept or (lambda job: ()),
    )
    with plan_jobs(chosen.specs, options, env=os.environ, stdin=sys.stdin.buffer) as planned:
        yield planned


def service(simulate: bool = False, allow_hosts: Sequence[str] = ()) -> str:
    """Whom this command asks (`planning.service_asked`)."""
    from runner.planning import service_asked

    return service_asked(os.environ, allow_hosts, simulate=simulate)
