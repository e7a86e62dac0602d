"""Puts `cache_control` into bodies where a job's `cache` says; the key of a request never sees it. Pure.

In `shared` mode the places come from the plan (`choose`); without one, on the first reading, nothing is marked and the
ends are only told. The API takes four breakpoints: https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from runner.models.caching import SECONDS
from runner.prompts.prefixes import Prefixes, last_place
from runner.records import Json, Prefix, PrefixEnd
from runner.spec.caching import WHOLE
from runner.spec.job import CacheSpec

Choice: TypeAlias = tuple[Sequence[PrefixEnd], str]
"""The ends that get a breakpoint, the shortest prefix first, and their ttl."""

Choose: TypeAlias = Callable[[Sequence[PrefixEnd]], Choice]
MARK: Final = "cache_control"
_SCHEMAS: Final = frozenset(("input_schema", "output_config"))
MOST_WITH_MOVING: Final = 2
"""A conversation needs two for itself: behind its first turn and behind its newest."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A body with its breakpoints. tree: None when it is the one that came in."""

    tree: Mapping[str, Json] | None = None
    ends: tuple[PrefixEnd, ...] = ()
    prefixes: tuple[Prefix, ...] = ()


@dataclass(frozen=True)
class Breakpoints:
    """What one job's cache setting makes of its bodies. choose: the plan's choice; None while there is no plan yet."""

    cache: CacheSpec
    choose: Choose | None = None
    found: Prefixes = field(default_factory=Prefixes)

    def mark(self, body: Mapping[str, Json], size: int, betas: Collection[str] = (), *, moves: bool = False) -> Marked:
        """size: bytes of the body. moves: a conversation follows, so its last block gets a breakpoint as well."""
        mode = self.cache.mode
        if mode == "off":
            return Marked()
        if mode == "automatic":
            return Marked({**body, MARK: control(self.ttl)})
        if mode == "manual":
            return self._by_hand(body, betas)
        ends = self.found.long_enough(body, size, betas)
        chosen, ttl = self.choose(ends) if self.choose is not None and ends else ((), self.ttl)
        chosen = chosen[-MOST_WITH_MOVING:] if moves else chosen
        places = [end.place for end in chosen] + ([last_place(body)] if moves and self.choose is not None else [])
        if not places:
            return Marked(ends=ends)
        prefixes = tuple(Prefix(prefix_hash(end), SECONDS[ttl], end.size) for end in chosen)
        return Marked(with_marks(body, places, control(ttl)), ends, prefixes)

    @property
    def ttl(self) -> str:
        """The ttl of what the plan does not decide."""
        return "1h" if self.cache.ttl == "1h" else "5m"

    @property
    def moving(self) -> Mapping[str, Json] | None:
        """The mark that moves with a conversation, None when there is none."""
        return control(self.ttl) if self.cache.mode == "shared" else None

    def _by_hand(self, body: Mapping[str, Json], betas: Collection[str]) -> Marked:
        whole = with_ttl(body, self.ttl)
        marks = {end: _mark_at(whole, end.place) for end in self.found.all(whole, betas)}
        ends = tuple(end for end, mark in marks.items() if mark is not None)
        lives = [(mark or {}).get("ttl", "5m") for mark in map(marks.get, ends)]
        prefixes = tuple(Prefix(prefix_hash(end), SECONDS[ttl], end.size) for end, ttl in zip(ends, lives, strict=True))
        return Marked(whole, ends, prefixes)


def control(ttl: str) -> dict[str, Json]:
    """The API's default of five minutes is not written out."""
    return {"type": "ephemeral"} if ttl == "5m" else {"type": "ephemeral", "ttl": ttl}


def prefix_hash(end: PrefixEnd) -> str:
    return f"{end.id & (1 << 64) - 1:016x}"


def with_marks(
    body: Mapping[str, Json], places: Sequence[tuple[str | int, ...]], mark: Mapping[str, Json]
) -> dict[str, Json]:
    """A copy of the body with the mark on these blocks; a string becomes the block that it is short for."""
    made = dict(body)
    for place in places:
        name, *rest = place
        made[str(name)] = _with_mark(made[str(name)], rest, mark)
    return made


def _with_mark(value: Any, steps: Sequence[str | int], mark: Mapping[str, Json]) -> Any:
    if isinstance(value, str):
        return [{"type": "text", "text": value, MARK: dict(mark)}]
    if "role" in value:  # a message: the rest of the way is in its content
        return {**value, "content": _with_mark(value["content"], steps, mark)}
    if steps:
        at, *rest = steps
        return [_with_mark(item, rest, mark) if n == at else item for n, item in enumerate(value)]
    return {**value, MARK: dict(mark)}


def _mark_at(body: Mapping[str, Json], place: tuple[str | int, ...]) -> Mapping[str, Any] | None:
    """The mark of the block there; a text that is a plain string has none, whatever it says."""
    value: Any = body
    for step in place:
        value = value["content"] if isinstance(value, Mapping) and "role" in value else value
        value = value[step]
    return value.get(MARK) if isinstance(value, Mapping) else None


# ---------------------------------------------------------------- marks by hand


def unmarked(body: Mapping[str, Json]) -> Mapping[str, Json]:
    """The body as its key sees it: a text that is a block only because of its mark is a string again."""
    system, messages = body.get("system"), body.get("messages", ())
    contents = [message["content"] for message in messages]
    if not any(map(_is_whole, (system, *contents))):
        return body
    made = {**body, "messages": [{**one, "content": _plain(one["content"])} for one in messages]}
    return {**made, "system": _plain(system)} if "system" in body else made


def _is_whole(content: Json) -> bool:
    return isinstance(content, list) and len(content) == 1 and WHOLE in content[0].get(MARK, {})


def _plain(content: Json) -> Json:
    return content[0]["text"] if _is_whole(content) else content


def with_ttl(value: Any, ttl: str) -> Any:
    """The tree with every mark in the API's form; marks that name no ttl get the job's. Schemas hold no marks."""
    if isinstance(value, Mapping):
        return {
            name: {**control(ttl), **{key: one for key, one in inner.items() if key != WHOLE}}
            if name == MARK and isinstance(inner, Mapping)
            else inner
            if name in _SCHEMAS
            else with_ttl(inner, ttl)
            for name, inner in value.items()
        }
    return [with_ttl(item, ttl) for item in value] if isinstance(value, list) else value
