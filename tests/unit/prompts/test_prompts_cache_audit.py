"""The audit after a run: what should have been shared and was not, and the first byte where two prompts differ."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from syrupy.assertion import SnapshotAssertion

from runner.prompts.cache_audit import MOST_FINDINGS, MOST_PREFIXES, CacheAudit, first_difference
from runner.records import Prefix, PrefixEnd, Request, RequestDone, Result, Source

LONG = "You sort support tickets with care. " * 200
MODEL = "claude-opus-4-8"


def body(system: str = LONG, **changes: Any) -> bytes:
    return orjson.dumps({"model": MODEL, "system": system, "messages": [{"role": "user", "content": "x"}], **changes})


def answer(
    n: int, *, read: int = 0, written: int = 0, prefix: str | None = "a", text: bytes | None = None
) -> RequestDone:
    """What a request with a long system prompt got; `prefix=None`: nobody in the plan shares it."""
    end = PrefixEnd(n if prefix is None else 7, 8000, ("system",))
    request = Request(
        n=n, id=f"r{n}", cell={}, repeat=0, key="", model=MODEL, max_tokens=9, body=text or body(),
        source=Source("t.csv"), ends=(end,), prefixes=(Prefix("0000000000000007", 300.0),) if prefix else (),
    )  # fmt: skip
    usage = {"input_tokens": 5, "cache_read_input_tokens": read, "cache_creation_input_tokens": written}
    return RequestDone(Result(request, "ok", usage=usage))


def findings(*events: RequestDone, manual: bool = False) -> list[str]:
    audit = CacheAudit(manual=manual)
    for event in events:
        audit.observe(event)
    return [str(one) for one in audit.findings()]


def test_one_write_and_reads_are_as_they_should_be() -> None:
    assert findings(answer(0, written=2000), *(answer(n, read=2000) for n in range(1, 9))) == []


def test_the_findings_in_words(snapshot: SnapshotAssertion) -> None:
    again = findings(answer(0, written=2000), answer(1, written=2000), answer(2, read=2000))
    never = findings(answer(0), answer(1))
    drift = findings(*(answer(n, prefix=None, text=body(f"{LONG}Today is 2026-11-2{n}.")) for n in range(3)))
    assert "\n".join([*again, *never, *drift]) == snapshot


def test_a_prefix_too_short_to_be_cached_is_nothing_to_complain_of() -> None:
    short = [answer(n, prefix=None).result for n in range(3)]
    events = [
        RequestDone(
            Result(
                Request(**{**_fields(one.request), "ends": (PrefixEnd(n, 100, ("system",)),)}), "ok", usage=one.usage
            )
        )
        for n, one in enumerate(short)
    ]
    assert findings(*events) == []


def _fields(request: Request) -> dict[str, Any]:
    return {name: getattr(request, name) for name in Request.__slots__}


def test_marks_that_are_written_and_read_are_no_drift() -> None:
    assert findings(answer(0, written=2000), answer(1, read=2000), manual=True) == []


def test_what_is_kept_is_bounded() -> None:
    audit = CacheAudit()
    for n in range(MOST_PREFIXES + 50):
        event = answer(n)
        request = Request(**{**_fields(event.result.request), "prefixes": (Prefix(f"{n:016x}", 300.0),)})
        for _ in range(2):
            audit.observe(RequestDone(Result(request, "ok", usage=event.result.usage)))
    assert len(audit.prefixes) == MOST_PREFIXES
    assert len(audit.findings()) == MOST_FINDINGS


@pytest.mark.parametrize(
    ("one", "other", "place", "byte"),
    [
        (body("héllo A"), body("héllo B"), "system", len("héllo ".encode())),
        (body("same"), body("same and more"), "system", 4),
        (body(tools=[{"name": "a"}]), body(tools=[{"name": "b"}]), "tools[0]", 9),
        (
            body(messages=[{"role": "user", "content": "a"}]),
            body(messages=[{"role": "user", "content": "b"}]),
            "messages[0]",
            0,
        ),
        (body(model="claude-opus-5"), body(model="claude-opus-4"), "model", 12),
    ],
)
def test_the_first_byte_where_two_bodies_differ(one: bytes, other: bytes, place: str, byte: int) -> None:
    found = first_difference(one, other)
    assert found is not None
    assert (found.place, found.byte) == (place, byte)


def test_marks_are_no_difference() -> None:
    marked = orjson.loads(body())
    marked["system"] = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
    plain = orjson.loads(body())
    plain["system"] = [{"type": "text", "text": LONG}]
    assert first_difference(orjson.dumps(marked), orjson.dumps(plain)) is None
