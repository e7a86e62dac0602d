"""`promptrun render`: what would be sent, byte for byte."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from runner.cli.options import reading_specs, selection, service
from runner.records import Request


@click.command("render", epilog="Example:\n\n  promptrun render specs/triage.yaml --limit 1")
@selection
def command(
    specs: tuple[Path, ...],
    limit: int | None,
    only: tuple[str, ...],
    variables: tuple[str, ...],
    sets: tuple[str, ...],
    allow_paths: tuple[Path, ...],
) -> None:
    """Print the exact request bodies, one JSON object a line.

    Each line is {id, cell, repeat, key, body, betas}. Nothing is sent.
    """
    with reading_specs(
        specs, limit=limit, only=only, variables=variables, sets=sets, allow_paths=allow_paths, service=service()
    ) as planned:
        for one in planned:
            for request in one.requests():
                if request.problem is None:
                    click.echo(rendered(request))


def rendered(request: Request) -> bytes:
    line = {
        "id": request.id,
        "cell": dict(request.cell),
        "repeat": request.repeat,
        "key": request.key,
        "body": orjson.Fragment(request.body),
        "betas": list(request.betas),
    }
    return orjson.dumps(line)
