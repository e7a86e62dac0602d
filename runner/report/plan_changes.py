"""What a plan changes against earlier runs, in words: for `plan`, and for the start of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from runner.prompts.changes import Change, Changes
from runner.report.words import count, one_line

FEW: Final = 50
"""With more changes than this, naming the first of them says little."""


def changes_lines(changes: Changes | None) -> list[str]:
    """Lines of the plan; none when there is nothing to compare with."""
    if changes is None:
        return []
    if changes.goes_on:
        return [f"  {_sums(changes, reasons=False)}", f"  goes on with the unfinished run {changes.goes_on}"]
    lines = [f"  {_sums(changes)}"]
    if changes.gone and changes.newest:
        verb = "is" if changes.gone == 1 else "are"
        lines.append(f"  {count(changes.gone, 'request')} of run {changes.newest.run} {verb} gone")
    return [*lines, *(f"    {line}" for line in _named(changes))]


def start_text(changes: Changes | None) -> str:
    """What is said before anything is sent: a line on what is sent, and one before it when the plan is not that of the
    newest run.

    Empty when there is nothing to compare with, or a run of this very plan goes on.
    """
    newest = changes.newest if changes else None
    if changes is None or newest is None or changes.goes_on:
        return ""
    if newest.same:
        return _sums(changes)
    unfinished = "" if newest.finished else ", which is unfinished"
    changed = f"the plan changed since run {newest.run}{unfinished}: {_difference(changes)}; a new run starts"
    return f"{changed}\n{_sums(changes, reasons=False)}"


def changes_json(changes: Changes | None) -> dict[str, Any] | None:
    """None when there is nothing to compare with. why: a list, since several parts may change at once."""
    if changes is None:
        return None
    counts = ("new", "changed", "again", "reused", "identical", "answered", "sent", "gone", "goes_on")
    return {
        "since": changes.newest.run if changes.newest else None,
        **{name: getattr(changes, name) for name in counts},
        "why": [{"parts": list(parts), "requests": requests} for parts, requests in changes.why.items()],
        "first_new": [_change_json(one) for one in changes.first_new],
        "first_changed": [_change_json(one) for one in changes.first_changed],
    }


def _change_json(change: Change) -> dict[str, Any]:
    return {"id": change.id, "cell": dict(change.cell), "repeat": change.repeat, "parts": list(change.parts)}


def _sums(changes: Changes, *, reasons: bool = True) -> str:
    """`313 to send: 1 new, 312 changed (system); 999 reused (0 sent again), 3 identical`."""
    asked = [*_asked(changes)] if reasons else []
    if changes.again:
        asked.append(f"{changes.again:,} without an answer that may be used again")
    others = [
        f"{number:,} {word}"
        for number, word in (
            (changes.reused, "reused (0 sent again)"),
            (changes.identical, "identical"),
            (changes.answered, "answered already"),
        )
        if number
    ]
    what = f": {', '.join(asked)}" if asked else ""
    return "; ".join([f"{changes.sent:,} to send{what}", *([", ".join(others)] if others else [])])


def _asked(changes: Changes) -> Iterator[str]:
    if changes.new:
        yield f"{changes.new:,} new"
    if changes.changed:
        yield f"{changes.changed:,} changed ({_why(changes.why)})"


def _why(why: Mapping[tuple[str, ...], int]) -> str:
    """`system`, or `300 system, 12 prompt + parameters` when there is more than one reason."""
    if len(why) == 1:
        return _parts(next(iter(why)))
    return ", ".join(f"{requests:,} {_parts(parts)}" for parts, requests in why.items())


def _parts(parts: Sequence[str]) -> str:
    return " + ".join(parts) or "reason unknown"


def _difference(changes: Changes) -> str:
    """`312 requests changed (system), 5 new, 2 gone`."""
    said = [f"{count(changes.changed, 'request')} changed ({_why(changes.why)})"] if changes.changed else []
    said += [f"{changes.new:,} new"] if changes.new else []
    said += [f"{changes.gone:,} gone"] if changes.gone else []
    if said:
        return ", ".join(said)
    back = ", or what changed is again as an earlier run had it" if changes.reused else ""
    return f"other rows were chosen, or they stand in another order{back}"


def _named(changes: Changes) -> Iterator[str]:
    """The first requests by name, when they are few enough to mean something."""
    for kind, total, first in (
        ("changed", changes.changed, changes.first_changed),
        ("new", changes.new, changes.first_new),
    ):
        if not 0 < total <= FEW:
            continue
        for one in first:
            parts = f": {_parts(one.parts)}" if one.parts else ""
            yield f"{kind:<7}  {_place(one)}{parts}"
        if total > len(first):
            yield f"{kind:<7}  … and {total - len(first):,} more"


def _place(change: Change) -> str:
    """`T-17 (model: claude-haiku-5-5, repeat 1)`."""
    beside = [one_line(f"{name}: {value}", 40) for name, value in change.cell.items()]
    beside += [f"repeat {change.repeat}"] if change.repeat else []
    id = one_line(change.id, 80)
    return f"{id} ({', '.join(beside)})" if beside else id
