"""stdin, stdout and stderr as a command finds them: closed, full, or with nobody at the other end any more.

What a job has paid for must not hang on whether somebody reads along: messages that nobody can read are dropped.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import click


def prepare_streams() -> None:
    """UTF-8 on all of them, and the null device for one that was closed, so that no other file takes its place.

    Names and replies hold any character; a Windows console or a C locale must not turn one into a crash.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 (as long as the process)
            setattr(sys, name, stream)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def say(text: str) -> None:
    """A message to stderr."""
    with unheard():
        click.echo(text, err=True)


@contextmanager
def unheard() -> Iterator[None]:
    """What is written to stderr inside is dropped when it cannot be written, and so is what comes after it."""
    try:
        yield
    except OSError:
        silence(sys.stderr)


def put(line: str | bytes) -> None:
    """A line to stdout; a reader that has gone (`promptrun … | head -1`) stops nothing that is still to be done."""
    try:
        click.echo(line)
    except BrokenPipeError:
        silence(sys.stdout)


def silence(stream: TextIO) -> None:
    """Send the rest of a stream, also what is buffered, to the null device."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
