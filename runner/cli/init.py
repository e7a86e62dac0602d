"""`promptrun init`: a first job that runs as it is."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from runner.cli.streams import say
from runner.errors import OutputError, SpecError

SPEC = """\
# yaml-language-server: $schema=../schemas/job.schema.json
version: 1
name: first-job
model: claude-haiku-5-5
max_tokens: 300
system:
  file: prompts/sentiment.md
prompt: "Review from a customer in {{ country }}:\\n\\n{{ review }}"
inputs:
  file: data/reviews.csv
  id: review_id
run:
  concurrency: 5
"""

PROMPT = """\
You read customer reviews of a coffee grinder.
Answer with one word: positive, negative or mixed.
"""

REVIEWS = """\
review_id,country,review
r-01,Norway,"Quiet, quick, and the grind is even from fine to coarse."
r-02,Chile,"It jammed on the second day and nobody answers my mails."
r-03,Japan,"Lovely to look at. The hopper is too small for two cups, though."
r-04,Kenya,"Third one I bought, this time for my mother."
r-05,Canada,"Grinds well but the lid cracked when I cleaned it."
r-06,Portugal,"Louder than the old one and twice the price."
"""


@click.command("init", epilog="Example:\n\n  promptrun init my-jobs")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
def command(folder: Path) -> None:
    """Write a starting job into FOLDER (here, unless given): a spec, a prompt, six rows of data.

    Files that are already there are never overwritten.
    """
    from runner.spec.schema import schema_text

    files = {
        "specs/first-job.yaml": SPEC,
        "specs/prompts/sentiment.md": PROMPT,
        "specs/data/reviews.csv": REVIEWS,
        "schemas/job.schema.json": schema_text("job"),
        "outputs/.gitignore": "*\n!.gitignore\n",
    }
    refuse_to_overwrite(folder, files)
    try:
        for name, text in files.items():
            write_new(folder / name, text)
    except OSError as error:
        raise OutputError(f"cannot write into `{folder}`: {error.strerror}") from error
    for name in files:
        click.echo(f"wrote {folder / name}")
    say(f"\nNext: {shlex.join(['promptrun', str(folder / 'specs' / 'first-job.yaml'), '--simulate'])}")


def refuse_to_overwrite(folder: Path, files: dict[str, str]) -> None:
    there = [name for name in files if (folder / name).exists() and not name.startswith(("outputs/", "schemas/"))]
    if there:
        raise SpecError(
            f"`{folder / there[0]}` is already there",
            next="Choose another folder: promptrun init FOLDER",
            rule="init-exists",
        )


def write_new(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(text, encoding="utf-8", newline="\n")
