"""Everything that can be wrong, said in three parts: where, what, what to do next.

Stdlib only. Nothing here prints or exits: `runner.cli` is the one place that turns these exceptions
into text on stderr and an exit code. A problem of one row or one request is a value
(`Problem`, `records.Failure`); a job that cannot go on is an exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text file: `line` and `column` are 1-based; 0 means the whole file (or line)."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong (or, as a warning, probably unwise) with what the user wrote.

    rule: a stable slug such as `unknown-key`; each has an example file under tests/examples/invalid.
    path: the place in the document as the author would write it, `messages[0].role`; "" when there is none.
    next: one imperative sentence; "" when the `what` says it already.
    """

    rule: str
    what: str
    where: Position | None = None
    path: str = ""
    next: str = ""
    severity: Literal["error", "warning"] = "error"

    @property
    def is_error(self) -> bool:
        return self.severity == "error"

    def __str__(self) -> str:
        """`file:line:column: path: what`, and the next step indented under it."""
        head = ": ".join(part for part in (str(self.where) if self.where else "", self.path) if part)
        label = "warning: " if self.severity == "warning" else ""
        text = f"{head}: {label}{self.what}" if head else f"{label}{self.what}"
        return _visible(f"{text}\n    {self.next}" if self.next else text)


def _visible(text: str) -> str:
    """File names and rows are quoted, and must not act on a terminal: no escape sequence, no text turned around."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(one if one.isprintable() or one in "\n\t" else f"\\u{ord(one):04x}" for one in text)


class PromptrunError(Exception):
    """A known way for a command to end. `exit_code` is the contract with shells, CI and schedulers."""

    exit_code: ClassVar[int] = 70

    def __init__(self, what: str, *, where: Position | None = None, next: str = "", rule: str = "") -> None:
        super().__init__(what)
        self.problems: tuple[Problem, ...] = (Problem(rule or self.rule, what, where, next=next),)

    rule: ClassVar[str] = "error"

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> PromptrunError:
        """The exception that carries these problems, at least one; they are reported together."""
        first = problems[0]
        error = cls(first.what, where=first.where, next=first.next, rule=first.rule)
        error.problems = tuple(problems)
        return error

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class SpecError(PromptrunError):
    """The spec, a file it names, a row or the command line is wrong; nothing was sent."""

    exit_code = 2
    rule = "spec"


class LimitReached(PromptrunError):
    """A limit the user set (budget, deadline) ended the run; running again goes on."""

    exit_code = 3
    rule = "limit"


class AccountError(PromptrunError):
    """Credentials, billing or a spend limit: nobody but the account's owner can go on."""

    exit_code = 4
    rule = "account"


class OutputError(PromptrunError):
    """The outputs folder could not be written (or read back).

    unwritten: lines of JSON that hold replies which are on no disk now; they are shown with the error.
    """

    exit_code = 74
    rule = "output"
    unwritten: Sequence[bytes] = ()


class TryLater(PromptrunError):
    """Another run holds the lock, or the API stayed unavailable: the scheduler should come back."""

    exit_code = 75
    rule = "try-later"


class Interrupted(PromptrunError):
    """Ctrl-C before there was a run that could say so."""

    exit_code = 130
    rule = "interrupted"


class Terminated(PromptrunError):
    """SIGTERM before there was a run that could say so."""

    exit_code = 143
    rule = "terminated"
