"""Prints pip constraints that pin every direct dependency to the lowest version pyproject.toml allows.

`python .ci/lowest.py > lowest.txt && pip install -e '.[dev]' -c lowest.txt` installs what promptrun claims to
support at the least; CI runs the tests on it. Stdlib only: it runs before anything is installed.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
LOWEST = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*>=\s*(?P<version>[0-9][0-9a-z.]*)")


def lowest(requirement: str) -> str:
    """`anthropic[aiohttp]>=2.12,<3` → `anthropic==2.12`. Raises ValueError for one without a lower bound."""
    match = LOWEST.match(requirement)
    if match is None:
        raise ValueError(f"{requirement!r} in pyproject.toml has no lower bound: write NAME>=VERSION")
    return f"{match['name']}=={match['version']}"


def constraints(pyproject: Path = PYPROJECT) -> list[str]:
    """One `name==version` per direct dependency, those of development included."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    return list(dict.fromkeys(lowest(requirement) for requirement in [*project["dependencies"], *extras]))


if __name__ == "__main__":
    print("\n".join(constraints()))  # noqa: T201 - printing is its job
