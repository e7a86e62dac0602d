"""`promptrun simulate`: the simulator alone, for any Anthropic client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from runner.cli.streams import say


@click.command("simulate", epilog="Example:\n\n  promptrun simulate --port 8083 --requests-per-minute 60")
@click.option("--port", type=click.IntRange(0, 65535), default=8083, show_default=True, help="0 takes a free one.")
@click.option("--latency", type=click.FloatRange(min=0), default=0.2, show_default=True, help="Seconds per reply.")
@click.option("--requests-per-minute", type=click.IntRange(min=1), metavar="N", help="Limit per model.")
@click.option("--input-tokens-per-minute", type=click.IntRange(min=1), metavar="N", help="Limit per model.")
@click.option("--output-tokens-per-minute", type=click.IntRange(min=1), metavar="N", help="Limit per model.")
@click.option("--burst", type=click.IntRange(min=1), metavar="N", help="Requests a full bucket holds.")
@click.option("--fault-rate", type=click.FloatRange(0, 1), default=0.0, help="Share of requests that fail.")
@click.option("--fault", "faults", multiple=True, metavar="KIND", help="Kinds that come up in turn.")
@click.option("--seed", type=int, default=0, help="Decides which requests fail.")
def command(port: int, burst: int | None, faults: tuple[str, ...], **settings: Any) -> None:
    """Serve a simulated Messages API on loopback until Ctrl-C.

    Point any Anthropic client at it with ANTHROPIC_BASE_URL; any API key will do.
    GET /simulator/log tells what was asked and answered.
    """
    from runner.simulator.server import serve

    serve(configured(burst, faults, settings), port, on_ready=announcer())


def configured(burst: int | None, faults: tuple[str, ...], settings: dict[str, Any]) -> Any:
    from runner.simulator.config import RETRYABLE_KINDS, SimulatorConfig

    try:
        return SimulatorConfig(burst_requests=burst, fault_kinds=faults or RETRYABLE_KINDS, **settings)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def announcer() -> Callable[[str], None]:
    def announce(url: str) -> None:
        click.echo(url)
        say(f"Simulating. Try: ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY=any promptrun SPEC")

    return announce
