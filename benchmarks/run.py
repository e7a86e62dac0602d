"""Measures what the docs claim and writes benchmarks/RESULTS.md; `make bench` runs it, `make bench ARGS=loop` a part.

One module per claim, whose `measure` gives lines of Markdown that begin with a `## ` title of their own. Figures that
are compared are measured side by side in one go, because one machine is not another and one minute is not the next.
Never part of the tests.
"""

from __future__ import annotations

import datetime
import os
import platform
import sys
from importlib import import_module
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
TITLES = {
    "loop": "## CPU a request",
    "limits": "## At the account's limit",
    "prefixes": "## Shared prefixes",
    "memory": "## Large jobs",
    "resume": "## Going on with a million",
    "startup": "## Start-up",
}
"""Module → the title of its part, in the order of the file."""

HEAD = """# Benchmarks

Written by `make bench`; `make bench ARGS="loop startup"` measures some parts again and leaves the others. How often
`kill -9` loses or repeats an answer is counted by `make faults`.
"""


def machine() -> str:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    kind = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return f"Measured on {today}, Python {platform.python_version()}, {kind}."


def parts_of(text: str) -> dict[str, str]:
    """Title → the part below it, of an earlier results file."""
    parts = ("\n" + text).split("\n## ")[1:]
    return {f"## {part.splitlines()[0]}": f"## {part}".strip() for part in parts}


def measured(name: str) -> str:
    print(f"== {name}", flush=True)
    title, *lines = import_module(name).measure()
    part = "\n".join([title, "", machine(), *lines])
    print(part, flush=True)
    return part


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in TITLES]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(TITLES)}", file=sys.stderr)
        return 2
    parts = parts_of(RESULTS.read_text(encoding="utf-8")) if names and RESULTS.exists() else {}
    for name in names or TITLES:
        parts[TITLES[name]] = measured(name)
        whole = [HEAD, *(parts[title] + "\n" for title in TITLES.values() if title in parts)]
        RESULTS.write_text("\n".join(whole), encoding="utf-8", newline="\n")
    print(f"written to {RESULTS}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
