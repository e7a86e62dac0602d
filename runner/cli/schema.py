"""`promptrun schema`: the JSON Schemas, for editors and for programs that read our outputs."""

from __future__ import annotations

import click


@click.command("schema", epilog="Example:\n\n  promptrun schema result")
@click.argument("name", type=click.Choice(["job", "result", "run", "usage"]), default="job")
def command(name: str) -> None:
    """Print a JSON Schema: of specs (job) or of what a run writes (result, run, usage)."""
    from runner.spec.schema import schema_text

    click.echo(schema_text(name).rstrip("\n"))
