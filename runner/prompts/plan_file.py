"""A plan's database as a file, so that a run that was interrupted need not be planned a second time.

The file is a copy, never written in place and never trusted with what is sent: requests are rendered again, and their
keys compared with the plan's. Whoever calls says where it lies and whether it still holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import orjson

from runner.errors import Position, Problem
from runner.records import Json, ModelPlan, Plan

FORMAT: Final = 2
"""Raise it with every change of the plan's tables, and of what is noted beside them."""


class Unusable(Exception):
    """No plan, one of another version, or a damaged one."""


def write_copy(db: sqlite3.Connection, path: Path, notes: Mapping[str, Json]) -> None:
    """Raises OSError or sqlite3.Error; a file that is there already is replaced by whoever chose its name."""
    with closing(sqlite3.connect(path)) as copy:
        db.backup(copy)
        copy.execute("CREATE TABLE notes (format INTEGER, json BLOB)")
        copy.execute("INSERT INTO notes VALUES (?, ?)", (FORMAT, orjson.dumps(notes)))
        copy.commit()


def read_notes(path: Path) -> dict[str, Any]:
    """What was noted beside a copy. Raises Unusable."""
    try:
        with closing(_connect(path)) as copy:
            return _notes(copy)
    except (sqlite3.Error, OSError) as error:
        raise Unusable(str(error)) from error


def read_copy(path: Path, db: sqlite3.Connection) -> None:
    """Makes an empty database the one of the copy. Raises Unusable."""
    try:
        with closing(_connect(path)) as copy:
            if copy.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise Unusable("damaged")
            copy.backup(db)
    except (sqlite3.Error, OSError) as error:
        raise Unusable(str(error)) from error


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _notes(copy: sqlite3.Connection) -> dict[str, Any]:
    found = copy.execute("SELECT format, json FROM notes").fetchone()
    if found is None or found[0] != FORMAT:
        raise Unusable("another version")
    try:
        return dict(orjson.loads(found[1]))
    except (ValueError, TypeError) as error:
        raise Unusable(str(error)) from error


# ---------------------------------------------------------------- the plan's sums


def plan_to_json(plan: Plan) -> dict[str, Json]:
    """Without what is worked out from the tables and the job's settings: the cache and its warnings."""
    return asdict(replace(plan, cache=None, warnings=()))


def plan_from_json(tree: Mapping[str, Any]) -> Plan:
    models = tuple(ModelPlan(**one) for one in tree["models"])
    problems = tuple(_problem(one) for one in tree["problems"])
    fallbacks = tuple(tree["fallbacks"])
    return Plan(**{**tree, "models": models, "problems": problems, "warnings": (), "fallbacks": fallbacks})


def _problem(tree: Mapping[str, Any]) -> Problem:
    known = {name: tree[name] for name in ("rule", "what", "path", "next", "severity")}
    return Problem(**known, where=Position(**tree["where"]) if tree["where"] else None)
