"""Whether a request attaches anything, and what its attachments amount to. `media` makes them, for jobs that have some.

Looks at no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from runner.errors import Position, Problem
from runner.records import AttachedFile, Json

if TYPE_CHECKING:
    from runner.spec.media_file import MediaFile

SeenFile: TypeAlias = "tuple[MediaFile, Position | None, bool]"
"""(file, where it was attached, whether it is uploaded)."""
Seen: TypeAlias = Sequence[SeenFile]


@dataclass
class Attached:
    """What attachments amount to, as it grows. blocks: in order, images and documents alike; places: of each.

    tokens: what they may cost at most, without what the body says in text. unbounded: of which of them that is a guess.
    """

    blocks: list[dict[str, Json]] = field(default_factory=list)
    places: list[Position | None] = field(default_factory=list)
    files: dict[str, AttachedFile] = field(default_factory=dict)
    seen: list[SeenFile] = field(default_factory=list)
    tokens: int = 0
    unbounded: tuple[str, ...] = ()
    problems: list[Problem] = field(default_factory=list)


def attaches(fields: Mapping[str, Json]) -> bool:
    """Whether rendered fields hold anything that may be an attachment."""
    return "attachments" in fields or any(isinstance(one["content"], list) for one in fields.get("messages", ()))


def too_long(size: int, seen: Seen, most: int) -> Problem | None:
    """The problem of a body that is too large with its files. size: bytes without them; most: what the provider takes.

    https://platform.claude.com/docs/en/api/overview#request-size-limits
    """
    size += sum(file.base64_size for file, _, upload in seen if not upload)
    if size <= most:
        return None
    what = f"the request has {-(-size // 2**20)} MB; it may have {most // 2**20} MB"
    step = "attach files with `upload: true`, or spread them over several rows" if seen else "send less text"
    return Problem("request-too-large", what, seen[0][1] if seen else None, next=step)
