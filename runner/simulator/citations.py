"""What a reply cites: the first thing that a document with citations on, a search result or a web search offers.

Shapes: `types/text_citation.py` of SDK 2.12.0; https://platform.claude.com/docs/en/build-with-claude/citations. That
a reply cites once, and always the beginning of the first citable source, is a simplification."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

CITED_CHARACTERS = 120


def cited(body: dict[str, Any], results: list[dict[str, Any]]) -> dict[str, Any] | None:
    """One citation, None when nothing may be cited. results: the web search results of this very reply."""
    for kind, index, block in _sources(body):
        if (block.get("citations") or {}).get("enabled"):
            return _of_document(index, block) if kind == "document" else _of_search_result(index, block)
    return _of_web(results[0]) if results else None


def _sources(body: dict[str, Any]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """(type, its number among those of its type, block), also from tool results."""
    counts = {"document": 0, "search_result": 0}
    for message in body["messages"]:
        if isinstance(message["content"], str):
            continue
        for outer in message["content"]:
            inner = outer.get("content") if outer["type"] == "tool_result" else None
            for block in [outer, *(inner if isinstance(inner, list) else ())]:
                if block["type"] in counts:
                    yield block["type"], counts[block["type"]], block
                    counts[block["type"]] += 1


def _sentence(text: str) -> str:
    """The first sentence, cut where it is long."""
    first, dot, _ = text.strip().partition(". ")
    return (first + dot.strip())[:CITED_CHARACTERS]


def _of_document(index: int, block: dict[str, Any]) -> dict[str, Any]:
    source = block["source"]
    common = {"document_index": index, "document_title": block.get("title"), "file_id": source.get("file_id")}
    if source["type"] == "text":
        text = _sentence(source["data"])
        start = source["data"].find(text)
        place = {"type": "char_location", "start_char_index": start, "end_char_index": start + len(text)}
        return {**place, "cited_text": text, **common}
    if source["type"] == "content":
        place = {"type": "content_block_location", "start_block_index": 0, "end_block_index": 1}
        return {**place, "cited_text": _first_text(source["content"]), **common}
    place = {"type": "page_location", "start_page_number": 1, "end_page_number": 2}
    return {**place, "cited_text": "The simulator does not read this document.", **common}


def _first_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return next((str(block.get("text", "")) for block in content if isinstance(block, dict)), "")


def _of_search_result(index: int, block: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "search_result_location",
        "cited_text": _first_text(block["content"]),
        "search_result_index": index,
        "source": block["source"],
        "title": block["title"],
        "start_block_index": 0,
        "end_block_index": 1,
    }


def _of_web(result: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "web_search_result_location",
        "cited_text": "A simulated search result.",
        "url": result["url"],
        "title": result["title"],
        "encrypted_index": "sim",
    }
