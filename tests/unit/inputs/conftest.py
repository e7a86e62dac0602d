"""A job around the sources under test: real confinement, real templates, no spec file."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from runner.errors import Position
from runner.inputs import Selection, Stamps, Stdin, read_rows
from runner.records import Row
from runner.spec.job import CellSpec, InputSource, JobSpec
from runner.spec.paths import Confine
from runner.spec.template import Templates


@dataclass
class Project:
    """A folder with data files, and the rows that a job in it has."""

    root: Path
    stdin_bytes: bytes = b""
    stamps: Stamps = field(default_factory=Stamps)
    cell: CellSpec = field(default_factory=lambda: CellSpec(0, {}, {"max_tokens": 10}))
    allowed: tuple[Path, ...] = ()

    def write(self, name: str, data: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
        return path

    @property
    def templates(self) -> Templates:
        return Templates(Confine(self.root, self.allowed), base=self.root)

    def source(self, kind: Any = "file", path: str = "", **options: Any) -> InputSource:
        """`where` and a templated `id` as text, as an author writes them."""
        at = Position("job.yaml", 7, 3)
        if "where" in options:
            options["where"] = self.templates.expression(options["where"], at)
        if "{{" in str(options.get("id", "")):
            options["id"] = self.templates.text(options["id"], at)
        return InputSource(kind, at, self.root, path=path, **options)

    def job(self, *sources: InputSource) -> JobSpec:
        confine = Confine(self.root, self.allowed)
        return JobSpec(self.root / "job.yaml", self.root, confine, "job", (self.cell,), self.templates, sources)

    def stream(self, *sources: InputSource, selection: Selection = Selection()) -> Iterator[Row]:  # noqa: B008  # frozen
        with Stdin(io.BytesIO(self.stdin_bytes), cwd=self.root) as stdin:
            yield from read_rows(self.job(*sources), selection, stdin=stdin, stamps=self.stamps)

    def rows(self, *sources: InputSource, **selection: Any) -> list[Row]:
        return list(self.stream(*sources, selection=Selection(**selection)))

    def file(self, name: str, data: str | bytes, **options: Any) -> list[Row]:
        """The rows of one file with this content, as a job of its own."""
        self.stamps = Stamps()
        self.write(name, data)
        return self.rows(self.source("file", name, **options))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path.resolve())


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Project]:
    """For hypothesis: a fresh Project for every example, in one folder."""
    folder = tmp_path_factory.mktemp("inputs").resolve()
    return lambda: Project(folder)
