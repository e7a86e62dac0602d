"""`promptrun init`: a first job that runs as it is, and with `--ci` what runs it on a schedule."""

from __future__ import annotations

import shlex
import sysconfig
from pathlib import Path

import click

from runner.cli.ci_files import KINDS, ci_files
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

UNATTENDED = SPEC.replace(
    """  id: review_id
run:
  concurrency: 5
""",
    """  id: review_id
  # Unattended, one unreadable row must not stop the others; it counts as a request without a good answer.
  on_bad_row: skip
run:
  concurrency: 5
  # US dollars. A run never costs more; it ends with exit code 3 before it could.
  max_cost: 1.00
# Exit code 0 from so many good answers on, 1 below. Quoted, because > means something to YAML.
checks:
  - ok: ">= 99%"
""",
)
"""The same job for a run that nobody watches."""

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
@click.option("--ci", type=click.Choice(KINDS), help="Also write what runs the job on a schedule.")
def command(folder: Path, ci: str | None) -> None:
    """Write a starting job into FOLDER (here, unless given): a spec, a prompt, six rows of data.

    With --ci the spec has a cap on its cost and a check, and a GitHub workflow, a crontab or systemd units come with
    it; in a folder that has the job already, only those. Files that are already there are never overwritten.
    """
    from runner.spec.schema import schema_text

    scheduled = ci_files(ci, folder.resolve(), installed_command()) if ci else {}
    files = {
        "specs/first-job.yaml": UNATTENDED if ci else SPEC,
        "specs/prompts/sentiment.md": PROMPT,
        "specs/data/reviews.csv": REVIEWS,
        "schemas/job.schema.json": schema_text("job"),
        "outputs/.gitignore": "*\n!.gitignore\n",
        **scheduled,
    }
    refuse_to_overwrite(folder, scheduled or files)
    try:
        written = [name for name, text in files.items() if write_new(folder / name, text)]
    except OSError as error:
        step = "Fix that, or choose another folder: promptrun init FOLDER"
        raise OutputError(f"cannot write into `{folder}`: {error.strerror}", next=step) from error
    for name in written:
        click.echo(f"wrote {folder / name}")
    if ci and "specs/first-job.yaml" not in written:
        say("specs/first-job.yaml stays as it was: look whether it has `run.max_cost` and `checks`")
    for name in scheduled:
        say(f"{name} says at its top what to do with it")
    say(f"\nNext: {shlex.join(['promptrun', str(folder / 'specs' / 'first-job.yaml'), '--simulate'])}")


def installed_command() -> Path:
    """Where `promptrun` is: schedulers have a PATH of their own."""
    return Path(sysconfig.get_path("scripts"), "promptrun")


def refuse_to_overwrite(folder: Path, files: dict[str, str]) -> None:
    there = [name for name in files if (folder / name).exists() and not name.startswith(("outputs/", "schemas/"))]
    if there:
        raise SpecError(
            f"`{folder / there[0]}` is already there",
            next="Choose another folder: promptrun init FOLDER",
            rule="init-exists",
        )


def write_new(path: Path, text: str) -> bool:
    """Whether the file was not there and is now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return False
    path.write_text(text, encoding="utf-8", newline="\n")
    return True
