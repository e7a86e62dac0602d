from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import SpecError
from runner.spec.paths import MAX_TEXT_BYTES, Confine, confine, is_device_name, project_root, read_text


def rule_of(error: pytest.ExceptionInfo[SpecError]) -> str:
    return error.value.problems[0].rule


def test_the_root_is_the_nearest_folder_with_git(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    inner = tmp_path / "specs" / "deep"
    inner.mkdir(parents=True)
    assert project_root(inner / "job.yaml") == tmp_path.resolve()


def test_a_worktree_whose_git_is_a_file_is_a_root_too(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: elsewhere\n", encoding="utf-8")
    (tmp_path / "specs").mkdir()
    assert project_root(tmp_path / "specs" / "job.yaml") == tmp_path.resolve()


def test_an_outputs_folder_marks_a_root_below_git(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "sub" / "outputs").mkdir(parents=True)
    (tmp_path / "sub" / "outputs" / ".gitignore").write_text("*\n", encoding="utf-8")
    assert project_root(tmp_path / "sub" / "job.yaml") == (tmp_path / "sub").resolve()


def test_resolving_goes_up_and_stays_inside(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    assert Confine(root).resolve("../data/a.csv", base=root / "specs") == root / "data" / "a.csv"


def test_an_absolute_path_inside_the_root_is_fine(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    assert Confine(root).resolve(str(root / "a.csv"), base=root / "specs") == root / "a.csv"


@pytest.mark.parametrize(
    "written", ["../a.csv", "/etc/passwd", "C:\\a.csv", "c:a.csv", "\\\\host\\share\\a", "//host/share/a"]
)
def test_what_leads_out_is_refused(tmp_path: Path, written: str) -> None:
    with pytest.raises(SpecError) as error:
        Confine(tmp_path.resolve()).resolve(written, base=tmp_path)
    assert rule_of(error) == "path-outside-root"


def test_the_message_names_the_option_that_allows_it(tmp_path: Path) -> None:
    root = tmp_path.resolve() / "project"
    root.mkdir()
    with pytest.raises(SpecError) as error:
        Confine(root).resolve("../data/a.csv", base=root)
    assert error.value.problems[0].next.endswith(f"--allow-path {(root.parent / 'data').as_posix()}")


def test_a_folder_outside_the_root_is_named_itself(tmp_path: Path) -> None:
    """What a glob starts in: its parent would open more than was asked for."""
    root = tmp_path.resolve() / "project"
    root.mkdir()
    with pytest.raises(SpecError) as error:
        Confine(root).resolve("../data/", base=root)
    assert error.value.problems[0].next.endswith(f"--allow-path {(root.parent / 'data').as_posix()}")


def test_a_sibling_whose_name_starts_alike_is_outside(tmp_path: Path) -> None:
    root = tmp_path.resolve() / "project"
    with pytest.raises(SpecError):
        Confine(root).resolve("../project-2/a.csv", base=root)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    root = tmp_path.resolve() / "project"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(SpecError) as error:
        Confine(root).resolve("link/a.csv", base=root)
    assert rule_of(error) == "path-outside-root"


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_links_in_a_circle_are_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(SpecError):
        Confine(tmp_path.resolve()).file("a", base=tmp_path)


def test_an_allowed_folder_widens_the_root(tmp_path: Path) -> None:
    project, data = tmp_path / "project", tmp_path / "data"
    project.mkdir()
    data.mkdir()
    (project / ".git").mkdir()
    (data / "a.csv").write_text("a\n", encoding="utf-8")
    allowed = confine(project / "job.yaml", [data])
    assert allowed.file("../data/a.csv", base=project) == (data / "a.csv").resolve()
    with pytest.raises(SpecError):
        confine(project / "job.yaml").file("../data/a.csv", base=project)


@pytest.mark.parametrize("name", ["con", "NUL.txt", "Com1", "lpt9.tar.gz", "aux .md", "CONOUT$"])
def test_device_names(name: str, tmp_path: Path) -> None:
    assert is_device_name(name)
    with pytest.raises(SpecError) as error:
        Confine(tmp_path.resolve()).resolve(f"data/{name}", base=tmp_path)
    assert rule_of(error) == "bad-path"


@pytest.mark.parametrize("name", ["console.txt", "com.txt", "nullable", "com10"])
def test_names_that_only_look_like_devices(name: str) -> None:
    assert not is_device_name(name)


@given(st.text(max_size=300))
def test_any_text_is_a_path_inside_or_an_error_of_ours(written: str) -> None:
    root = Path(__file__).resolve().parent
    try:
        found = Confine(root).file(written, base=root)
    except SpecError:
        return
    assert found.is_relative_to(root)


def test_a_missing_file_names_near_ones_as_the_author_writes_them(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "tickets.csv").write_text("a\n", encoding="utf-8")
    with pytest.raises(SpecError) as error:
        Confine(tmp_path.resolve()).file("../data/tikets.csv", base=tmp_path / "specs")
    assert error.value.problems[0].next == "did you mean `../data/tickets.csv`?"


def test_text_is_decoded_without_mark_and_with_plain_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_bytes(b"\xef\xbb\xbfone\r\ntwo\n")
    assert read_text(file, shown="a.md") == "one\ntwo\n"


@pytest.mark.parametrize(("data", "offset"), [(b"ab\xfc", 2), (b"\xef\xbb\xbfab\xfc", 5), (b"\xe4\xb8", 0)])
def test_a_wrong_encoding_names_file_and_byte(tmp_path: Path, data: bytes, offset: int) -> None:
    file = tmp_path / "a.md"
    file.write_bytes(data)
    with pytest.raises(SpecError) as error:
        read_text(file, shown="prompts/a.md")
    assert rule_of(error) == "wrong-encoding"
    assert error.value.problems[0].what == f"`prompts/a.md` is not UTF-8: byte 0x{data[offset]:02x} at offset {offset}"


def test_a_text_larger_than_a_request_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    with file.open("wb") as out:
        out.truncate(MAX_TEXT_BYTES + 1)
    with pytest.raises(SpecError) as error:
        read_text(file, shown="a.md")
    assert rule_of(error) == "file-too-large"


def test_a_file_that_cannot_be_read_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as error:
        read_text(tmp_path, shown="folder")
    assert rule_of(error) == "file-unreadable"


def test_paths_are_shown_from_the_root_with_slashes(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    assert Confine(root).shown(root / "data" / "a.csv") == "data/a.csv"
