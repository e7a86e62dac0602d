"""docs/plan.md as it stands: its job, its commands one after the other, and what they say."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from harness import CHECKOUT, Command

PAGE = (CHECKOUT / "docs" / "plan.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> list[str]:
    return [match["text"] for match in BLOCK.finditer(PAGE) if match["kind"] == kind]


def test_every_command_of_the_page_works_and_says_what_is_shown(tmp_path: Path, promptrun: Command) -> None:
    (spec,) = blocks("yaml")
    (tmp_path / "greet.yaml").write_text(spec, encoding="utf-8")
    for block in blocks("console"):
        for part in block.split("$ promptrun ")[1:]:
            line, _, shown = part.partition("\n")
            said = promptrun.ok(*shlex.split(line), cwd=tmp_path)
            if shown:
                assert re.fullmatch(".*".join(map(re.escape, shown.split("…"))), said, re.DOTALL), said
