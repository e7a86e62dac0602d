"""The request fields of a spec in one form: the API's own spellings accepted, files read, templates compiled.

`normal_field` is for one literal value and is pure; `compile_field` is for what a spec says. Neither checks
against the schema: that was done on the tree as it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Final

from runner.errors import Position, SpecError
from runner.records import Json
from runner.spec.attachments import compile_attachments, compile_item, is_item
from runner.spec.caching import control_of, marked_text
from runner.spec.document import Path
from runner.spec.gather import Gathered
from runner.spec.job import REQUEST_FIELDS
from runner.spec.params import NEVER_TEMPLATES, normal_fallbacks, normal_mcp_servers
from runner.spec.template import Templates
from runner.spec.turns import compile_turns

_THINKING_OFF: Final = {"type": "disabled"}


@dataclass(frozen=True)
class Field:
    """A request field, compiled. path: where the document says it."""

    value: Any
    path: Path


@dataclass(frozen=True)
class Compiler:
    """What turns the spec's values into compiled ones."""

    gathered: Gathered
    templates: Templates

    def tree(self, value: Json, path: Path) -> Any:
        """A JSON tree with every templated string compiled; on a mistake the value as it was written."""
        with self.gathered.catching(path):
            return self.templates.tree(value, lambda inner: self.gathered.doc.text_line((*path, *inner)))
        return value

    def text(self, source: str, path: Path) -> Any:
        with self.gathered.catching(path):
            return self.templates.text(source, self.gathered.doc.text_line(path))
        return source

    def file(self, spec: Mapping[str, Json], path: Path) -> Any:
        """The text of `{file: …, template: …}`, its trailing newline kept; None when it cannot be read."""
        with self.gathered.catching((*path, "file")):
            _refuse_template(spec["file"])
            text, file = self.gathered.read(spec["file"], (*path, "file"))
            return self._file_text(text, file) if spec.get("template", True) else text
        return None

    def _file_text(self, text: str, file: FilePath) -> Any:
        where = Position(self.gathered.confine.shown(file), 1, 1)
        return self.templates.text(text, where, base=file.parent)


def _refuse_template(written: str) -> None:
    if "{{" in written or "{%" in written:
        raise SpecError(
            "a path is no template",
            rule="not-allowed",
            next="write {% include 'folder/' ~ name ~ '.md' %} as the text, or vary this field in `matrix`",
        )


def normal_field(name: str, value: Json) -> Json:
    """One literal value in the form the API takes: `thinking: off` becomes `{"type": "disabled"}`."""
    if name == "fallbacks":
        return normal_fallbacks(value)
    if name == "mcp_servers":
        return normal_mcp_servers(value)
    return _normal_thinking(value) if name == "thinking" else value


def written_fields(tree: Mapping[str, Json], at: Mapping[str, Path] | None = None) -> dict[str, tuple[Json, Path]]:
    """The request fields among the keys of a map, and where: `output_config: {effort}` is `effort`.

    at: where each key's value stands; without it, the map is the document itself.
    """
    places = at if at is not None else {name: (name,) for name in tree}
    fields: dict[str, tuple[Json, Path]] = {
        name: (tree[name], places[name]) for name in REQUEST_FIELDS if name in tree and name in places
    }
    config = tree.get("output_config")
    if isinstance(config, Mapping) and "effort" in config:
        fields.setdefault("effort", (config["effort"], (*places["output_config"], "effort")))
    return fields


def compile_field(name: str, value: Json, path: Path, compiler: Compiler) -> Field:
    """A field as the rest of the program sees it. Mistakes are gathered; then the value is a stand-in."""
    if name == "prompt" and isinstance(value, Mapping) and value.get("cache"):
        step = "mark the system prompt or an attachment, or write `messages` with the shared text in a block of its own"
        what = "the prompt is each row's own: nobody shares it"
        compiler.gathered.add("not-allowed", what, (*path, "cache"), next=step)
        value = {**value, "cache": False}
    if name in ("system", "prompt"):
        return Field(_content(value, path, compiler), path)
    if name == "attachments":
        return Field(compile_attachments(value, path, compiler), path)
    if name == "output":
        from runner.spec.output import compile_output  # what knows of JSON Schemas; many jobs have none

        return Field(compile_output(value, path, compiler.gathered), path)
    if name == "turns":
        return Field(compile_turns(value, path, compiler, _content), path)
    if name == "messages" and isinstance(value, list):
        return Field([_message(message, (*path, i), compiler) for i, message in enumerate(value)], path)
    if name in NEVER_TEMPLATES:
        return Field(normal_field(name, value), path)
    return Field(compiler.tree(normal_field(name, value), path), path)


def _message(message: Mapping[str, Json], path: Path, compiler: Compiler) -> dict[str, Any]:
    return {**message, "content": _content(message["content"], (*path, "content"), compiler)}


def _content(value: Json, path: Path, compiler: Compiler) -> Any:
    """Text, a file's text, or a list of blocks."""
    if isinstance(value, str):
        return compiler.text(value, path)
    if isinstance(value, Mapping):
        return marked_text(_block_text(value, path, compiler), value)
    return [made for i, block in enumerate(value) for made in _blocks(block, (*path, i), compiler)]


def _blocks(block: Json, path: Path, compiler: Compiler) -> list[Any]:
    return compile_item(block, path, compiler) if is_item(block) else [_block(block, path, compiler)]


def _block(block: Json, path: Path, compiler: Compiler) -> Any:
    if isinstance(block, str):
        return {"type": "text", "text": compiler.text(block, path)}
    if block.get("type", "text") != "text":
        return compiler.tree(block, path)
    return {"type": "text", "text": _block_text(block, path, compiler), **control_of(block)}


def _block_text(block: Mapping[str, Json], path: Path, compiler: Compiler) -> Any:
    if "file" in block:
        return compiler.file(block, path)
    return compiler.text(block["text"], (*path, "text"))


def _normal_thinking(value: Json) -> Json:
    """The API's shape. A template stays as it is: what it renders to is normalised then."""
    if isinstance(value, str):
        if "{{" in value:
            return value
        return dict(_THINKING_OFF) if value == "off" else {"type": value}
    if isinstance(value, Mapping) and value.get("type") == "off":
        return {**value, **_THINKING_OFF}
    if isinstance(value, Mapping) and "type" not in value:
        return {"type": "enabled" if "budget_tokens" in value else "adaptive", **value}
    return value
