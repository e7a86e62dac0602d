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
@click.option("--burst-input-tokens", type=click.IntRange(min=1), metavar="N", help="What a full bucket holds of them.")
@click.option(
    "--burst-output-tokens", type=click.IntRange(min=1), metavar="N", help="What a full bucket holds of them."
)
@click.option("--limit-change", metavar="AT:FACTOR", help="Seconds after which every limit becomes FACTOR of itself.")
@click.option(
    "--others", type=click.FloatRange(0, 1, max_open=True), default=0.0, help="Share that somebody else uses."
)
@click.option(
    "--limit-headers",
    type=click.Choice(["end", "start", "none"]),
    default="end",
    show_default=True,
    help="When what remains is counted; or tell nothing.",
)
@click.option("--minute-headers", is_flag=True, help="Headers tell of a minute's worth, whatever a bucket holds.")
@click.option("--retry-after/--no-retry-after", default=True, help="Whether a 429 says how long to wait.")
@click.option("--jitter", type=click.FloatRange(0, 1), default=0.0, help="Share by which latency varies.")
@click.option("--fault-rate", type=click.FloatRange(0, 1), default=0.0, help="Share of requests that fail.")
@click.option("--fault", "faults", multiple=True, metavar="KIND", help="Kinds that come up in turn.")
@click.option("--seed", type=int, default=0, help="Decides which requests fail.")
@click.option(
    "--log-size", type=click.IntRange(1, 10**9), default=10_000, show_default=True, help="Requests in its log."
)
def command(port: int, burst: int | None, faults: tuple[str, ...], limit_change: str | None, **settings: Any) -> None:
    """Serve a simulated Messages API on loopback until Ctrl-C.

    Point any Anthropic client at it with ANTHROPIC_BASE_URL; any API key will do.
    GET /simulator/log tells what was asked and answered.
    """
    from runner.simulator.server import serve

    settings["limit_change"] = changing(limit_change)
    serve(configured(burst, faults, settings), port, on_ready=announcer())


def changing(written: str | None) -> tuple[float, float] | None:
    """`8:0.5` as (8.0, 0.5)."""
    if written is None:
        return None
    try:
        seconds, factor = map(float, written.split(":"))
    except ValueError:
        raise click.BadParameter(
            f"`{written}` is not two numbers such as `8:0.5`", param_hint="--limit-change"
        ) from None
    return seconds, factor


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
