"""What the beginning of a result line says is what the whole line says, or nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_job import failed, ok, request

from runner.records import Result
from runner.store.files import to_json
from runner.store.index import ResultIndex
from runner.store.line_head import answered_head
from runner.store.reused import reused_line

TRAPS = [
    '"billed_usd":9,"failure":null,"calls":[',
    '{"v":1,"job":"',
    '"},"n":7,"status":"ok',
    "a\\",
    ',"simulated":true}\n',
    "\x00",
]


RUN = "20261122T092811.123Z-0001"


def line_of(result: Result) -> bytes:
    return to_json(result.to_json(job="job", run=RUN)) + b"\n"


def loaded(path: Path, lines: Sequence[bytes], total: int) -> ResultIndex:
    path.write_bytes(b"".join(lines))
    index = ResultIndex(total)
    index.load(path)
    return index


def test_an_answer_is_told_by_its_beginning() -> None:
    assert answered_head(line_of(ok(12))) == (12, 0.014, False)
    assert answered_head(line_of(ok(3, simulated=True, billed_usd=1e-06))) == (3, 1e-06, False)


def test_an_answer_of_another_request_is_told_by_its_beginning(tmp_path: Path) -> None:
    taken = reused_line(request(1), ok(0).to_json(job="job", run=RUN), None, job="job", run=RUN)
    line = to_json(taken) + b"\n"
    assert answered_head(line) == (1, 0.0, True)
    spaced = json.dumps(taken).encode() + b"\n"
    for name, one in (("quick", line), ("spaced", spaced)):
        index = loaded(tmp_path / f"{name}.jsonl", [line_of(ok(0)), one], 2)
        assert [index.answers(n) for n in range(2)] == [True, False]


@pytest.mark.parametrize(
    "line",
    [
        line_of(failed(1)),
        line_of(ok(1, billed_usd=None)),
        line_of(ok(1))[:-1],
        line_of(ok(1))[:200] + b"\n",
        line_of(ok(1)).replace(b'"text"', b'"te\0t"', 1),
        line_of(ok(1))[:300] + line_of(ok(2)),
        line_of(ok(1))[:-40] + line_of(ok(2)),
        line_of(ok(1, output={"billed_usd": 5, "failure": None, "calls": []})),
        line_of(ok(1)).replace(b'"v":1', b'"v":2', 1),
        b"\n",
        b"{}\n",
    ],
)
def test_only_the_whole_line_tells_the_rest(line: bytes) -> None:
    assert answered_head(line) is None


@given(
    texts=st.lists(st.sampled_from(TRAPS) | st.text(max_size=20), min_size=4, max_size=4),
    output=st.none() | st.dictionaries(st.sampled_from(["billed_usd", "failure", "calls", "n"]), st.integers(0, 9)),
    answered=st.booleans(),
)
def test_no_text_passes_for_what_is_looked_for(texts: list[str], output: Any, answered: bool) -> None:
    id, text, column, cell = texts
    named = request(5, id=id, row={column: text, "billed_usd": text}, cell={"tone": cell})
    plain = request(5, id=id, row={column: text}, cell={"tone": cell})
    for asked in (named, plain):
        result = ok(5, request=asked, text=text, output=output) if answered else failed(5, message=text)
        assert answered_head(line_of(result)) in (None, (5, 0.014, False) if answered else None)


def test_an_index_is_the_same_whichever_way_its_lines_were_read(tmp_path: Path) -> None:
    results = [ok(0), failed(1), ok(2, billed_usd=None), ok(1), ok(0, billed_usd=0.5, cost_usd=0.5)]
    quick = [line_of(result) for result in results]
    spaced = [json.dumps(json.loads(line)).encode() + b"\n" for line in quick]
    assert all(answered_head(line) is None for line in spaced)
    one, other = loaded(tmp_path / "quick.jsonl", quick, 4), loaded(tmp_path / "spaced.jsonl", spaced, 4)
    assert (one.states, one.ordered, one.garbage) == (other.states, other.ordered, other.garbage)
    assert [one.read(n, tmp_path / "quick.jsonl") for n in range(4)] == [
        other.read(n, tmp_path / "spaced.jsonl") for n in range(4)
    ]
    assert one.unpriced == other.unpriced
