"""`run:` as a RunSpec: durations in seconds, defaults filled in. What it gets has passed the schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from runner.records import Json, RetryPolicy, Timeout
from runner.spec.durations import parse_duration
from runner.spec.job import RunSpec

_RETRY_DURATIONS = ("base", "cap", "max_wait")


def run_settings(tree: Mapping[str, Json]) -> RunSpec:
    """The settings of a job. Raises ValueError for a duration that is none."""
    plain = {name: tree[name] for name in ("concurrency", "stream") if name in tree}
    return replace(
        RunSpec(**plain),
        request_timeout=timeout_over(Timeout(), tree.get("request_timeout")),
        retry=retry_over(RetryPolicy(), tree.get("retry")),
    )


def timeout_over(timeout: Timeout, written: Json) -> Timeout:
    """The timeout with what was written over it. A total alone also bounds the waits within it."""
    if written is None:
        return timeout
    parts = written if isinstance(written, Mapping) else {"total": written}
    seconds: dict[str, float | None] = {name: parse_duration(value) for name, value in parts.items()}
    if "total" in seconds:
        total = seconds["total"]
        connect = None if timeout.connect is None or total is None else min(timeout.connect, total)
        seconds = {"read": total, "write": total, "connect": connect, **seconds}
    return replace(timeout, **seconds)


def retry_over(retry: RetryPolicy, written: Json) -> RetryPolicy:
    """The policy with what was written over it."""
    parts: dict[str, Any] = {n: parse_duration(v) if n in _RETRY_DURATIONS else v for n, v in (written or {}).items()}
    return replace(retry, **parts)


def settings_problems(tree: Mapping[str, Json], report: Callable[..., None]) -> None:
    """Reports settings that contradict each other: `report(rule, what, path, next=…)`."""
    retry = retry_over(RetryPolicy(), tree.get("retry"))
    if "retry" in tree and retry.base > retry.cap:
        what = f"the first wait, `base` ({retry.base:g} s), is longer than the longest, `cap` ({retry.cap:g} s)"
        report("not-allowed", what, ("run", "retry"), next="raise `cap`, or lower `base`")
    written = tree.get("request_timeout")
    parts = written if isinstance(written, Mapping) else {} if written is None else {"total": written}
    for name, value in parts.items():
        if parse_duration(value) == 0:
            what = f"a timeout of 0 seconds (`{name}`) would end every request at once"
            report("out-of-range", what, ("run", "request_timeout"), next="write a time such as `10m`")
