"""What ran, as the first part of run.json: the spec, every file it read, versions, the commit, the arguments.

Runs no program (the commit is read from `.git` itself) and imports none of the packages whose versions it tells.
Nothing that looks like a credential is kept.
"""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.errors import SpecError

TEXT_LIMIT = 1 << 20
"""Files up to this many bytes are kept whole; of longer and of binary ones, only the hash."""

_KEY = re.compile(r"\b(sk-ant-)[A-Za-z0-9_-]{8,}")
_NAMED = re.compile(
    r"(?i)((?:api[-_ ]?key|auth[-_ ]?token|access[-_ ]?token|secret|password|authorization|bearer)[\w-]*\s*[=:]\s*)\S.*"
)
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")


def describe_run(
    *,
    job: str,
    spec: Path,
    root: Path,
    files: Iterable[Path] = (),
    arguments: Sequence[str] = (),
    simulated: bool = False,
    limited: bool = False,
    shard: Mapping[str, Any] | None = None,
    parent: str | None = None,
    retry: Mapping[str, Any] | None = None,
    checks: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """The manifest `open_run` takes. limited: flags chose among the rows, so `latest` must not point here.

    shard: `{k, of, limited}`, whether flags beside `--shard` chose among the rows. parent: the run this one retries;
    retry: `{statuses, arguments}`, what it sends again and the words of the run command that it does so with.
    checks: as the spec has them, None for none.
    """
    return {
        "job": job,
        "simulated": simulated,
        "limited": limited,
        "shard": dict(shard) if shard else None,
        "parent": parent,
        "retry": dict(retry) if retry else None,
        "checks": list(checks) if checks is not None else None,
        "spec": describe_file(spec, root),
        "files": [describe_file(file, root) for file in files if file != spec],
        "git": {"commit": git_commit(root)},
        "versions": versions(),
        "arguments": [redact(argument) for argument in arguments],
    }


def describe_file(path: Path, root: Path) -> dict[str, Any]:
    """{path relative to the root, sha256, bytes, text}; text is null for binary and for long files."""
    try:
        digest, size, head = _read_hashing(path)
    except OSError as error:
        raise SpecError(f"could not read `{shown(path, root)}`: {error.strerror}", rule="unreadable-file") from error
    return {"path": shown(path, root), "sha256": digest, "bytes": size, "text": _text(head, size)}


def _read_hashing(path: Path) -> tuple[str, int, bytes]:
    """(sha256, size, content as far as it is kept), in constant memory."""
    digest = hashlib.sha256()
    size, head = 0, b""
    with path.open("rb") as file:
        while chunk := file.read(1 << 16):
            digest.update(chunk)
            size += len(chunk)
            head = head + chunk if size <= TEXT_LIMIT else b""
    return digest.hexdigest(), size, head


def _text(content: bytes, size: int) -> str | None:
    if size > TEXT_LIMIT or b"\0" in content:
        return None
    try:
        return redact_keys(content.decode("utf-8"))
    except UnicodeDecodeError:
        return None


def shown(path: Path, root: Path) -> str:
    """The path as it is in the project; outside of it only the name, since a home directory is nobody's business."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return path.name


def redact(argument: str) -> str:
    """An argument of the command line without what looks like a credential."""
    return redact_keys(_USERINFO.sub("***@", _NAMED.sub(r"\1***", argument)))


def redact_keys(text: str) -> str:
    return _KEY.sub(r"\1***", text)


def versions() -> Mapping[str, str | None]:
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in ("promptrun", "anthropic", "genai-prices"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def git_commit(root: Path) -> str | None:
    """The commit checked out at or above `root`; None without one, and for layouts this does not know."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            try:
                return _commit(folder / ".git")
            except (OSError, UnicodeDecodeError):
                return None
    return None


def _commit(git: Path) -> str | None:
    if git.is_file():  # a worktree or submodule: `gitdir: <path>`
        git = (git.parent / _read(git).removeprefix("gitdir:").strip()).resolve()
    head = _read(git / "HEAD")
    if not head.startswith("ref:"):
        return head or None
    ref = head.removeprefix("ref:").strip()
    common = git / "commondir"
    shared = (git / _read(common)).resolve() if common.exists() else git
    loose = shared / ref
    return _read(loose) if loose.exists() else _packed(shared / "packed-refs", ref)


def _packed(packed: Path, ref: str) -> str | None:
    if not packed.exists():
        return None
    lines = (line.split(" ") for line in _read(packed).splitlines())
    return next((line[0] for line in lines if line[1:] == [ref]), None)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()
