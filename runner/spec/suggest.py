"""The next step for a key or value that the schema does not know: near names, other tools' names, later features.

Tables and look-ups; knows nothing of positions or of jsonschema.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from runner.spec.document import Path
from runner.spec.near import listed, near_names
from runner.spec.secrets import redact

LATER = frozenset(
    (
        "batch",
        "environments", "export", "extends",
    )
)  # fmt: skip  # keys of later versions, wherever they stand
_LATER_UNDER: Mapping[str, frozenset[str]] = {
    "checks": frozenset(("as", "by", "each", "name", "rate", "run", "same", "warn")),
    "run": frozenset(("mode",)),
    "inputs": frozenset(("group_by", "job", "split")),
    "output_config": frozenset(("task_budget",)),
}

_INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(
        ("temperature", "top_k", "top_p"),
        "the API removed `{key}`; for an older model that takes it write `extra_body: {{{key}: …}}`",
    ),
    **dict.fromkeys(
        ("api_key", "auth_token"),
        "credentials come from the environment, never from a spec",
    ),
    **dict.fromkeys(("extra_headers", "default_headers"), "write `client: {{headers: …}}`"),
    **dict.fromkeys(("user", "user_id"), "write `metadata: {{user_id: …}}`"),
    **dict.fromkeys(
        ("max_tokens_to_sample", "max_output_tokens", "max_completion_tokens"), "did you mean `max_tokens`?"
    ),
    **dict.fromkeys(("stop", "stop_sequence"), "did you mean `stop_sequences`?"),
    **dict.fromkeys(("reasoning", "reasoning_effort"), "did you mean `effort`?"),
    **dict.fromkeys(("prompts", "question", "template", "user_prompt"), "did you mean `prompt`?"),
    **dict.fromkeys(("system_prompt", "instructions"), "did you mean `system`?"),
    **dict.fromkeys(("conversation", "chat", "history"), "did you mean `messages`?"),
    **dict.fromkeys(("data", "dataset", "items", "rows"), "did you mean `inputs`?"),
    **dict.fromkeys(("variables", "params", "parameters", "env"), "did you mean `vars`?"),
    **dict.fromkeys(("n", "samples", "count", "times"), "did you mean `repeat`?"),
    **dict.fromkeys(("models",), "write `matrix: {{model: […]}}` to try several models"),
    "cache_control": "write `cache: automatic`, or `cache: {{mode: automatic, ttl: 1h}}`",
    **dict.fromkeys(
        ("output_format", "output_schema", "response_format", "json_schema", "schema"),
        "write `output: {{schema: …}}`",
    ),
    "diagnostics": "write `cache: {{diagnose: true}}`",
    **dict.fromkeys(("image", "images", "documents", "pdf"), "did you mean `attachments`?"),
    "budget_tokens": "write `thinking: {{type: enabled, budget_tokens: …}}`",
    "timeout": "write `run: {{request_timeout: …}}`",
    "max_retries": "write `run: {{retry: {{max: …}}}}`",
    "retries": "write `run: {{retry: {{max: …}}}}`",
    "workers": "write `run: {{concurrency: …}}`",
    "parallel": "write `run: {{concurrency: …}}`",
    "max_concurrency": "write `run: {{concurrency: …}}`",
    "parallelism": "write `run: {{concurrency: …}}`",
}  # for keys at the top level
_HOMES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "concurrency",
            "confirm_above",
            "deadline",
            "durability",
            "grace",
            "keep",
            "limits",
            "max_cost",
            "request_timeout",
            "retry",
            "reuse",
            "stream",
        ),
        "run",
    ),
    **dict.fromkeys(("requests_per_minute", "input_tokens_per_minute", "output_tokens_per_minute"), "run.limits"),
    **dict.fromkeys(
        ("file", "glob", "paths", "where", "limit", "on_bad_row", "on_empty", "match", "format", "id"), "inputs"
    ),
    **dict.fromkeys(("include", "exclude"), "matrix"),
    **dict.fromkeys(("total", "connect", "read", "write"), "run.request_timeout"),
    **dict.fromkeys(("base", "cap", "max_wait"), "run.retry"),
    "display": "thinking",
    **dict.fromkeys(("on_invalid", "on_truncated"), "output"),
    **dict.fromkeys(("diagnose", "ttl", "warm_up"), "cache"),
    **dict.fromkeys(("aws_profile", "aws_region", "base_url", "headers", "provider", "proxy"), "client"),
}
_ELSEWHERE: Mapping[str, Mapping[str, str]] = {
    "tools": {"parameters": "input_schema", "schema": "input_schema", "inputSchema": "input_schema"},
    "mcp_servers": {"token": "authorization_token", "authorization": "authorization_token"},
    "output_config": {"format": "output: {schema: …}"},
    "output": {"format": "schema", "json_schema": "schema", "file": "schema: {file: …}"},
    "client": {"extra_headers": "headers", "default_headers": "headers", "type": "provider", "name": "provider"},
    "retry": {"max_retries": "max", "retries": "max", "attempts": "max", "backoff": "base", "delay": "base"},
    "run": {
        "timeout": "request_timeout",
        "max_retries": "retry: {max: …}",
        "workers": "concurrency",
        "parallel": "concurrency",
        "retries": "retry",
        "budget": "max_cost",
        "cost_limit": "max_cost",
        "rate_limits": "limits",
        "cache": "reuse",
    },
    "limits": {
        "rpm": "requests_per_minute",
        "requests": "requests_per_minute",
        "itpm": "input_tokens_per_minute",
        "otpm": "output_tokens_per_minute",
    },
    "inputs": {
        "path": "file",
        "csv": "file",
        "id_column": "id",
        "filter": "where",
        "max_rows": "limit",
        "files": "glob",
    },
}
_VALUES: Mapping[str, Mapping[str, str]] = {
    "effort": {"minimal": "low", "none": "low", "x-high": "xhigh", "extra_high": "xhigh", "maximum": "max",
               "normal": "medium"},
    "thinking": {"true": "adaptive", "on": "adaptive", "enabled": "adaptive", "auto": "adaptive",
                 "false": "off", "none": "off", "disabled": "off"},
    "type": {"true": "adaptive", "on": "adaptive", "auto": "adaptive", "false": "off", "none": "off"},
    "fallbacks": {"none": "off", "false": "off", "no": "off", "true": "default", "on": "default", "auto": "default"},
    "speed": {"slow": "standard", "normal": "standard", "default": "standard", "true": "fast"},
    "service_tier": {"standard": "standard_only", "priority": "auto", "default": "auto"},
    "role": {"human": "user", "ai": "assistant", "model": "assistant", "bot": "assistant", "developer": "system"},
    "format": {"ndjson": "jsonl", "jsonlines": "jsonl", "yml": "yaml", "text": "txt", "lines": "txt"},
    "on_bad_row": {"error": "stop", "fail": "stop", "ignore": "skip", "continue": "skip"},
    "on_invalid": {"retry": "ask_again", "ask": "ask_again", "error": "fail", "stop": "fail"},
    "on_truncated": {"retry": "double", "error": "fail", "stop": "fail", "ok": "accept", "ignore": "accept"},
    "on_empty": {"fail": "error", "stop": "error", "ignore": "ok", "skip": "ok"},
    "stream": {"yes": "true", "on": "true", "no": "false", "off": "false", "always": "true", "never": "false"},
    "cache": {"true": "shared", "on": "shared", "auto": "automatic", "false": "off", "none": "off", "yes": "shared",
              "5m": "{ttl: 5m}", "1h": "{ttl: 1h}"},
    "template": {"yes": "true", "on": "true", "no": "false", "off": "false"},
    "display": {"summary": "summarized", "none": "omitted", "hidden": "omitted"},
}  # fmt: skip

_DURATIONS = frozenset(("request_timeout", "total", "connect", "read", "write", "base", "cap", "max_wait"))
_DURATION = re.compile(r"\s*([0-9]{1,9})\s*(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)\s*")
_TYPE_STEPS: Mapping[Path, str] = {
    ("inputs",): "write `inputs: {file: …}` for a file of rows, `{glob: …}` for one row a file, or a list of rows",
    ("messages",): "write one user turn as `prompt: …`, or a list of `{role: …, content: …}`",
    ("tool_choice",): "write `tool_choice: {type: auto}`, for example",
    ("client",): "write `client: {provider: …}`",
    ("fallbacks",): "write a list of models: `fallbacks: [claude-opus-4-8]`",
    ("run", "retry"): "write `retry: {max: 5}`, for example",
    ("prompt",): "write blocks as `messages: [{role: user, content: […]}]`",
}  # for a value that is not even of a type that the key takes
_ITEM_STEPS: Mapping[Path, str] = {
    ("inputs",): "write a row as a map, such as `- text: …`",
    ("messages",): "write `- {role: user, content: …}`, or `- text: …` for a block",
    ("system",): "write `- text: …`",
}  # by the top-level key that the list belongs to


def is_later(path: Path, key: str) -> bool:
    """Whether a later version of promptrun has this key there."""
    return key in LATER or key in _LATER_UNDER.get(_parent_name(path), ())


def next_for_key(path: Path, key: str, known: Iterable[str], top_level: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """(the next step, the keys it names) for an unknown key of the map at `path`."""
    known = tuple(known)
    if is_later(path, key):
        return _next_for_later(path, key), (("rows",) if path[:1] == ("inputs",) else ())
    if not path and key in _INSTEAD:
        return _INSTEAD[key].format(key=key), ()
    if meant := _ELSEWHERE.get(_parent_name(path), {}).get(key):
        return f"did you mean `{meant}`?", (meant,)
    if not path and key in _HOMES:
        return f"`{key}` belongs under `{_HOMES[key]}`", ()
    if path and path[0] != "prices" and key in top_level and key not in known:
        return f"`{key}` belongs at the top level", ()
    if near := near_names(key, known):
        return f"did you mean {' or '.join(f'`{name}`' for name in near)}?", tuple(near)
    if path == ("inputs",):
        return f"write a single row as an item of a list: `- {key}: …`", ("rows",)
    if len(known) > 12:
        return "remove it; `promptrun schema` lists the keys", ()
    return (f"known here: {listed(known)}" if known else "remove it"), ()


def _next_for_later(path: Path, key: str) -> str:
    if path == ("output_config",):
        return f"remove it; `extra_body: {{output_config: {{{key}: …}}}}` sends it to the API as it is"
    return "remove it"


def next_for_value(path: Path, value: Any, allowed: Iterable[Any] = ()) -> str:
    """The next step for a value that is not among the allowed ones; "" when there is nothing to say."""
    name = _parent_name(path)
    text = str(value).lower() if isinstance(value, (str, bool)) else ""
    if meant := _VALUES.get(name, {}).get(text):
        return f"did you mean `{meant}`?"
    allowed = tuple(allowed)
    if any(type(one) is int for one in allowed):
        return _number_meant(value)
    words = [one for one in allowed if isinstance(one, str)]
    if isinstance(value, str) and (near := near_names(value, words, most=1)):
        return f"did you mean `{near[0]}`?"
    return _TYPE_STEPS.get(path, "") if isinstance(value, str) else ""


def next_for_type(path: Path, value: Any, types: frozenset[str]) -> str:
    """The next step for a value of a wrong type, where one of these JSON types is right."""
    if step := next_for_value(path, value):
        return step
    if value is None and path[-1:] == ("id",):
        return 'quote a `#`, which starts a comment: `id: "#"`'
    if value is None:
        return "write a value, or remove the key"
    if path in _TYPE_STEPS and isinstance(value, (str, dict, list)):
        return _TYPE_STEPS[path]
    if isinstance(value, (dict, list)):
        return ""
    if path[:1] in _ITEM_STEPS and types == {"object"}:
        return _ITEM_STEPS[path[:1]]
    if types & {"integer", "number"}:
        return _number_meant(value)
    if "string" in types:
        return f'quote it: `"{quoted(value)[1:-1]}"`'
    return f"write a list: `[{quoted(value)[1:-1]}]`" if types == {"array"} else _TYPE_STEPS.get(path, "")


def next_for_pattern(path: Path, value: str) -> str:
    """The next step for a text that is not written the way its key asks for."""
    if path == ("name",):
        slug = re.sub(r"[^a-z0-9_-]+", "-", value.lower()).strip("-_")[:64]
        return f"did you mean `{slug}`?" if slug else ""
    if _parent_name(path) in _DURATIONS and (found := _DURATION.fullmatch(value.lower())):
        return f"did you mean `{found[1]}{found[2][0]}`?"
    return ""


def _number_meant(value: Any) -> str:
    """The next step when a number is expected and its digits stand in a string: `"2000"`, `2_000`, `2k`."""
    if not isinstance(value, str):
        return ""
    digits = re.fullmatch(r"\s*([0-9]{1,3}(?:[_, '][0-9]{3})+|[0-9]{1,18})\s*([kK]?)\s*", value)
    if digits is None:
        return ""
    number = int(re.sub(r"[^0-9]", "", digits[1])) * (1000 if digits[2] else 1)
    return f"write `{number}` without quotes"


def value_as_written(value: Any) -> str:
    """`the string `x``, `a list`, `nothing`: what stands there, short and without secrets."""
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f"the string {quoted(value)}" if value else "an empty string"
    return quoted(value)


def quoted(value: Any) -> str:
    """A scalar in backticks, on one line, at most 60 characters, credentials cut out."""
    if value is None or isinstance(value, bool):
        return f"`{ {None: 'null', True: 'true', False: 'false'}[value] }`"
    text = " ".join(redact(str(value)).split())
    return f"`{text}`" if len(text) <= 60 else f"`{text[:57]}...`"


def _parent_name(path: Path) -> str:
    """The last key of the path; list positions do not count."""
    return next((step for step in reversed(path) if isinstance(step, str)), "")
