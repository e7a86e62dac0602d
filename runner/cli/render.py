"""`promptrun render`: what would be sent, byte for byte."""

from __future__ import annotations

import click
import orjson

from runner.cli.options import Chosen, reading_specs, selection, service
from runner.cli.telling import all_warnings, warn
from runner.prompts.media_body import whole_body
from runner.records import Request


@click.command("render", epilog="Example:\n\n  promptrun render specs/triage.yaml --limit 1")
@selection
def command(chosen: Chosen) -> None:
    """Print the exact request bodies, one JSON object a line.

    Each line is {id, cell, repeat, key, body, betas}, with the headers of the request where it has some. Nothing is
    sent; where a token from the environment would be, there is `***`. Rows that make no request are named on stderr.
    """
    with reading_specs(chosen, service=service(allow_hosts=chosen.allow_hosts)) as planned:
        for one in planned:
            warn(all_warnings(one))
            for request in one.requests():
                if request.problem is None:
                    click.echo(rendered(request))


def rendered(request: Request) -> bytes:
    line = {
        "id": request.id,
        "cell": dict(request.cell),
        "repeat": request.repeat,
        "key": request.key,
        "body": orjson.Fragment(whole_body(request)),
        "betas": list(request.betas),
    }
    if request.headers:
        line["headers"] = dict(request.headers)
    return orjson.dumps(line)
