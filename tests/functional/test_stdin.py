"""Rows and paths that another program pipes in."""

from __future__ import annotations

from pathlib import Path

from harness import Command, json_lines

ROWS = "id,word\na,one\nb,two\n"


def test_rows_from_standard_input(promptrun: Command, tmp_path: Path) -> None:
    spec = tmp_path / "piped.yaml"
    spec.write_text(
        "model: claude-haiku-5-5\nmax_tokens: 64\nprompt: 'Say {{ word }}'\ninputs: {file: '-', format: csv}\n",
        encoding="utf-8",
    )
    rendered = json_lines(promptrun.ok("render", spec, stdin=ROWS))
    assert [line["id"] for line in rendered] == ["a", "b"]
    printed = promptrun.ok(spec, "--simulate", "--output-dir", tmp_path / "out", stdin=ROWS)
    assert (Path(printed.strip()) / "results.jsonl").read_text(encoding="utf-8").count("\n") == 2


def test_paths_from_standard_input(process: Command, tmp_path: Path) -> None:
    for name in ("one.txt", "two.txt"):
        (tmp_path / name).write_text(f"text of {name}", encoding="utf-8")
    spec = tmp_path / "piped.yaml"
    spec.write_text(
        "model: claude-haiku-5-5\nmax_tokens: 64\nprompt: 'Read {{ text }}'\ninputs: {paths: '-'}\n", encoding="utf-8"
    )
    rendered = json_lines(process.ok("render", spec, stdin="two.txt\none.txt\n", cwd=tmp_path))
    assert ["two.txt" in str(line["body"]) for line in rendered] == [True, False]
