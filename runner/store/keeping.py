"""What `run.keep` leaves out of the files: whole replies and columns of rows, for privacy and size.

What sums, prices and audits are worked out from stays. Where a request is not done yet its replies stay in the
journal, or they would have to be paid for again; they are taken out when the run is finished.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.records import Json
from runner.spec.job import Keep
from runner.store.files import Replace, cannot_write, from_json, read_lines, sync, sync_folder, to_json
from runner.store.money import served_by


def kept_row(row: Mapping[str, Json], keep: Keep) -> dict[str, Json]:
    """The columns of a row that a result may hold."""
    if isinstance(keep.row, bool):
        return dict(row) if keep.row else {}
    return {name: row[name] for name in keep.row if name in row}


def kept_record(record: dict[str, Any], keep: Keep) -> dict[str, Any]:
    """A result line with what may be kept of it. record: changed in place."""
    if keep.row is not True:
        record["row"] = kept_row(record["row"], keep)
    if not keep.response:
        record["calls"] = [without_response(call, record["model"]["asked"]) for call in record["calls"]]
    return record


def without_response(call: Mapping[str, Any], asked: str) -> dict[str, Any]:
    """A call without its reply, of which the model and what the cache says of itself stay: sums need them."""
    response = call.get("response")
    if not response:
        return dict(call)
    return {**call, "response": None, "model": served_by(call) or asked, "diagnostics": response.get("diagnostics")}


def forget_replies(journal: Path, replace: Replace = os.replace) -> None:
    """Take the replies out of a finished run's journal. Raises OutputError; the journal is as it was then."""
    if not journal.exists():
        return
    temporary = journal.with_name(f".{journal.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.writelines(_forgotten(journal))
            sync(file)
        replace(temporary, journal)
        sync_folder(journal.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise cannot_write(journal, error) from error


def _forgotten(journal: Path) -> Iterator[bytes]:
    for _, line in read_lines(journal):
        record = from_json(line)
        if record is not None and record.get("t") == "reply":
            line = to_json(without_response(record, str(record.get("asked")))) + b"\n"
        yield line
