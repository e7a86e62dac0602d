"""Rules about attachments that need no file: what cannot stand together.

API facts: https://platform.claude.com/docs/en/build-with-claude/vision and …/files
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runner.errors import Problem
from runner.spec.attachments import is_item
from runner.spec.lint_facts import CellFacts


def attachments_or_messages(facts: CellFacts) -> Iterator[Problem]:
    """`attachments` go before the prompt; a conversation says itself where its images stand."""
    if "attachments" in facts.fields and "messages" in facts.fields:
        what = "`attachments` go before a prompt, and `messages` have their own blocks"
        step = "put them into the content of a message: `- {type: image, path: …}`"
        yield facts.report("not-allowed", what, "attachments", next=step)


def only_files_are_uploaded(facts: CellFacts) -> Iterator[Problem]:
    for name, place, item in attached_items(facts):
        if item.get("upload") and "path" not in item and "value" not in item:
            what = "only a file is uploaded, and this item has no `path`"
            yield facts.report("not-allowed", what, name, *place, "upload", next="remove `upload`, or write `path: …`")
        elif item.get("upload") and item.get("type") == "search_result":
            what = "the API takes no search result from an uploaded file"
            yield facts.report("not-allowed", what, name, *place, "upload", next="remove `upload`")


def images_have_no_words(facts: CellFacts) -> Iterator[Problem]:
    """Titles, contexts and citations belong to documents; where only the file tells an image, planning says it."""
    for name, place, item in attached_items(facts):
        for word in ("title", "context", "citations"):
            if item.get("type") == "image" and word in item:
                what = f"an image takes no `{word}`"
                yield facts.report("not-allowed", what, name, *place, word, next="say it in the prompt's text")


def search_results_have_no_context(facts: CellFacts) -> Iterator[Problem]:
    for name, place, item in attached_items(facts):
        if item.get("type") == "search_result" and "context" in item:
            what = "a search result takes no `context`"
            yield facts.report("not-allowed", what, name, *place, "context", next="say it in its `text`")


RULES: tuple[Callable[[CellFacts], Iterator[Problem]], ...] = (
    attachments_or_messages,
    only_files_are_uploaded,
    images_have_no_words,
    search_results_have_no_context,
)

Place = tuple[str | int, ...]


def attached_items(facts: CellFacts) -> Iterator[tuple[str, Place, Mapping[str, Any]]]:
    """(field, place in it, item) of every image and document of a cell."""
    if "attachments" in facts.fields and "attachments" not in facts.broken:
        field = facts.fields["attachments"]
        several = facts.doc.where((*field.path, 0)) != facts.doc.where(field.path) or len(field.value) > 1
        for i, item in enumerate(field.value):
            yield "attachments", (i,) if several else (), item
    messages = facts.fields["messages"].value if "messages" in facts.fields else None
    for i, message in enumerate(messages if isinstance(messages, list) else ()):
        content = message["content"]
        for j, block in enumerate(content if isinstance(content, list) else ()):
            if is_item(block):
                yield "messages", (i, "content", j), block
