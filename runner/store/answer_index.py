"""index.db: where the answers of a job's runs are, by key, and what each request of the newest run was.

Made from results.jsonl alone, so it may be thrown away at any time; whoever reads a line it names checks the line.
Every method may raise sqlite3.Error: what to do about that is decided in `reuse` and `indexing`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson

from runner.store.times import parse_utc

NAME: Final = "index.db"
VERSION: Final = 1
_BATCH: Final = 1000
WAIT_SECONDS: Final = 5.0
"""For another process that writes to it."""
_TABLES: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS run (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, size INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS answer (
  key BLOB NOT NULL, run INTEGER NOT NULL, offset INTEGER NOT NULL, at REAL NOT NULL, simulated INTEGER NOT NULL,
  PRIMARY KEY (key, run)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS asked (
  name BLOB NOT NULL PRIMARY KEY, run INTEGER NOT NULL, offset INTEGER NOT NULL
) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
COMMIT;
"""
_FIND: Final = "SELECT key, at, run, offset FROM answer WHERE key IN ({marks}) AND simulated = ? AND at >= ?"
_KNOWN: Final = "SELECT key FROM answer WHERE key IN ({marks}) AND simulated = ? AND at >= ?"
_ASKED: Final = "SELECT run.name, offset FROM asked JOIN run ON run.id = run WHERE asked.name = ?"
_ASKED_OF: Final = """
SELECT asked.name, run.name, offset FROM asked JOIN run ON run.id = run WHERE asked.name IN ({marks})
"""
_ADD_ANSWER: Final = "INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?)"
_ADD_ASKED: Final = """
INSERT INTO asked VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET run = excluded.run, offset = excluded.offset
WHERE (SELECT name FROM run WHERE id = excluded.run) >= ifnull((SELECT name FROM run WHERE id = asked.run), '')
"""


class Unsound(sqlite3.DatabaseError):
    """The file is damaged, or of another version of this program."""


class AnswerIndex:
    """An open index. path: None for one that is private to this process and goes away with it. wait: seconds."""

    def __init__(self, path: Path | None, *, wait: float = WAIT_SECONDS) -> None:
        self._db = sqlite3.connect(path or "", timeout=wait, isolation_level=None)
        self._answers: list[tuple[bytes, int, int, float, bool]] = []
        self._asked: list[tuple[bytes, int, int]] = []
        self._names: dict[int, str] = {}
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, VERSION):
            raise Unsound(f"version {version}")
        if self._db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise Unsound("damaged")
        if version == 0:
            self._db.executescript(_TABLES)

    def close(self) -> None:
        self._db.close()

    def runs(self) -> dict[str, int]:
        """Run → how many bytes of its results are in here."""
        return dict(self._db.execute("SELECT name, size FROM run"))

    def known(self, keys: Sequence[bytes], *, simulated: bool, oldest: float) -> set[bytes]:
        """Those of a few hundred keys that `find` would find something for."""
        query = _KNOWN.format(marks=",".join("?" * len(keys)))
        return {key for (key,) in self._db.execute(query, (*keys, simulated, oldest))}

    def find(self, keys: Sequence[bytes], *, simulated: bool, oldest: float) -> dict[bytes, list[tuple[str, int]]]:
        """Key → (run, offset of the line) of every answer made since `oldest`, in seconds since 1970; newest first.

        For a few hundred keys at once, which takes a fifth of the time of asking for each.
        """
        query = _FIND.format(marks=",".join("?" * len(keys)))
        answers: dict[bytes, list[tuple[float, str, int]]] = {}
        for key, at, number, offset in self._db.execute(query, (*keys, simulated, oldest)).fetchall():
            answers.setdefault(key, []).append((at, self._name(number), offset))
        return {
            key: [(run, offset) for _, run, offset in sorted(found, reverse=True)] for key, found in answers.items()
        }

    def _name(self, number: int) -> str:
        """The run with this number; "" for one that another process took out."""
        if number not in self._names:
            self._names = dict(self._db.execute("SELECT id, name FROM run"))
        return self._names.get(number, "")

    def holds_simulated(self) -> bool:
        """Whether a simulator gave any of the answers."""
        return self._db.execute("SELECT 1 FROM answer WHERE simulated = 1 LIMIT 1").fetchone() is not None

    def asked(self, name: bytes) -> tuple[str, int] | None:
        """(run, offset of the line) of the newest run's result of a request. name: as `name_of` makes it."""
        found: tuple[str, int] | None = self._db.execute(_ASKED, (name,)).fetchone()
        return found

    def asked_of(self, names: Sequence[bytes]) -> dict[bytes, tuple[str, int]]:
        """Name → what `asked` says of it, for those that it knows; a few hundred at once."""
        found = self._db.execute(_ASKED_OF.format(marks=",".join("?" * len(names))), names)
        return {name: (run, offset) for name, run, offset in found}

    @contextmanager
    def changing(self) -> Iterator[None]:
        """All changes inside come to be, or none."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._flush()
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def begin(self, run: str, size: int) -> int:
        """Take a run's lines out, and give the number under which `add` puts its lines in."""
        self.forget(run)
        number = self._db.execute("INSERT INTO run (name, size) VALUES (?, ?)", (run, size)).lastrowid
        return number or 0

    def forget(self, run: str) -> None:
        """Take a run out; what older runs knew of its requests comes back when those are scanned."""
        self._names.clear()
        for (number,) in self._db.execute("SELECT id FROM run WHERE name = ?", (run,)).fetchall():
            self._db.execute("DELETE FROM answer WHERE run = ?", (number,))
            self._db.execute("DELETE FROM asked WHERE run = ?", (number,))
            self._db.execute("DELETE FROM run WHERE id = ?", (number,))

    def add(self, number: int, record: Mapping[str, Any], offset: int) -> None:
        """Put a result line in."""
        key = key_of(record)
        if key is None:
            return
        self._asked.append((name_of(record["id"], record["cell"], record["repeat"]), number, offset))
        if is_own_answer(record):
            self._answers.append((key, number, offset, made_at(record), bool(record.get("simulated"))))
        if len(self._asked) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        self._db.executemany(_ADD_ASKED, self._asked)
        self._db.executemany(_ADD_ANSWER, self._answers)
        self._asked.clear()
        self._answers.clear()


# ---------------------------------------------------------------- what a line says


def key_of(record: Mapping[str, Any]) -> bytes | None:
    """The key of a result line; None for a row that could not be sent, and for what is no result line."""
    try:
        return bytes.fromhex(record["key"]) if record["key"] and "id" in record and "cell" in record else None
    except (KeyError, TypeError, ValueError):
        return None


def name_of(id: str, cell: Mapping[str, Any], repeat: int) -> bytes:
    """What a request is called in every run: its row, cell and repeat."""
    return sha256(orjson.dumps([id, dict(cell), repeat], option=orjson.OPT_SORT_KEYS)).digest()[:16]


def is_own_answer(record: Mapping[str, Any]) -> bool:
    """Whether a line holds an answer that was sent for in its run."""
    return record.get("status") != "failed" and not record.get("reused_from")


def made_at(record: Mapping[str, Any]) -> float:
    """When an answer was asked for, in seconds since 1970; 0 when the line does not say."""
    attempts = [attempt for call in record.get("calls") or () for attempt in call.get("attempts") or ()]
    try:
        return parse_utc(attempts[-1]["at"]).timestamp()
    except (IndexError, KeyError, TypeError, ValueError):
        return 0.0
