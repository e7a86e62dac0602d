"""What the values of options are made into, and what is said of those that make no sense."""

from __future__ import annotations

import re
from typing import Any

import click

MOST_USD = 1e9


def read_shard(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """`2/8` as (2, 8)."""
    if value is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", value)
    k, of = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= k <= of:
        raise click.BadParameter(f"`{value}` is not a shard; write `2/8` for the second of eight", ctx, param)
    return k, of


def utf8(value: str) -> str:
    """Text that is compared with, or becomes part of, what files hold: UTF-8 whatever the locale is."""
    try:
        return value.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        raise click.BadParameter(f"{value!a} is not text in UTF-8") from None


def dollars(value: str) -> float:
    """US dollars, more than none and no more than sums are exact for."""
    try:
        usd = float(value)
    except ValueError:
        usd = 0.0
    if not 0 < usd <= MOST_USD:
        raise click.BadParameter(f"`{value}` is not a sum in US dollars; write `5` or `0.50`")
    return usd


class OutputFolder(click.Path):
    """A folder with a name: `--output-dir "$UNSET"` would look for earlier answers, and write new ones, here."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("it is empty; write `.` for the current folder", param, ctx)
        return super().convert(value, param, ctx)
