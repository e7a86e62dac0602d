"""Every way a command can end becomes text on stderr and an exit code (docs/exit-codes.md) here."""

from __future__ import annotations

import errno
import os
import platform
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from runner import __version__
from runner.cli.early import EXIT_INTERRUPTED, EXIT_TERMINATED, SIGNALS, ending_at_once
from runner.cli.streams import prepare_streams, say, silence, unheard
from runner.errors import OutputError, PromptrunError, TryLater

EXIT_BUG = 70
PACKAGE = Path(__file__).parents[1]
CANNOT_WRITE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
FIX = "Fix its permissions, then run this again."
OTHER = "Name another place, or make this one usable; then run this again."
MAY_NOT = {errno.EACCES: FIX, errno.EPERM: FIX} | dict.fromkeys((errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR), OTHER)


class Terminated(KeyboardInterrupt):
    """SIGTERM while no run was under way that could stop by itself: while planning, say."""


def exit_code_of(command: click.Command, args: list[str]) -> int:
    """Run the command and say, in words and as a code, how it ended."""
    with ending_on_signals():
        return _exit_code_of(command, args)


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """While inside, SIGTERM ends the command as Ctrl-C does, so that temporary files go. A run has its own way."""
    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated

    handlers = dict.fromkeys(SIGNALS, signal.default_int_handler) | {signal.SIGTERM: end}
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heard = [number for number in SIGNALS if before[number] is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, handlers[number])
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


def _exit_code_of(command: click.Command, args: list[str]) -> int:
    try:
        prepare_streams()
        ended = _called(command, args)
        sys.stdout.flush()
        return ended if isinstance(ended, int) else 0
    except click.ClickException as error:
        with unheard():
            error.show()
        return error.exit_code
    except PromptrunError as error:
        return told(error)
    except (KeyboardInterrupt, click.Abort) as error:
        ending_at_once()  # another one finds nothing left to do
        say("interrupted")
        return EXIT_TERMINATED if isinstance(error, Terminated) else EXIT_INTERRUPTED
    except EOFError as error:
        return without_cut_off_module(error) or report_bug(args)
    except (BrokenPipeError, SystemExit):  # click exits by itself for a broken pipe, with 1, and after a completion
        return no_reader()
    except OSError as error:
        if error.errno in CANNOT_WRITE:
            return cannot_write(error)
        if error.errno in MAY_NOT and error.filename:
            return may_not(error)
        return without_folder() or report_bug(args)
    except Exception:
        return report_bug(args)


def _called(command: click.Command, args: list[str]) -> Any:
    """What the command returns or raises: click makes one thing of Ctrl-C and of a file that ends early."""
    try:
        return command.main(args, prog_name="promptrun", standalone_mode=False)
    except click.Abort as error:
        raise error.__cause__ or error from None


def told(error: PromptrunError) -> int:
    """The exit code of an error, once it is said."""
    say(str(error))
    if isinstance(error, OutputError):
        show_unwritten(error)
    return error.exit_code


def show_unwritten(error: OutputError) -> None:
    """Replies that were paid for and are on no disk: as the lines of JSON that would have been written."""
    if error.unwritten:
        say(f"not written, a line of results.jsonl or journal.jsonl each ({len(error.unwritten):,}):")
        for line in error.unwritten:
            say(line.decode("utf-8", "replace"))


def no_reader() -> int:
    """`promptrun render … | head` closes our stdout early: that is no error of ours."""
    silence(sys.stdout)
    return 0


def cannot_write(error: OSError) -> int:
    """A full disk under stdout or a temporary file; what lies under outputs/ has errors of its own (`store`)."""
    silence(sys.stdout)
    place = f"`{error.filename}`" if error.filename else "standard output or a temporary file"
    say(f"could not write {place}: {error.strerror}\n    Free some space, then run the same command again.")
    return OutputError.exit_code


def may_not(error: OSError) -> int:
    """Outputs that another user wrote, as a container or a CI cache leaves them, or at a place that no path leads to.
    Never taken for outputs that are new: what is in them would be paid for again."""
    say(f"could not read or write `{error.filename}`: {error.strerror}\n    {MAY_NOT[error.errno or 0]}")
    return OutputError.exit_code


def without_folder() -> int | None:
    """For a shell that stands in a folder which somebody removed. None when it is still there."""
    try:
        Path.cwd()
    except FileNotFoundError:
        say("the current folder is not there any more\n    Change into one that is, then run this again.")
        return OutputError.exit_code
    return None


def without_cut_off_module(error: EOFError) -> int | None:
    """Where the disk is full (or `ulimit -f` small) while Python compiles a module, half of what it compiled may stay,
    and no process can import it any more: https://github.com/python/cpython/issues/126606. None when it was not that.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        path = frame.f_locals.get("bytecode_path")
        if path and frame.f_code.co_name == "_compile_bytecode":
            for compiled in {Path(path), *PACKAGE.rglob("*.pyc")}:  # where one is cut off, others are
                compiled.unlink(missing_ok=True)
            say(f"`{path}` was cut off, as a full disk does it. It is deleted: Python compiles it anew.")
            say("    Run the same command again.")
            return TryLater.exit_code
    return None


def report_bug(args: list[str]) -> int:
    """A traceback is for us: it goes to a file, and the user learns where it is and what to do with it."""
    report = (
        f"promptrun {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"command: {args[0] if args else ''}\n\n{traceback.format_exc()}"
    )
    try:
        handle, name = tempfile.mkstemp(prefix="promptrun-bug-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(report)
        where = f"The report is in {Path(name)}. Read it before you send it to us."
    except OSError:
        where = report
    say(f"promptrun has a bug: {sys.exc_info()[1]!r}\n{where}")
    return EXIT_BUG
