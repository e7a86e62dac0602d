"""Counting a plan's input on few requests: what to ask, and what the answers amount to. Pure; sends nothing.

Every shared prefix is counted once, and what requests do not share on a sample of them; the whole follows from the
sizes of all texts, which the plan knows (a ratio estimate: https://en.wikipedia.org/wiki/Ratio_estimator). Counting is
free and ignores caching: https://platform.claude.com/docs/en/build-with-claude/token-counting
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from runner.models.text_size import BYTES_PER_TOKEN
from runner.prompts.breakpoints import prefix_hash
from runner.prompts.media_body import whole_body
from runner.prompts.plan_cost import Counted
from runner.records import PrefixEnd, Request

SAMPLE: Final = 20
MOST_PREFIXES: Final = 50
SEED: Final = 731
STUDENT: Final = 2.093
"""97.5 % of Student's t with 19 degrees of freedom: a sample that is not everything has 20 requests."""

_COUNTED: Final = frozenset(
    {
        "messages", "model", "system", "tools", "tool_choice", "thinking", "output_config", "speed", "cache_control",
        "mcp_servers", "context_management", "compaction",
    }
)  # fmt: skip
"""What `count_tokens` takes (SDK 2.12.0 source, `resources/beta/messages/messages.py`)."""

_FILLER: Final = {"role": "user", "content": "."}


@dataclass
class Group:
    """Requests that share their longest prefix. uses: how many; of: one of them; end: where the prefix ends in it."""

    of: Request
    end: PrefixEnd
    uses: int = 0


@dataclass
class Chosen:
    """What will be counted of one model. requests, bytes: of all that are sent. groups: by the prefix's hash.

    sizes: place → bytes of the requests in the sample, measured as those of all of them were.
    """

    model: str
    requests: int
    bytes: float
    sizes: Mapping[int, int] = field(default_factory=dict)
    sampled: list[Request] = field(default_factory=list)
    groups: dict[str, Group] = field(default_factory=dict)

    def group(self, request: Request) -> Group | None:
        return self.groups.get(request.prefix) if request.prefix is not None else None


def choose(requests: Iterable[Request], chosen: Mapping[str, Chosen]) -> None:
    """Reads the requests that are sent, once, and fills in what is to be counted."""
    for request in requests:
        one = chosen[request.model]
        _note_prefix(request, one.groups)
        if request.n in one.sizes:
            one.sampled.append(request)


def _note_prefix(request: Request, groups: dict[str, Group]) -> None:
    hash = request.prefix
    if hash is None:
        return
    if hash not in groups:
        end = next((end for end in request.ends if prefix_hash(end) == hash), None)
        if end is None or len(groups) >= MOST_PREFIXES:
            return
        groups[hash] = Group(request, end)
    groups[hash].uses += 1


# ---------------------------------------------------------------- what is asked


def countable(request: Request) -> Request:
    """The request as counting takes it. Files go along whole, uploaded ones too: nothing is uploaded to be counted."""
    files = tuple(replace(file, upload=False) for file in request.files)
    body = orjson.loads(whole_body(replace(request, files=files)))
    return _with_body(request, body)


def prefix_alone(group: Group) -> Request:
    """A request that ends where the prefix ends, with a word of the user's behind it where there has to be one."""
    whole = countable(group.of)
    return _with_body(whole, cut(orjson.loads(whole.body), group.end.place))


def filler_alone(request: Request) -> Request:
    """What `prefix_alone` adds, by itself, to be taken off again."""
    return _with_body(request, {"model": request.model, "messages": [_FILLER]})


def _with_body(request: Request, body: Mapping[str, Any]) -> Request:
    kept = {name: value for name, value in body.items() if name in _COUNTED}
    return replace(request, body=orjson.dumps(kept), files=())


def cut(body: dict[str, Any], place: Sequence[str | int]) -> dict[str, Any]:
    """The body without what comes behind a block."""
    level, *steps = place
    if level == "messages":
        at = int(steps[0])
        last = body["messages"][at]
        content = last["content"][: int(steps[1]) + 1] if len(steps) > 1 else last["content"]
        kept = [*body["messages"][:at], {**last, "content": content}]
        return body | {"messages": [*kept, _FILLER] if last["role"] != "user" else kept}
    cut_system = {"system": body["system"][: int(steps[0]) + 1]} if level == "system" and steps else {}
    without = {name: value for name, value in body.items() if level != "tools" or name != "system"}
    return without | cut_system | {"messages": [_FILLER]}


def has_filler(group: Group) -> bool:
    level, *steps = group.end.place
    return level != "messages" or orjson.loads(group.of.body)["messages"][int(steps[0])]["role"] != "user"


# ---------------------------------------------------------------- what the answers amount to


def estimate(chosen: Chosen, tokens: Sequence[int], prefixes: Mapping[str, int]) -> Counted:
    """tokens: of the sampled requests, in their order; prefixes: of the groups, by hash."""
    rest = [
        (chosen.sizes[request.n] - _shared_size(chosen, request), count - prefixes.get(request.prefix or "", 0))
        for request, count in zip(chosen.sampled, tokens, strict=True)
    ]
    shared = sum(group.end.size * group.uses for group in chosen.groups.values())
    total, margin = ratio(rest, chosen.bytes - shared, chosen.requests)
    total += sum(prefixes[hash] * group.uses for hash, group in chosen.groups.items())
    guessed = sum(group.end.size for group in chosen.groups.values()) / BYTES_PER_TOKEN
    scale = sum(prefixes.values()) / guessed if guessed else 1.0
    return Counted(max(0.0, total), margin, scale, len(tokens))


def ratio(pairs: Sequence[tuple[float, float]], whole: float, population: int) -> tuple[float, float]:
    """(the sum of the second values over the population, by how much it may be off) from pairs of a sample of it.

    whole: the sum of the first values over the population. Exact when the sample is all there is.
    """
    count = len(pairs)
    if not count:
        return 0.0, 0.0
    if count >= population:
        return sum(y for _, y in pairs), 0.0
    sizes = sum(x for x, _ in pairs)
    if sizes <= 0:
        return sum(y for _, y in pairs) / count * population, 0.0
    slope = sum(y for _, y in pairs) / sizes
    spread = sum((y - slope * x) ** 2 for x, y in pairs) / max(count - 1, 1)
    error = population * math.sqrt((1 - count / population) * spread / count)
    return slope * whole, STUDENT * error


def _shared_size(chosen: Chosen, request: Request) -> int:
    group = chosen.group(request)
    return group.end.size if group else 0
