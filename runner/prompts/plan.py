"""The ledger of a plan: every request in a temporary SQLite file, so that a million of them need no memory.

It answers what only the whole plan can: which ids stand twice, which requests are identical, and whether a second
reading still gives the same requests. The file belongs to this process and goes away with it, unless a copy is asked
for; nothing here renders.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runner.models.text_size import BYTES_PER_TOKEN
from runner.prompts.courses import Follows, follows_of
from runner.prompts.fallbacks import has_fallbacks
from runner.prompts.key import canonical_json
from runner.prompts.plan_file import Unusable, plan_from_json, plan_to_json, read_copy, write_copy
from runner.prompts.plan_repeats import duplicate_ids, find_identical
from runner.prompts.plan_sizes import SENT, Cached, Single, Size, bound, cached, extreme, sample, sizes
from runner.prompts.plan_tables import Numbered, create_tables, temporary_database, temporary_space
from runner.prompts.prefix_ledger import PrefixLedger
from runner.prompts.problems import ProblemList
from runner.records import Json, ModelPlan, Plan, Request, Terms

if TYPE_CHECKING:
    from runner.models.worst_case import Group, Leg

_BATCH: Final = 2000
_INSERT: Final = "INSERT INTO request VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ASKED: Final = """
SELECT n, id, key, parts, first FROM request LEFT JOIN identical USING (n) WHERE key != x'' ORDER BY n
"""
_MODELS: Final = f"""
SELECT model, count(*), sum(bytes), sum(max_tokens) FROM request WHERE {SENT} GROUP BY model ORDER BY min(n)
"""  # noqa: S608 (constants)


class PlanLedger:
    """One plan. Use `add` once, or open a kept one; then the questions, then `close`. attached: requests have files."""

    def __init__(self) -> None:
        self._open()
        create_tables(self._db)
        self.prefixes = PrefixLedger(self._db)

    def _open(self) -> None:
        self._db = temporary_database()
        self._models = Numbered()
        self._terms = Numbered()
        self._follows = Numbered()
        self._files = Numbered()
        self._identical = 0
        self.attached = False

    @property
    def total(self) -> int:
        """How many requests the plan has."""
        return self._one("SELECT count(*) FROM request")

    @classmethod
    def kept(cls, path: Path, notes: Mapping[str, Any]) -> tuple[PlanLedger, Plan]:
        """The plan that `save` wrote there, with the notes that `read_notes` found. Raises Unusable."""
        ledger = cls.__new__(cls)
        ledger._open()
        try:
            read_copy(path, ledger._db)
            ledger.prefixes = PrefixLedger(ledger._db, kept_ttl=notes["ttl"])
            for name in notes["models"]:
                ledger._models.number(name, name)
            for name in notes["files"]:
                ledger._files.number(name, name)
            for fields in notes["terms"]:
                terms = Terms._make(tuple(one) if isinstance(one, list) else one for one in fields)
                ledger._terms.number(terms, terms)
            for fields in notes["follows"]:
                ledger._follows.number(Follows(*fields), Follows(*fields))
            plan = plan_from_json(notes["plan"])
        except (Unusable, KeyError, TypeError, ValueError, sqlite3.Error) as error:
            ledger.close()
            raise Unusable(str(error)) from error
        ledger._identical = plan.identical
        return ledger, plan

    def save(self, path: Path, plan: Plan, notes: Mapping[str, Json]) -> None:
        """A copy for a later process. notes: more to keep with it. Raises OSError, sqlite3.Error."""
        numbered = {
            "models": self._models.values,
            "files": self._files.values,
            "terms": [*map(list, self._terms.values)],
            "follows": [*map(list, self._follows.values)],
        }
        write_copy(self._db, path, {**notes, **numbered, "plan": plan_to_json(plan), "ttl": self.prefixes.ttl})

    def add(
        self, requests: Iterable[Request], *, cells: int, repeat: int, ttl: str = "auto", concurrency: int = 1
    ) -> Plan:
        """Consumes the requests, which are numbered from 0 without gaps, and sums them up.

        cells, repeat: requests a row = cells times repeat. ttl, concurrency: what a cached prefix's life depends on.
        Problems are values in the plan, errors first. Raises OutputError when the temporary file cannot be written.
        """
        with temporary_space():
            return self._add(requests, cells, repeat, ttl, concurrency)

    def _add(self, requests: Iterable[Request], cells: int, repeat: int, ttl: str, concurrency: int) -> Plan:
        digest, problems, total = sha256(), ProblemList(), 0
        fallbacks: dict[str, None] = {}
        rest = iter(requests)
        self._db.execute("BEGIN")
        while batch := list(islice(rest, _BATCH)):
            self._db.executemany(_INSERT, map(self._record, batch))
            self.prefixes.note(batch)
            total += len(batch)
            for request in batch:
                digest.update(_identity(request))
                if request.model not in fallbacks and has_fallbacks(request):
                    fallbacks[request.model] = None
                if request.files:
                    self.attached = True
                if request.problem is not None:
                    problems.add(request.problem)
        self._identical = find_identical(self._db)
        self.prefixes.count(ttl=ttl, concurrency=concurrency)
        self._db.execute("COMMIT")
        per_row = max(1, cells * repeat)
        for problem in duplicate_ids(self._db, self._files, per_row, problems.room):
            problems.add(problem)
        return Plan(
            hash=digest.hexdigest(),
            requests=total,
            rows=total // per_row,
            cells=cells,
            repeat=repeat,
            identical=self._identical,
            bad=self._one("SELECT count(*) FROM request WHERE key = x''"),
            models=self._model_plans(),
            problems=problems.listed(),
            fallbacks=tuple(fallbacks),
        )

    def first_of(self, n: int) -> int | None:
        """For a request identical to an earlier one, that one's n; else None."""
        if not self._identical:
            return None
        found = self._db.execute("SELECT first FROM identical WHERE n = ?", (n,)).fetchone()
        return found[0] if found else None

    def sends(self, n: int) -> bool:
        """Whether a request that can be sent will be: it is no later one of identical ones, and was not left out."""
        if self.first_of(n) is not None:
            return False
        return self._db.execute("SELECT 1 FROM left_out WHERE n = ?", (n,)).fetchone() is None

    def keys(self) -> Iterator[str]:
        """The key of every request in the order of n, "" for one that cannot be sent."""
        found = self._db.execute("SELECT key FROM request ORDER BY n")
        while some := found.fetchmany(_BATCH):
            for (key,) in some:
                yield key.hex()

    def leave_out(self, numbers: Iterable[int]) -> tuple[ModelPlan, ...]:
        """These are not sent either, since they have an answer: what is asked from now on is about the others.

        Gives what is left, by model. It does not touch the plan's hash: the plan is the same, only less of it is sent.
        """
        with temporary_space():
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR IGNORE INTO left_out VALUES (?)", ((n,) for n in numbers))
            self.prefixes.count_again()
            self._db.execute("COMMIT")
            return self._model_plans()

    def asked(self) -> Iterator[tuple[int, str, bytes, bytes, bool]]:
        """(n, id, key, hashes of its parts, whether it is the first of identical ones) of all that can be sent.

        The hashes have `key.PART_BYTES` each.
        """
        for n, id, key, parts, first in self._db.execute(_ASKED):
            yield n, id, key, parts, first is None

    def sizes(self) -> list[Size]:
        """How large the requests are that will be sent, by model, terms and follows, in the order of first use."""
        return sizes(self._db, self._models, self._terms, self._follows)

    def bound(self, size: Size, leg: Leg) -> Iterator[tuple[Group, int]]:
        """Groups of these requests with what each takes at most; see `plan_sizes.bound`."""
        return bound(self._db, size, leg)

    def extreme(self, size: Size, weights: tuple[float, float], *, dearest: bool) -> Single:
        """The largest or smallest of these requests; see `plan_sizes.extreme`."""
        return extreme(self._db, size, weights, dearest=dearest)

    def cached(self) -> dict[str, Cached]:
        """What prefixes are written and read, by model; estimated from text size."""
        return cached(self._db)

    def sample(self, model: str, most: int, seed: int) -> dict[int, int]:
        """Place → size in bytes of up to so many requests to the model, chosen at random and always the same."""
        return sample(self._db, self._models.number(model, model), most, seed)

    def close(self) -> None:
        """Gives the temporary file back. Twice is fine."""
        self._db.close()

    def _record(self, request: Request) -> tuple[Any, ...]:
        return (
            request.n,
            request.id,
            bytes.fromhex(request.key),
            self._models.number(request.model, request.model),
            request.max_tokens,
            len(request.body) + round(request.media_tokens * BYTES_PER_TOKEN),
            self._files.number(request.source.file, request.source.file),
            request.source.line,
            request.most_tokens,
            self._terms.number(request.terms, request.terms),
            self._follows.number(follows := follows_of(request), follows),
            bytes.fromhex("".join(request.parts.values())),
        )

    def _model_plans(self) -> tuple[ModelPlan, ...]:
        """What is really sent, by model, in the order of first use: bad and identical requests are not."""
        rows = self._db.execute(_MODELS)
        return tuple(ModelPlan(self._models[model], *sums) for model, *sums in rows)

    def _one(self, query: str) -> int:
        return int(self._db.execute(query).fetchone()[0])


def _identity(request: Request) -> bytes:
    """What the plan's hash is made of: id, cell, repeat and key, a line each request."""
    return canonical_json([request.id, request.cell, request.repeat, request.key]) + b"\n"
