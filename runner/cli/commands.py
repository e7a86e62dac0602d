"""The commands by name, and how a word on the command line finds its own.

One module per command, and just the one that was asked for is loaded, so `promptrun --help` and `validate` never pay
for what a run imports.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

from runner import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "run": "validate, plan and run specs",
    "validate": "check specs and every row, offline",
    "plan": "what a run would send, and what it may cost",
    "render": "the exact request bodies, one JSON object a line",
    "show": "a run, or one of its results",
    "runs": "the runs of a job",
    "retry": "send failed requests of a run again",
    "merge": "join the runs of shards into one",
    "prune": "remove old runs of a job",
    "simulate": "serve a Messages API simulator on loopback",
    "init": "write a starting job",
    "schema": "the JSON Schema of specs and outputs",
    "completion": "a completion script for your shell",
}


class Commands(click.Group):
    """Loads `runner.cli.<command>` when it is used, and reads a bare spec as `run`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"runner.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, as_run(args))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            raise click.UsageError(unknown_command(args[0]), ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return super().shell_complete(ctx, incomplete) or [CompletionItem(incomplete, type="file")]


def as_run(args: list[str]) -> list[str]:
    """`promptrun specs/job.yaml …` means `promptrun run specs/job.yaml …`, and so it does after a flag."""
    if args and (is_spec(args[0]) or (args[0].startswith("-") and any(is_spec(arg) for arg in args))):
        return ["run", *args]
    return args


def unknown_command(word: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, COMMANDS, n=1)
    step = f"did you mean `{near[0]}`?" if near else "a spec ends in .yaml or holds a path separator"
    return f"no such command `{word}`; {step}"


def is_spec(argument: str) -> bool:
    """An argument that ends in .yaml/.yml or holds a path separator names a spec."""
    if argument.startswith("-"):
        return False
    return argument.lower().endswith((".yaml", ".yml")) or "/" in argument or "\\" in argument


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example:\n\n  promptrun specs/triage.yaml --simulate",
)
@click.version_option(__version__, "--version", prog_name="promptrun")
def group() -> None:
    """Run batches of prompts on Claude, described in YAML and kept in git.

    `promptrun SPEC` is short for `promptrun run SPEC`.
    """
