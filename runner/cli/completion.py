"""`promptrun completion`: click's own completion scripts."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion", epilog="Example:\n\n  promptrun completion bash")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print a completion script; load it with `eval "$(promptrun completion bash)"`."""
    from runner.cli.commands import group

    complete = get_completion_class(shell)
    if complete is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(complete(group, {}, "promptrun", "_PROMPTRUN_COMPLETE").source())
