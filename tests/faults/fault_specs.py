"""The jobs that are killed: single answers, a shared prefix with its leader, dialogues, answers asked for again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LATENCY = 0.15
"""Seconds that the simulator takes for a reply."""
SLOW = " [[simulate:slow=0.4]]"
"""In every seventh row, so that answers do not arrive in order and have to be put in order."""
SHARED = "You sort letters for a library that answers every one of them. " * 120
"""Long enough to be cached."""
LABEL = {
    "type": "object",
    "properties": {"label": {"enum": ["bug", "praise"]}, "why": {"type": "string"}},
    "required": ["label"],
    "additionalProperties": False,
}
QUICK_RETRIES = {"base": 0.3, "cap": 0.5, "max": 8}
FAULTS = ("overloaded", "server_error", "dropped", "cut_body")
"""Faults that end at once; each is tried again."""


@dataclass(frozen=True)
class Kind:
    """fields: of the spec, beside its name and inputs. word: the text of a row. words: for the simulator.

    calls: that one row takes.
    """

    name: str
    rows: int
    fields: Mapping[str, Any]
    word: str = "letter {n}"
    words: tuple[str, ...] = ()
    calls: int = 1

    def write(self, folder: Path, **fields: Any) -> Path:
        """The spec in `folder`, with its rows beside it."""
        rows = [{"id": f"r{n:03}", "word": self.word.format(n=n) + ("" if n % 7 else SLOW)} for n in range(self.rows)]
        (folder / f"{self.name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        spec = {
            "name": self.name,
            "model": "claude-opus-5-5",
            "max_tokens": 300,
            **self.fields,
            "inputs": {"file": f"{self.name}.jsonl"},
            "run": {"concurrency": 8, "retry": QUICK_RETRIES, "request_timeout": "30s"},
            **fields,
        }
        path = folder / f"{self.name}.yaml"
        path.write_text(json.dumps(spec), encoding="utf-8")
        return path


PLAIN = Kind(
    "plain",
    60,
    {"prompt": "Sort this: {{ word }}"},
    words=("--fault-rate", "0.25", *(word for kind in FAULTS for word in ("--fault", kind))),
)
LEADER = Kind("leader", 60, {"system": SHARED, "prompt": "Sort this: {{ word }}"})
TURNS = Kind(
    "turns",
    24,
    {"turns": [{"user": "Sort this: {{ word }}"}, {"user": "Why?"}, {"user": "You said: {{ replies[-1].text }}"}]},
    words=("--fault-rate", "0.1", *(word for kind in FAULTS for word in ("--fault", kind))),
    calls=3,
)
ASK_AGAIN = Kind(
    "ask-again",
    32,
    {"prompt": "Sort this: {{ word }}", "output": {"schema": LABEL, "on_invalid": "ask_again"}},
    word="letter {n} [[simulate:no_json]]",
    calls=2,
)
