"""Globs and paths from stdin: which files, in which order, and their text only on demand."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.errors import SpecError
from runner.inputs.walk import split_pattern, walk

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")


def paths(rows):
    return [row.values["path"] for row in rows]


def tree(project, *names):
    for name in names:
        project.write(name, f"text of {name}")


def test_files_give_path_name_and_stem_sorted_by_path(project):
    tree(project, "docs/b.md", "docs/a.md", "docs/a/z.md", "docs/a-1.md", "docs/c.txt", "docs/.hidden.md")
    rows = project.rows(project.source("glob", "docs/**/*.md"))
    assert paths(rows) == ["docs/a-1.md", "docs/a.md", "docs/a/z.md", "docs/b.md"] == sorted(paths(rows))
    assert dict(rows[0].values) == {"path": "docs/a-1.md", "name": "a-1.md", "stem": "a-1"}
    assert [row.id for row in rows] == paths(rows)
    assert str(rows[0].source) == "docs/a-1.md"


def test_text_is_read_on_demand_and_never_listed(project):
    tree(project, "a.md")
    (row,) = project.rows(project.source("glob", "*.md"))
    assert row.values["text"] == "text of a.md"
    assert "text" not in row.values
    assert "text" not in dict(row.values)
    with pytest.raises(KeyError):
        row.values["other"]


def test_a_file_nobody_reads_may_be_anything(project):
    project.write("a.png", b"\x89PNG\xff")
    (row,) = project.rows(project.source("glob", "*.png"))
    assert row.problem is None
    with pytest.raises(SpecError, match=r"`a\.png` is not UTF-8: byte 0x89 at offset 0"):
        row.values["text"]


def test_a_text_beyond_the_limit_is_an_error(project, monkeypatch):
    monkeypatch.setattr("runner.inputs.file_values.MAX_TEXT", 5)
    tree(project, "a.md")
    (row,) = project.rows(project.source("glob", "*.md"))
    with pytest.raises(SpecError, match="32 MB") as caught:
        row.values["text"]
    assert caught.value.problems[0].rule == "file-too-large"


def test_a_file_that_went_away_is_an_error(project):
    tree(project, "a.md")
    (row,) = project.rows(project.source("glob", "*.md"))
    (project.root / "a.md").unlink()
    with pytest.raises(SpecError, match="cannot be read"):
        row.values["text"]


def test_where_reads_the_text_when_it_names_it(project):
    tree(project, "a.md", "b.md")
    assert paths(project.rows(project.source("glob", "*.md", where="'of b' in text"))) == ["b.md"]
    assert paths(project.rows(project.source("glob", "*.md", where="'of a' in row.text"))) == ["a.md"]
    project.write("b.md", b"\xff")
    project.stamps = type(project.stamps)()
    rows = project.rows(project.source("glob", "*.md", where="'of b' in text"))
    assert [row.problem.rule for row in rows] == ["wrong-encoding"]


def test_a_pattern_may_start_above_its_spec_but_not_outside_the_root(project):
    tree(project, "src/a.py", "specs/x.yaml")
    source = project.source("glob", "../src/*.py")
    inside = type(source)("glob", source.at, project.root / "specs", path="../src/*.py")
    assert paths(project.rows(inside)) == ["src/a.py"]
    with pytest.raises(SpecError, match="outside the project root"):
        project.rows(source)


def test_no_match_is_an_error_unless_it_is_ok(project, snapshot):
    for pattern in ("nothing/*.md", "*.nope"):
        with pytest.raises(SpecError) as caught:
            project.rows(project.source("glob", pattern))
        assert str(caught.value) == snapshot
    assert project.rows(project.source("glob", "*.nope", on_empty="ok")) == []


@needs_links
def test_a_match_that_a_link_leads_out_is_a_bad_row(project, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.md").write_text("s", encoding="utf-8")
    tree(project, "in/a.md")
    (project.root / "in" / "out.md").symlink_to(outside / "secret.md")
    (project.root / "in" / "inside.md").symlink_to(project.root / "in" / "a.md")
    (project.root / "folder").symlink_to(outside)
    rows = project.rows(project.source("glob", "in/*.md"))
    assert [row.problem and row.problem.rule for row in rows] == [None, None, "path-outside-root"]
    assert [row.problem and row.problem.rule for row in project.rows(project.source("glob", "f*/*.md"))] == [
        "path-outside-root"
    ]
    assert paths(project.rows(project.source("glob", "**/a.md"))) == ["in/a.md"]


@needs_links
def test_links_in_a_circle_end(project):
    tree(project, "a/b/x.md")
    (project.root / "a" / "b" / "up").symlink_to(project.root / "a")
    (project.root / "loop.md").symlink_to(project.root / "loop.md")
    assert paths(project.rows(project.source("glob", "**/*.md"))) == ["a/b/x.md"]


@needs_links
def test_a_pipe_is_no_file(project):
    os.mkfifo(project.root / "pipe.md")
    tree(project, "a.md")
    assert paths(project.rows(project.source("glob", "*.md"))) == ["a.md"]
    with pytest.raises(SpecError, match="not a regular file"):
        project.rows(project.source("file", "pipe.md", format="txt"))


def test_match_adds_columns_and_refuses_other_paths(project, snapshot):
    tree(project, "data/en/a.txt", "data/readme.txt")
    good, bad = project.rows(project.source("glob", "data/**/*.txt", match=r"data/(?P<lang>\w+)/"))
    assert good.values["lang"] == "en"
    assert str(bad.problem) == snapshot


def test_a_match_that_hides_a_column_is_an_error(project, snapshot):
    with pytest.raises(SpecError) as caught:
        project.rows(project.source("glob", "*.md", match="(?P<text>a)"))
    assert str(caught.value) == snapshot


def test_paths_on_stdin_are_relative_to_the_working_directory(project):
    tree(project, "a.md", "sub/b c.md")
    project.stdin_bytes = b"sub/b c.md\r\n\na.md\n"
    rows = project.rows(project.source("paths", "-"))
    assert [(row.id, str(row.source), row.values["text"]) for row in rows] == [
        ("sub/b c.md", "<stdin>:1", "text of sub/b c.md"),
        ("a.md", "<stdin>:3", "text of a.md"),
    ]


def test_paths_may_be_separated_by_nul(project):
    tree(project, "a\n.md" if sys.platform != "win32" else "a.md", *(f"d/{n:05}.md" for n in range(30)))
    project.stdin_bytes = b"\0".join(f"d/{n:05}.md".encode() for n in range(30)) + b"\0"
    assert len(project.rows(project.source("paths", "-"))) == 30


def test_a_path_that_cannot_be_read_is_a_bad_row(project, snapshot):
    tree(project, "a.md", "folder/x")
    project.stdin_bytes = b"a.mb\n../../etc/passwd\nfolder\na.md\n"
    rows = project.rows(project.source("paths", "-"))
    assert [row.problem.rule if row.problem else None for row in rows] == [
        "file-not-found",
        "path-outside-root",
        "file-not-found",
        None,
    ]
    assert str(rows[0].problem) == snapshot


def test_a_folder_that_changed_between_two_passes_stops_the_job(project):
    tree(project, "a.md")
    source = project.source("glob", "*.md")
    project.rows(source)
    project.rows(source)
    tree(project, "b.md")
    with pytest.raises(SpecError) as caught:
        project.rows(source)
    assert caught.value.problems[0].rule == "source-changed"


PARTS = st.lists(st.sampled_from(["a", "b", "ab", ".h"]), min_size=1, max_size=3)
PATTERN = st.lists(st.sampled_from(["*", "**", "a*", "?", "[ab]", "a", ".*", "ab"]), min_size=1, max_size=4)


@settings(max_examples=150, deadline=None)
@example(files={("a", "ab")}, pattern=["*", "ab", "**"])
@given(files=st.sets(PARTS.map(tuple), min_size=1, max_size=8), pattern=PATTERN)
def test_walking_finds_what_glob_finds(tmp_path_factory, files, pattern):
    import glob

    root = tmp_path_factory.mktemp("walk")
    for parts in files:
        path = root.joinpath(*parts)
        if not any(above.is_file() for above in path.parents) and not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    written = "/".join(pattern)
    start, parts = split_pattern(written)
    found = (
        [Path(start, match.path).as_posix() for match in walk(root / start, parts)] if (root / start).is_dir() else []
    )
    expected = {
        Path(name).as_posix()
        for name in glob.glob(written, root_dir=root, recursive=True)  # noqa: PTH207  # the other implementation
        if (root / name).is_file() and not name.endswith(("/", "\\"))  # for `ab/**`, glob finds a file `ab` as `ab/`
    }
    assert found == sorted(set(found))
    assert set(found) == expected
