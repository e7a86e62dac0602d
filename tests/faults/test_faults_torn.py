"""Files that end anywhere: torn at every byte, or followed by what was never written."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_harness import whole_lines
from fault_store import Written, answer

from runner.store.files import mend_tail
from runner.store.index import ANSWERED, ResultIndex
from runner.store.replies import ReplyIndex

GARBAGE = {
    "zeros, as after a power cut": b"\0" * 9000,
    "half a character": "é".encode()[:1],
    "half a line": b'{"v":1,"job":"job","n":2,"status":"ok"',
    "no objects": b"[1]\n2\nnull\n",
    "no text": bytes(range(256)),
    "zeros and a line end": b"\0\0\0\n",
}


def reopened(written: Written) -> tuple[list[bool], int]:
    """Which requests have an answer, and how many calls of the second are known, after going on with the run."""
    with written.open() as run:
        assert run.continued
        return [run.answered(n) for n in range(3)], len(run.replies_of(1))


def read_back(folder: Path) -> tuple[list[bool], int]:
    """The same from the files alone, mended as opening the run mends them."""
    answers, replies = ResultIndex(3), ReplyIndex()
    for name in ("results.jsonl", "journal.jsonl"):
        mend_tail(folder / name)
    answers.load(folder / "results.jsonl")
    replies.load(folder / "journal.jsonl", answers)
    return [state == ANSWERED for state in answers.states], len(replies.calls(1, folder / "journal.jsonl"))


@pytest.mark.parametrize(
    ("name", "torn"), [("results.jsonl", ([False] * 3, 1)), ("journal.jsonl", ([True, False, False], 0))]
)
def test_a_last_line_torn_at_any_byte_costs_that_line_alone(name: str, torn: object, tmp_path: Path) -> None:
    written = Written(tmp_path)
    path = written.half_done() / name
    content = path.read_bytes()
    start, last = content.rstrip(b"\n").rfind(b"\n") + 1, len(content) - 1
    for cut in range(start, len(content) + 1):
        path.write_bytes(content[:cut])
        found = reopened(written) if cut % 97 == 0 or cut >= last else read_back(path.parent)
        assert found == (torn if cut < last else ([True, False, False], 1)), f"cut at byte {cut} of {len(content)}"
        assert path.read_bytes() == (content[:start] if cut < last else content)


@pytest.mark.parametrize("name", ["results.jsonl", "journal.jsonl"])
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_after_the_last_line_costs_nothing(name: str, garbage: bytes, tmp_path: Path) -> None:
    written = Written(tmp_path)
    path = written.half_done() / name
    content = path.read_bytes()
    path.write_bytes(content + garbage)
    assert reopened(written) == ([True, False, False], 1)
    assert path.read_bytes() == content
    assert finished(written) == [0, 1, 2]


def finished(written: Written) -> list[int]:
    """The places in the plan of all results, after the rest has been answered."""
    with written.open() as run:
        run.done(answer(2))
        run.done(answer(1))
        assert run.finish().finished
        return [line["n"] for line in whole_lines(run.folder / "results.jsonl")]


def test_a_cut_back_tail_is_noted(tmp_path: Path) -> None:
    written = Written(tmp_path)
    path = written.half_done() / "results.jsonl"
    path.write_bytes(path.read_bytes() + b'{"v":1,')
    with written.open() as run:
        assert "results.jsonl" in " ".join(run.run["notes"])
        assert "7 bytes" in " ".join(run.run["notes"])
