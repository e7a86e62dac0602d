"""The command line: the only place that prints, reads argv or exits.

`main` is where the process begins: signals have their meaning before anything slow is imported. The commands are in
`commands`; exceptions become exit codes in `exits` and nowhere else.
"""

from __future__ import annotations

import sys

from runner.cli.early import ending_at_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The `promptrun` command."""
    ending_at_once()
    from runner.cli.commands import group
    from runner.cli.exits import exit_code_of

    sys.exit(exit_code_of(group, list(sys.argv[1:] if argv is None else argv)))
