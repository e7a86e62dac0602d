"""Attachments of a request → the blocks the API takes, the files they name, and what is wrong with them.

A file is not read into the body here: its block holds a `source` of type FILE with the hash of the content, which is
what the request's key is made of; `media_body` puts the bytes in when the request is sent. So a plan over a million
pictures takes the memory of one.
Blocks: `types/image_block_param.py`, `document_block_param.py`, `search_result_block_param.py` of SDK 2.12.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from runner.errors import Position, Problem, SpecError
from runner.models.providers import PROVIDERS
from runner.models.terms import PAGES
from runner.prompts import media_limits
from runner.prompts.attached import Attached
from runner.prompts.media_data import data_block
from runner.prompts.media_source import FILE
from runner.records import AttachedFile, Json, Row
from runner.spec import media
from runner.spec.attachments import check_url, is_item
from runner.spec.caching import control_of
from runner.spec.job import JobSpec
from runner.spec.lint_providers import SOURCES
from runner.spec.lint_reuse import BEHIND_URL, SAY, UNSAID
from runner.spec.media_file import MediaFile, MediaFiles, image_tokens
from runner.spec.paths import read_text

UNKNOWN_PAGES_TOKENS: Final = 100_000
"""What a document behind a URL or a file id may cost: a guess, nothing is known of it."""


class MediaBlocks:
    """Makes blocks for the requests of one job; remembers what files are, never what they hold."""

    def __init__(self, job: JobSpec) -> None:
        self._confine = job.confine
        self._base = job.path.resolve().parent
        self._root = job.root
        self._files = MediaFiles()
        self._urls_said = job.run.reuse.written
        self._provider = PROVIDERS[job.client.provider]

    def resolve(self, fields: Mapping[str, Json], row: Row) -> tuple[Mapping[str, Json], Attached]:
        """The fields with API blocks in place of items, and what came of them; `problems` says what is wrong."""
        attached = Attached()
        made = dict(fields)
        if "attachments" in fields:
            made["attachments"] = self._blocks(fields["attachments"], row, attached, "attachments")
        if "messages" in fields:
            made["messages"] = [
                self._message(message, row, attached, f"messages[{i}].content")
                for i, message in enumerate(fields["messages"])
            ]
        if attached.blocks:
            attached.problems += media_limits.problems_of(
                attached.blocks, attached.places, attached.seen, fields["model"]
            )
        return made, attached

    def _message(self, message: Mapping[str, Json], row: Row, attached: Attached, path: str) -> Mapping[str, Json]:
        content = message["content"]
        if not isinstance(content, list) or not any(map(is_item, content)):
            return message
        return {**message, "content": self._blocks(content, row, attached, path)}

    def _blocks(self, items: Json, row: Row, attached: Attached, path: str) -> list[Json]:
        """The blocks of a list that may hold text blocks too; a faulty item gives a problem and no block."""
        made = []
        for i, item in enumerate(items):
            if path != "attachments" and not is_item(item):
                made.append(item)
                continue
            try:
                block = self._block(item, row, attached)
            except SpecError as error:
                attached.problems += [_placed(one, item, f"{path}[{i}]") for one in error.problems]
                continue
            attached.blocks.append(block)
            attached.places.append(item.get("at"))
            made.append(block)
        return made

    def _block(self, item: Mapping[str, Any], row: Row, attached: Attached) -> dict[str, Json]:
        name = next(name for name in _MAKERS if name in item)
        return _MAKERS[name](self, item, row, attached)

    # ------------------------------------------------------------ one for each kind of source

    def _from_path(self, item: Mapping[str, Any], row: Row, attached: Attached) -> dict[str, Json]:
        written, at = item["path"], item.get("at")
        file = self._confine.file(written, base=self._folder(item, row), where=at)
        found = self._files.look(file, self._confine.shown(file), at)
        kind = "image" if found.is_image else "document"
        asked = item.get("type", kind)
        if asked == "search_result" and found.media_type == media.TEXT:
            text = read_text(file, shown=found.shown, where=at)
            return text_block({**item, "text": text})
        if asked != kind:
            what = f"`{found.shown}` is {media.in_words(found.media_type)}, which is no `{asked}`"
            raise SpecError(what, where=at, next=f"write `type: {kind}`, or leave `type` out", rule="media-mismatch")
        upload = item.get("upload") is True
        if upload:
            self._require("upload", at)
        attached.seen.append((found, at, upload))
        attached.tokens += found.tokens
        if found.media_type == media.PDF and found.pages is None:
            attached.unbounded = (PAGES,)
        known = attached.files.get(found.sha256)
        attached.files[found.sha256] = _attached_file(found, upload=upload or (known is not None and known.upload))
        source = {"type": FILE, "media_type": found.media_type, "sha256": found.sha256, "size": found.size}
        return finished(item, kind, source)

    def _folder(self, item: Mapping[str, Any], row: Row) -> Path:
        """Paths are relative to the file that wrote them; the row of a file says its own path from the root."""
        if not item.get("from_row"):
            return self._base
        if item["path"] == row.source.file:
            return self._root
        file = self._root / row.source.file
        return file.parent if file.is_file() else self._base  # rows of stdin, and those of the spec itself

    def _from_url(self, item: Mapping[str, Any], row: Row, attached: Attached) -> dict[str, Json]:
        url, at = item["url"], item.get("at")
        check_url(url, at)
        self._require("url", at)
        if not self._urls_said:
            raise SpecError(BEHIND_URL, where=at, next=SAY, rule=UNSAID)
        promised = media.expected(urlsplit(url).path)
        kind = item.get("type") or _kind_of_words(item) or {None: None, media.PDF: "document"}.get(promised, "image")
        if kind is None:
            what = f"nothing says whether `{url[:200]}` is an image or a document"
            raise SpecError(what, where=at, next="write `type: image` or `type: document`", rule="missing-key")
        _count_unseen(kind, attached)
        return finished(item, kind, {"type": "url", "url": url})

    def _require(self, source: str, at: Position | None) -> None:
        """Raises SpecError when the job's provider does not take such a source; lint saw those of the spec itself."""
        step = self._provider.lacks.get(source)
        if step is not None:
            what = f"{self._provider.title} {SOURCES[source]}"
            raise SpecError(what, where=at, next=step, rule="provider-lacks")

    def _from_file_id(self, item: Mapping[str, Any], row: Row, attached: Attached) -> dict[str, Json]:
        id, at = item["file_id"], item.get("at")
        self._require("file_id", at)
        if id != id.strip() or not id.isprintable() or not id:
            what = "a file id is one word, such as `file_011CNha8iCJcU1wXNR6q4V8w`"
            raise SpecError(what, where=at, rule="wrong-value")
        kind = item.get("type") or _kind_of_words(item)
        if kind is None:
            what = f"nothing says whether `{id[:200]}` is an image or a document"
            raise SpecError(what, where=at, next="write `type: image` or `type: document`", rule="missing-key")
        _count_unseen(kind, attached)
        return finished(item, kind, {"type": "file", "file_id": id})

    def _from_text(self, item: Mapping[str, Any], row: Row, attached: Attached) -> dict[str, Json]:
        return text_block(item)

    def _from_data(self, item: Mapping[str, Any], row: Row, attached: Attached) -> dict[str, Json]:
        kind, source, tokens = data_block(item)
        attached.tokens += tokens
        return finished(item, kind, source)


_Maker = Callable[[MediaBlocks, Mapping[str, Any], Row, Attached], dict[str, Json]]
_MAKERS: Final[Mapping[str, _Maker]] = {
    "path": MediaBlocks._from_path,
    "url": MediaBlocks._from_url,
    "file_id": MediaBlocks._from_file_id,
    "text": MediaBlocks._from_text,
    "data": MediaBlocks._from_data,
}


def _count_unseen(kind: str, attached: Attached) -> None:
    """Something that only the API can look at."""
    if kind == "image":
        attached.tokens += image_tokens()
    else:
        attached.tokens += UNKNOWN_PAGES_TOKENS
        attached.unbounded = (PAGES,)


def text_block(item: Mapping[str, Any]) -> dict[str, Json]:
    """A document or a search result of text. A list of texts is cited text by text, one text by its sentences."""
    text, at = item["text"], item.get("at")
    texts = text if isinstance(text, list) else [text]
    if not all(one.strip() for one in texts):
        step = "give the row's values, or leave it out with `when`"
        raise SpecError("the document is nothing but white space", where=at, next=step, rule="empty-text")
    blocks = [{"type": "text", "text": one} for one in texts]
    if item.get("type") == "search_result":
        return finished(item, "search_result", blocks)
    if item.get("type") == "image":
        raise SpecError("text makes no image", where=at, next="write `type: document`", rule="not-allowed")
    if isinstance(text, list):
        return finished(item, "document", {"type": "content", "content": blocks})
    return finished(item, "document", {"type": "text", "media_type": media.TEXT, "data": text})


def finished(item: Mapping[str, Any], kind: str, source: Json) -> dict[str, Json]:
    """The block with what goes with its source. Raises SpecError for words that an image cannot take."""
    named = {name: item[name] for name in ("title", "context") if name in item}
    cited = item.get("citations")
    if kind == "image" and (named or cited is not None):
        name = next(iter(named), "citations")
        what = f"an image takes no `{name}`"
        raise SpecError(what, where=item.get("at"), next="say it in the prompt's text", rule="not-allowed")
    enabled = cited["enabled"] if isinstance(cited, Mapping) else cited
    more: dict[str, Json] = {} if enabled is None else {"citations": {"enabled": enabled}}
    more |= control_of(item)
    if kind == "search_result":
        return {"type": kind, "source": item["source"], "title": item["title"], "content": source, **more}
    return {"type": kind, "source": source, **named, **more}


def _kind_of_words(item: Mapping[str, Any]) -> str | None:
    """Only documents have titles, contexts and citations."""
    return "document" if {"title", "context", "citations"} & item.keys() else None


def _attached_file(found: MediaFile, *, upload: bool) -> AttachedFile:
    return AttachedFile(found.sha256, str(found.path), found.shown, found.media_type, found.size, upload)


def _placed(problem: Problem, item: Mapping[str, Any], path: str) -> Problem:
    """With its place in the request; where: the template's or the item's own."""
    return replace(problem, where=problem.where or item.get("at"), path=problem.path or path)
