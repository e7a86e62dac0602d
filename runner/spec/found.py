"""One thing a schema does not allow, before it has a place in a text; and which of them only follow from others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runner.spec.document import Path, path_text


@dataclass(frozen=True, slots=True)
class Found:
    """rule, what, next: as in `errors.Problem`. at_key: the key is to blame, not its value.

    names: the keys that are missing, or that an unknown one resembles.
    """

    rule: str
    what: str
    path: Path = ()
    next: str = ""
    at_key: bool = False
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        """On one line, for a value that was rendered or read: how it is quoted in YAML does not matter then."""
        near = f"; {self.next}" if self.next.startswith("did you mean") else ""
        return f"`{path_text(self.path)}`: {self.what}{near}"


def causes(found: Iterable[Found]) -> list[Found]:
    """Each thing once, without those that only follow from another one."""
    distinct = list(dict.fromkeys(found))
    reasons = [one for one in distinct if one.at_key or one.path[-1:] == ("type",)]  # few, where thousands are wrong
    return [one for one in distinct if not any(_follows(one, other) for other in reasons if other is not one)]


def _follows(one: Found, other: Found) -> bool:
    return _in_foreign_block(one, other) or _is_misspelled(one, other)


def _in_foreign_block(one: Found, other: Found) -> bool:
    """The block around `one` is of a kind that is not ours, whatever else is wrong with it."""
    block = other.path[:-1]
    of_its_kind = other.rule in ("not-in-version", "not-allowed") and other.path[-1:] == ("type",)
    return of_its_kind and one.path[: len(block)] == block


def _is_misspelled(one: Found, other: Found) -> bool:
    """`one` misses a key that is there under a wrong name."""
    missing = one.rule in ("missing-key", "one-of") and other.at_key and other.path[:-1] == one.path
    return missing and bool(set(other.names) & set(one.names))
