"""Which files a job may read: those under its project root, or under a folder the person at the keyboard allowed.

Every path that a spec, a template or a row names goes through `Confine`. It follows symlinks before it
decides, so a link cannot lead out. Nothing here opens a file except `read_text`, and a spec can widen nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Final

from runner.errors import Position, SpecError
from runner.spec.near import near_names

MAX_TEXT_BYTES: Final = 32_000_000  # of a request: https://platform.claude.com/docs/en/api/overview, size limits

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\..*)?", re.IGNORECASE)
# https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file: reserved with any extension too


def is_device_name(name: str) -> bool:
    """True for a file name that Windows takes for a device: `con`, `NUL.txt`, `com1`."""
    return _DEVICE.fullmatch(name) is not None


def project_root(spec_file: Path) -> Path:
    """The nearest folder at or above the spec that holds `.git` or `outputs/.gitignore`, else the spec's folder."""
    folder = spec_file.resolve().parent
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists() or (candidate / "outputs" / ".gitignore").is_file():
            return candidate
    return folder


def outputs_asked(given: str | os.PathLike[str] | None, env: Mapping[str, str]) -> Path | None:
    """Where results go: as given, else PROMPTRUN_OUTPUT_DIR; None: outputs/ at the root of each spec's project."""
    named = given or env.get("PROMPTRUN_OUTPUT_DIR")
    return Path(named) if named else None


@dataclass(frozen=True)
class Confine:
    """The folders a job may read from. root, allowed: absolute and without symlinks (`confine` makes them so)."""

    root: Path
    allowed: tuple[Path, ...] = ()

    def resolve(self, written: str, *, base: Path, where: Position | None = None) -> Path:
        """The absolute path that `written` means beside `base`, symlinks followed; it need not exist.

        Raises SpecError: `bad-path` for names no file can portably have, `path-outside-root` for the rest.
        """
        _refuse_hostile(written, where)
        try:
            path = (base / written).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name too long, lone surrogates
            raise SpecError(
                f"`{_ascii(written)}` is not a usable path: {error}", where=where, rule="bad-path"
            ) from None
        if not self.holds(path):
            raise _outside(written, path if written.endswith("/") else path.parent, where)
        return path

    def file(self, written: str, *, base: Path, where: Position | None = None) -> Path:
        """Like `resolve`, for a file that must exist; raises SpecError `file-not-found` naming near files."""
        path = self.resolve(written, base=base, where=where)
        try:
            if path.is_file():
                return path
        except OSError as error:
            raise SpecError(
                f"`{written}` is not a usable path: {error.strerror}", where=where, rule="bad-path"
            ) from None
        raise _missing(written, path, base, where)

    def holds(self, path: Path) -> bool:
        """Whether this resolved path lies under the root or an allowed folder."""
        return any(path.is_relative_to(folder) for folder in (self.root, *self.allowed))

    def shown(self, path: Path) -> str:
        """The path for messages and records: relative to the root with `/`; absolute when it lies elsewhere."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()


def confine(spec_file: Path, allow_paths: Iterable[Path] = ()) -> Confine:
    """The confinement of a spec; `allow_paths` are relative to the working directory, as typed."""
    return Confine(project_root(spec_file), tuple(path.resolve() for path in allow_paths))


def read_text(path: Path, *, shown: str, where: Position | None = None) -> str:
    """A whole UTF-8 file, line ends as `\\n`, a leading BOM dropped; SpecError names file and byte otherwise."""
    try:
        if path.stat().st_size > MAX_TEXT_BYTES:
            raise SpecError(f"`{shown}` is larger than 32 MB", where=where, rule="file-too-large")
        data = path.read_bytes()
    except OSError as error:
        raise SpecError(f"`{shown}` cannot be read: {error.strerror}", where=where, rule="file-unreadable") from None
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        start = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        raise SpecError(
            f"`{shown}` is not UTF-8: byte 0x{data[start]:02x} at offset {start}",
            where=where,
            next=f"save the file as UTF-8, for example: iconv -f WINDOWS-1252 -t UTF-8 {shown}",
            rule="wrong-encoding",
        ) from None


def _refuse_hostile(written: str, where: Position | None) -> None:
    windows = PureWindowsPath(written)
    if not written.strip():
        raise SpecError("the path is empty", where=where, next="name a file", rule="bad-path")
    if _CONTROL.search(written):
        raise SpecError(f"{_ascii(written)} holds a control character", where=where, next="remove it", rule="bad-path")
    if windows.drive.startswith("\\\\"):
        raise SpecError(
            f"`{written}` is a network path",
            where=where,
            next="copy the file under the project root; network paths are never read",
            rule="path-outside-root",
        )
    if windows.drive and (os.name != "nt" or not windows.is_absolute()):
        raise SpecError(
            f"`{written}` starts with a drive letter",
            where=where,
            next="write the path relative to this file, with `/`",
            rule="path-outside-root",
        )
    if any(is_device_name(part) for part in windows.parts):
        raise SpecError(f"`{written}` names a Windows device", where=where, next="rename the file", rule="bad-path")


def _outside(written: str, folder: Path, where: Position | None) -> SpecError:
    return SpecError(
        f"`{written}` lies outside the project root",
        where=where,
        next=f"move it under the project root, or allow its folder: --allow-path {folder.as_posix()}",
        rule="path-outside-root",
    )


def _missing(written: str, path: Path, base: Path, where: Position | None) -> SpecError:
    if path.is_dir():
        return SpecError(
            f"`{written}` is a folder, not a file",
            where=where,
            next=f"name a file in it; for `inputs`, `glob: {written.rstrip('/')}/*` reads all of them",
            rule="file-not-found",
        )
    if path.exists():
        return SpecError(f"`{written}` is not a regular file", where=where, rule="file-not-found")
    return SpecError(
        f"`{written}` does not exist", where=where, next=_near_files(written, path, base), rule="file-not-found"
    )


def _near_files(written: str, path: Path, base: Path) -> str:
    """What the author may have meant, written the way they write it."""
    if "\\" in written and os.name != "nt":
        return "write paths with `/`"
    try:
        names = [entry.name for entry in os.scandir(path.parent)]
    except OSError:
        return f"the folder `{Path(written).parent.as_posix()}` does not exist either"
    folder = written[: len(written) - len(path.name)] if written.endswith(path.name) else ""
    hits = [f"`{folder}{name}`" for name in near_names(path.name, names)]
    return f"did you mean {' or '.join(hits)}?" if hits else "paths are relative to the file that writes them"


def _ascii(text: str) -> str:
    return ascii(text[:200])
