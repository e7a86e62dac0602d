"""Near names for messages: `did you mean …`. Text in, text out; knows nothing about what the names mean."""

from __future__ import annotations

from collections.abc import Iterable


def near_names(name: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """The known names that look like `name`, best first; upper and lower case count as equal."""
    from difflib import get_close_matches  # only ever needed for a message

    by_folded = {one.casefold(): one for one in known}
    return [by_folded[hit] for hit in get_close_matches(name[:100].casefold(), by_folded, n=most, cutoff=0.6)]


def did_you_mean(name: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """``did you mean `a` or `b`?``, or `otherwise` when nothing is near."""
    hits = near_names(name, known)
    return f"did you mean {' or '.join(f'`{hit}`' for hit in hits)}?" if hits else otherwise


def listed(names: Iterable[str], *, most: int = 12) -> str:
    """`` `a`, `b`, `c` ``; the rest as a count."""
    every = list(names)
    text = ", ".join(f"`{name}`" for name in every[:most])
    return f"{text} and {len(every) - most} more" if len(every) > most else text
