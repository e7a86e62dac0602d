"""How numbers, money and times are written for people."""

from __future__ import annotations

from collections.abc import Sequence

from runner.models.dollars import dollars


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 row`, `1,200 rows`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def money(usd: float | None) -> str:
    """Dollars: cents from a dollar on, two significant digits below; `unknown` without a price."""
    if usd is None:
        return "unknown"
    return dollars(usd)


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def one_line(text: str, width: int = 100) -> str:
    """The text on one line without control characters, cut to a width."""
    flat = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def printable(text: str) -> str:
    """Text of a reply or a row for a terminal: its lines and tabs stay, escape sequences do not act."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def table(rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """Columns two spaces apart; `right` names those that are aligned right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(widths[at]) if at in right else cell.ljust(widths[at]) for at, cell in enumerate(row)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
