"""One run, or one result of it, for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from runner.models.endings import kind_of
from runner.report.advice import advice
from runner.report.runs import state
from runner.report.words import count, duration, money, one_line, printable

_WIDEST: Final = 2000


def show_run_text(run: Mapping[str, Any], usage: Mapping[str, Any] | None = None) -> str:
    """The header of a run. run: run.json; usage: usage.json when there is one."""
    plan, counts = run["plan"], run["counts"]
    facts = {
        "run": f"{run['run']} of {run['job']}{' (simulated)' if run['simulated'] else ''}",
        "state": state(run),
        "shard": "{k}/{of}".format(**run["shard"]) if run.get("shard") else "",
        "retry of": _retried(run),
        "joined": ", ".join(one["run"] for one in run.get("merged") or ()),
        "requests": count(plan["requests"], "request"),
        "spec": f"{run['spec']['path']} (sha256 {run['spec']['sha256'][:12]})",
        "commit": run["git"]["commit"] or "",
        "versions": ", ".join(f"{name} {version}" for name, version in run["versions"].items() if version),
        "started": run["sittings"][0]["started"],
        "sittings": str(len(run["sittings"])),
    }
    if counts:
        statuses = ", ".join(f"{number:,} {status}" for status, number in counts["by_status"].items())
        facts["requests"] += f": {counts['good']:,} good ({statuses}), {counts['left']:,} left"
    if usage:
        tokens = usage["tokens"]
        prompt = sum(tokens[kind] for kind in ("input", "cache_read", "cache_write_5m", "cache_write_1h"))
        facts["tokens"] = f"{prompt:,} in, {tokens['output']:,} out"
        facts["cost"] = money(usage["cost"]["usd"])
    return _facts(facts)


def _retried(run: Mapping[str, Any]) -> str:
    statuses = ", ".join(run["retry"]["statuses"]) if run.get("retry") else ""
    return f"{run['parent']} ({statuses})" if run.get("parent") else ""


def show_text(result: Mapping[str, Any]) -> str:
    """One result: what was asked of which model, how it ended, every attempt, the row and the answer."""
    failure = result["failure"]
    facts = {
        "id": f"{one_line(str(result['id']))} (request {result['n'] + 1:,})",
        "status": result["status"] + ("" if result["good"] else f": {_why(result)}"),
        "cell": _json(result["cell"]) if result["cell"] else "",
        "repeat": str(result["repeat"]) if result["repeat"] else "",
        "source": _source(result["source"]),
        "model": _model(result["model"]),
        "tokens": _usage(result["usage"]),
        "cost": money(result["cost_usd"]) if result["usage"] else "",
        "reused": _reused(result["reused_from"]),
        "simulated": "yes: no model was asked" if result["simulated"] else "",
        "key": result["key"][:12],
    }
    lines = [_facts(facts)]
    if failure:
        lines.append(f"{'next':<11}{advice(result['status'], failure['kind'])}")
    elif not result["good"] and (tip := advice(result["status"], kind_of(result))):
        lines.append(f"{'next':<11}{tip}")
    lines += _attempts(result)
    lines += [f"{'row':<11}{_json(result['row'])}"] if result["row"] else []
    lines += [_tool_call(call) for call in result.get("tool_calls") or ()]
    if result["text"] is not None:
        lines += ["", printable(result["text"])]
    return "\n".join(lines)


def _tool_call(call: Mapping[str, Any]) -> str:
    return f"{'calls':<11}{one_line(str(call.get('name')))} {_json(call.get('input'))}"


def _facts(facts: Mapping[str, str]) -> str:
    return "\n".join(f"{name:<11}{one_line(value, _WIDEST)}" for name, value in facts.items() if value)


def _why(result: Mapping[str, Any]) -> str:
    if result["failure"]:
        return f"{result['failure']['kind']}: {one_line(result['failure']['message'], 300)}"
    if result.get("problems"):
        return "; ".join(one_line(problem, 300) for problem in result["problems"])
    details = result["stop_details"] or {}
    parts = (result["stop_reason"], details.get("category"), details.get("explanation"))
    return ", ".join(one_line(str(part), 300) for part in parts if part)


def _source(source: Mapping[str, Any]) -> str:
    return f"{source['file']}:{source['line']}" if source["line"] else str(source["file"])


def _model(model: Mapping[str, Any]) -> str:
    served = model["served"]
    return model["asked"] if served in (None, model["asked"]) else f"{model['asked']}, served by {served}"


def _usage(usage: Mapping[str, Any] | None) -> str:
    if not usage:
        return ""
    read, written = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
    cached = f" ({read:,} read from the cache, {written:,} written)" if read or written else ""
    prompt = (usage.get("input_tokens") or 0) + read + written
    return f"{prompt:,} in{cached}, {usage.get('output_tokens') or 0:,} out"


def _reused(first: Mapping[str, Any] | None) -> str:
    return f"the answer of `{first['id']}` (request {first['n'] + 1:,} of run {first['run']})" if first else ""


def _attempts(result: Mapping[str, Any]) -> list[str]:
    lines = []
    for call in result["calls"]:
        label = _call(call) if len(result["calls"]) > 1 else ""
        for attempt in call["attempts"]:
            failure = attempt["failure"]
            outcome = f"{failure['kind']}: {one_line(failure['message'])}" if failure else "answered"
            request_id = f" ({one_line(attempt['request_id'])})" if attempt["request_id"] else ""
            took = duration(attempt["seconds"])
            lines.append(f"{'attempt ' + str(attempt['n']):<11}{attempt['at']}, {took}, {outcome}{request_id}{label}")
    return lines


def _call(call: Mapping[str, Any]) -> str:
    """Which of a request's calls an attempt was for."""
    return f", turn {call['turn'] + 1}" + ("" if call["for"] == "turn" else f", {call['for'].replace('_', ' ')}")


def _json(value: Any) -> str:
    return one_line(orjson.dumps(value).decode(), _WIDEST)
