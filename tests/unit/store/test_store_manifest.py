"""What run.json says of the spec, its files, the commit and the command line; and what it must never hold."""

from __future__ import annotations

import hashlib
import json

import pytest
from store_job import ok

from runner.errors import SpecError
from runner.store.manifest import TEXT_LIMIT, describe_file, describe_run, git_commit, redact

KEY = "sk-ant-api03-" + "x" * 30


def test_files_are_kept_with_their_hash_and_text(tmp_path):
    path = tmp_path / "prompts" / "a.md"
    path.parent.mkdir()
    path.write_bytes("héllo\r\n".encode())
    assert describe_file(path, tmp_path) == {
        "path": "prompts/a.md",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": 8,
        "text": "héllo\r\n",
    }


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a\0b", b"x" * (TEXT_LIMIT + 1)])
def test_binary_and_long_files_are_only_hashed(tmp_path, content):
    (tmp_path / "data").write_bytes(content)
    described = describe_file(tmp_path / "data", tmp_path)
    assert (described["text"], described["bytes"]) == (None, len(content))
    assert described["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_file_outside_the_project_is_told_by_name_only(tmp_path):
    (tmp_path / "secret-home").mkdir()
    (tmp_path / "project").mkdir()
    outside = tmp_path / "secret-home" / "rows.csv"
    outside.write_text("a", encoding="utf-8")
    assert describe_file(outside, tmp_path / "project")["path"] == "rows.csv"


def test_a_file_that_is_gone_is_an_error_of_the_spec(tmp_path):
    with pytest.raises(SpecError, match=r"could not read `gone.csv`"):
        describe_file(tmp_path / "gone.csv", tmp_path)


@pytest.mark.parametrize(
    ("argument", "kept"),
    [
        ("specs/job.yaml", "specs/job.yaml"),
        ("--var", "--var"),
        (f"token={KEY}", "token=sk-ant-***"),
        ("api_key=abc123", "api_key=***"),
        ("PASSWORD: hunter2 and more", "PASSWORD: ***"),
        ("--base-url=https://me:pw@example.com/v1", "--base-url=https://***@example.com/v1"),
        ("text=a risk-assessment of sk-learn", "text=a risk-assessment of sk-learn"),
    ],
)
def test_arguments_lose_what_looks_like_a_credential(argument, kept):
    assert redact(argument) == kept


def test_no_key_reaches_any_file(job):
    spec = job.root / "triage.yaml"
    spec.write_text(f"prompt: {KEY}\n", encoding="utf-8")
    manifest = describe_run(job="triage", spec=spec, root=job.root, arguments=[f"--var=k={KEY}"])
    assert KEY not in json.dumps(manifest)
    assert manifest["spec"]["sha256"] == hashlib.sha256(spec.read_bytes()).hexdigest()


def git(folder, files):
    for name, text in files.items():
        path = folder / ".git" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "files",
    [
        {"HEAD": "c0ffee\n"},
        {"HEAD": "ref: refs/heads/main\n", "refs/heads/main": "c0ffee\n"},
        {
            "HEAD": "ref: refs/heads/main\n",
            "packed-refs": "# pack-refs\nbad1dea refs/heads/old\nc0ffee refs/heads/main\n",
        },
    ],
)
def test_the_commit_is_read_from_git_itself(tmp_path, files):
    root = git(tmp_path, files)
    (root / "specs").mkdir()
    assert git_commit(root / "specs") == "c0ffee"


def test_the_commit_of_a_worktree(tmp_path):
    main = git(
        tmp_path / "main",
        {"refs/heads/topic": "c0ffee", "worktrees/w/HEAD": "ref: refs/heads/topic", "worktrees/w/commondir": "../.."},
    )
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / ".git").write_text(f"gitdir: {main / '.git' / 'worktrees' / 'w'}\n", encoding="utf-8")
    assert git_commit(tree) == "c0ffee"


@pytest.mark.parametrize("files", [{"description": "no HEAD"}, {"HEAD": "ref: refs/heads/unborn\n"}, {"HEAD": ""}])
def test_a_repository_without_a_commit_has_none(tmp_path, files):
    assert git_commit(git(tmp_path, files)) is None


def test_a_run_says_what_ran_from_its_first_moment(job):
    with job.open() as run:
        run.done(ok(0))
        tree = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    assert tree["finished"] is False
    assert tree["spec"]["text"] == "prompt: hi\n"
    assert tree["plan"]["requests"] == 3
    assert set(tree["versions"]) == {"python", "promptrun", "anthropic", "genai-prices"}
    assert tree["sittings"][0]["arguments"] == ["run", "triage.yaml"]


def test_a_new_outputs_folder_is_hidden_from_git_and_an_old_one_left_alone(job):
    job.open().close()
    assert (job.outputs / ".gitignore").read_text(encoding="utf-8").splitlines() == ["*", "!.gitignore"]
    (job.outputs / ".gitignore").unlink()
    job.open().close()
    assert not (job.outputs / ".gitignore").exists()
