"""`run:` as a RunSpec: durations in seconds, defaults filled in. What it gets has passed the schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from runner.records import Json, RetryPolicy, Timeout
from runner.spec.durations import parse_duration
from runner.spec.job import Keep, Limits, MaxCost, Reuse, RunSpec

_RETRY_DURATIONS = ("base", "cap", "max_wait")


def run_settings(tree: Mapping[str, Json]) -> RunSpec:
    """The settings of a job. Raises ValueError for a duration that is none."""
    plain: dict[str, Any] = {name: tree[name] for name in ("stream", "confirm_above", "durability") if name in tree}
    times: dict[str, Any] = {name: parse_duration(tree[name]) for name in ("deadline", "grace") if name in tree}
    return replace(
        RunSpec(**plain, **times),
        concurrency=None if tree.get("concurrency", "auto") == "auto" else tree["concurrency"],
        limits=Limits(**tree.get("limits", {})),
        max_cost=_max_cost(tree.get("max_cost")),
        request_timeout=timeout_over(Timeout(), tree.get("request_timeout")),
        retry=retry_over(RetryPolicy(), tree.get("retry")),
        reuse=_reuse(tree.get("reuse")),
        keep=_keep(tree.get("keep", {})),
    )


def _max_cost(written: Json) -> MaxCost | None:
    if written is None:
        return None
    return MaxCost(**written) if isinstance(written, Mapping) else MaxCost(float(written))


def _reuse(written: Json) -> Reuse:
    if isinstance(written, Mapping):
        return Reuse(max_age=parse_duration(written["max_age"]), written=True)
    return Reuse() if written is None else Reuse(on=written, written=True)


def _keep(written: Mapping[str, Json]) -> Keep:
    row = written.get("row", True)
    return Keep(response=written.get("response", True), row=tuple(row) if isinstance(row, list) else row)


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
    if "deadline" in tree and parse_duration(tree["deadline"]) == 0:
        what = "a deadline of 0 seconds would end every run before it begins"
        report("out-of-range", what, ("run", "deadline"), next="write a time such as `2h`")
    reuse = tree.get("reuse")
    if isinstance(reuse, Mapping) and parse_duration(reuse["max_age"]) == 0:
        what = "no answer is 0 seconds old, so none would be used again"
        report("out-of-range", what, ("run", "reuse", "max_age"), next="write `reuse: false`, or an age such as `7d`")
    _cost_problems(tree, report)


def _cost_problems(tree: Mapping[str, Json], report: Callable[..., None]) -> None:
    """A question above the cap is one that nobody is ever asked."""
    cap, asked = _max_cost(tree.get("max_cost")), tree.get("confirm_above")
    if cap is not None and asked is not None and asked > cap.usd and not cap.best_effort:
        what = f"no run reaches `confirm_above` (${asked:g}): `max_cost` stops it at ${cap.usd:g}"
        report("not-allowed", what, ("run", "confirm_above"), next="lower it below `max_cost`, or remove it")
