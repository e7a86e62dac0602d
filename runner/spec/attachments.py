"""Attachments of a spec in one form: what `attachments` and the image and document blocks of `messages` say.

An item is a map with exactly one of SOURCES, `at` (its place, for messages), and what goes with it; the API's own
spelling with a `source` map becomes one too. Templates are compiled, not rendered; a path without a template is
looked at right away, so that a missing or wrong file is found with its line and before any row is read.
Block shapes: `types/image_block_param.py`, `document_block_param.py`, `search_result_block_param.py` of SDK 2.12.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from runner.errors import Position, SpecError
from runner.records import Json
from runner.spec.caching import control_of
from runner.spec.document import Path

if TYPE_CHECKING:
    from runner.spec.fields import Compiler

BLOCK_TYPES: Final = ("image", "document", "search_result")
SOURCES: Final = ("path", "url", "file_id", "text", "data")
_URLS: Final = ("https://", "http://", "data:", "file:", "ftp:")


def is_item(block: Json) -> bool:
    """Whether a block of a message is an image or a document, to be made into what the API takes."""
    return isinstance(block, Mapping) and block.get("type") in BLOCK_TYPES


def compile_attachments(value: Json, path: Path, compiler: Compiler) -> list[Any]:
    """The items of the key `attachments`. Mistakes are gathered; such an item is left out."""
    if not isinstance(value, list):
        return compile_item(value, path, compiler)
    return [item for i, one in enumerate(value) for item in compile_item(one, (*path, i), compiler)]


def compile_item(value: Json, path: Path, compiler: Compiler) -> list[Any]:
    """One item, or none when something is wrong with it. A string with a template may render to several."""
    at = compiler.gathered.doc.where(path)
    with compiler.gathered.catching(path):
        if isinstance(value, str):
            made = compiler.text(value, path)
            item: dict[str, Any] = plain_item(made) if isinstance(made, str) else {"value": made}
        else:
            item = _compiled_map(normal_item(value), path, compiler)
        if isinstance(item.get("path"), str):
            _look(item["path"], (*path, "path") if isinstance(value, Mapping) else path, compiler)
        if isinstance(item.get("url"), str):
            check_url(item["url"], at)
        return [{**item, "at": at}]
    return []


def check_url(url: str, at: Position | None) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/vision: the API fetches it, and https only."""
    step = "save the file in the project and attach its path"
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and url.isprintable() and " " not in url
    except ValueError:
        raise SpecError("the URL cannot be read", where=at, next=step, rule="wrong-value") from None
    if parts.scheme != "https" or not usable:
        what = f"`{url[:100]}` is no https URL, and the API fetches no other"
        raise SpecError(what, where=at, next=step, rule="wrong-value")
    if parts.username is not None or parts.password is not None:
        raise SpecError("the URL holds a user name or password", where=at, next=step, rule="credential")


def plain_item(written: str) -> dict[str, Json]:
    """What a bare string means: a URL, or else a path."""
    return {"url" if written.startswith(_URLS) else "path": written}


def row_items(value: Json) -> list[dict[str, Json]]:
    """The items of a row's overrides: literal, and already checked by the schema."""
    values = value if isinstance(value, list) else [value]
    made = (plain_item(one) if isinstance(one, str) else normal_item(one) for one in values)
    return [{**item, "at": None, "from_row": True} for item in made]


def has_condition(value: Json) -> bool:
    """Whether a row's own value holds `when`, which would be code from data."""
    if isinstance(value, Mapping):
        return "when" in value or any(map(has_condition, value.values()))
    return isinstance(value, list) and any(map(has_condition, value))


def normal_item(value: Mapping[str, Json]) -> dict[str, Json]:
    """A map as it was written, with the API's `source: {type: …}` as one of SOURCES."""
    source = value.get("source")
    if not isinstance(source, Mapping):
        return dict(value)
    rest = {name: one for name, one in value.items() if name != "source"}
    kind = source.get("type")
    if kind in ("url", "file"):
        name = "url" if kind == "url" else "file_id"
        return {**rest, name: source[name]}
    if kind == "text":
        return {**rest, "text": source["data"]}
    if kind == "content":
        content = source["content"]
        return {**rest, "text": content if isinstance(content, str) else [block["text"] for block in content]}
    return {**rest, "data": source["data"], "media_type": source["media_type"]}


def _compiled_map(item: Mapping[str, Json], path: Path, compiler: Compiler) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in item.items():
        if name in ("cache", "cache_control"):
            made.update(control_of(item))
        elif name == "when":
            made[name] = compiler.templates.expression(value, compiler.gathered.doc.text_line((*path, name)))
        elif name in ("data", "type", "media_type"):
            made[name] = value
        else:
            made[name] = compiler.tree(value, (*path, name))
    return made


def _look(written: str, path: Path, compiler: Compiler) -> None:
    """Gathers what is wrong with a file that the spec names without a template, and notes it as one of the job's."""
    gathered = compiler.gathered
    where = gathered.doc.where(path)
    with gathered.catching(path):
        file = gathered.confine.file(written, base=gathered.base, where=where)
        gathered.media.look(file, gathered.confine.shown(file), where)
        gathered.attached[file] = None
