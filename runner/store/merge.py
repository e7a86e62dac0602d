"""Joining runs of one job, such as those of shards, into a new run. What is joined stays as it is.

Rows of shards go back to where they were before they were dealt; those of other runs follow in the order of the runs.
The new folder becomes a run with its run.json, which is written last: a merge that dies leaves nothing that counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import accumulate, islice
from pathlib import Path
from shutil import rmtree
from typing import Any

from runner.errors import SpecError
from runner.models.summary import Summary
from runner.prompts.key import canonical_json
from runner.store.distinct import Distinct
from runner.store.files import AppendFile, cannot_write, from_json, read_lines, to_json
from runner.store.find import read_results, read_run
from runner.store.finishing import Ending, finish_run
from runner.store.index import ResultIndex
from runner.store.lock import JobLock
from runner.store.opening import make_folder
from runner.store.run_id import new_run_id, run_ids
from runner.store.run_json import command_of
from runner.store.times import Clock
from runner.store.versions import FORMAT


@dataclass(frozen=True)
class Part:
    """A run that is joined. before: rows of the parts before it. of: shards in all, 0 when it is none."""

    folder: Path
    run: Mapping[str, Any]
    before: int = 0

    @property
    def name(self) -> str:
        shard = self.run.get("shard")
        return f"shard {shard['k']}/{shard['of']} ({self.run['run']})" if shard else str(self.run["run"])

    @cached_property
    def per_row(self) -> int:
        return int(self.run["plan"]["cells"] * self.run["plan"]["repeat"])

    @property
    def rows(self) -> int:
        return int(self.run["plan"]["requests"]) // self.per_row

    def joined(self, n: int) -> int:
        """The place in the joined plan of this run's request n."""
        row, within = divmod(n, self.per_row)
        shard = self.run.get("shard")
        place = row * shard["of"] + shard["k"] - 1 if shard else self.before + row
        return int(place * self.per_row + within)


def read_parts(folders: Sequence[Path]) -> list[Part]:
    """The runs in these folders in the order of their rows. Raises SpecError when they cannot be joined."""
    runs = [(folder.resolve(), read_run(folder)) for folder in folders]
    require_one_job([run for _, run in runs])
    if all(run.get("shard") for _, run in runs):
        runs.sort(key=lambda one: one[1]["shard"]["k"])
    parts = [Part(folder, run) for folder, run in runs]
    before = accumulate((part.rows for part in parts), initial=0)
    parts = [Part(part.folder, part.run, rows) for part, rows in zip(parts, before, strict=False)]
    if parts[0].run.get("shard"):
        require_all_shards(parts)
    return parts


def require_one_job(runs: Sequence[Mapping[str, Any]]) -> None:
    """Raises SpecError unless these are different, finished runs of one job, made from the same files."""
    first = runs[0]
    for run in runs:
        if not run["finished"]:
            raise cannot(f"{run['run']} is not finished", "Run its command again first; it goes on where it stopped.")
        if run["job"] != first["job"]:
            raise cannot(f"they are of different jobs, `{first['job']}` and `{run['job']}`", "Join runs of one job.")
        if run["simulated"] != first["simulated"]:
            raise cannot("some of them are simulated and some are real", "Join either the ones or the others.")
        if _files(run) != _files(first) or _shape(run) != _shape(first):
            differ = sorted(name for name, _ in _files(run) ^ _files(first)) or ["the spec"]
            what = f"{first['run']} and {run['run']} were made from different files: {', '.join(dict.fromkeys(differ))}"
            raise cannot(what, "Run all of them on the same files.")
        if bool(run.get("shard")) != bool(first.get("shard")):
            raise cannot("some of the runs are shards and some are not", "Join either shards or other runs.")
    twice = [run for run, times in Counter(run["run"] for run in runs).items() if times > 1]
    if twice:
        raise cannot(f"{twice[0]} is named twice", "Name each run once.")


def _files(run: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(file["path"], file["sha256"]) for file in (run["spec"], *run["files"])}


def _shape(run: Mapping[str, Any]) -> tuple[int, int]:
    return run["plan"]["cells"], run["plan"]["repeat"]


def require_all_shards(parts: Sequence[Part]) -> None:
    """Raises SpecError unless each shard is there once and they were dealt from the same rows."""
    shards = [part.run["shard"] for part in parts]
    of = shards[0]["of"]
    if any(shard["of"] != of or shard["limited"] != shards[0]["limited"] for shard in shards):
        raise cannot("the shards were not dealt alike", "Give all of them the same flags, K/N with the same N.")
    times = Counter(shard["k"] for shard in shards)
    missing = [f"{k}/{of}" for k in range(1, of + 1) if not times[k]]
    twice = [f"{k}/{of}" for k, count in sorted(times.items()) if count > 1]
    if missing:
        raise cannot(f"without {_shards(missing)} rows are missing", "Run what is missing, then name all of them.")
    if twice:
        raise cannot(f"there are several runs of {_shards(twice)}", "Name one run of each shard.")
    total = sum(part.rows for part in parts)
    for k, part in enumerate(parts):
        if part.rows != len(range(k, total, of)):
            what = f"{part.name} has {part.rows:,} of {total:,} rows, so the inputs changed in between"
            raise cannot(what, "Run all shards on the same inputs.")


def _shards(names: Sequence[str]) -> str:
    return f"shard{'s' if len(names) > 1 else ''} {', '.join(names)}"


def cannot(what: str, next: str) -> SpecError:
    return SpecError(f"these runs cannot be joined: {what}", next=next, rule="merge")


# ---------------------------------------------------------------- writing


def merge_runs(parts: Sequence[Part], job_folder: Path, *, arguments: Sequence[str], clock: Clock) -> Summary:
    """Write the joined run below `job_folder`. parts: as `read_parts` gives them. Raises OutputError, SpecError."""
    make_folder(job_folder)
    lock = JobLock(job_folder, at=clock.utc())
    try:
        run_id = new_run_id(clock.utc(), [*run_ids(job_folder), *(part.run["run"] for part in parts)])
        lock.name_run(run_id)
        return _write(parts, job_folder / run_id, arguments, clock)
    finally:
        lock.release()


def _write(parts: Sequence[Part], folder: Path, arguments: Sequence[str], clock: Clock) -> Summary:
    try:
        folder.mkdir()
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        index = ResultIndex(sum(part.run["plan"]["requests"] for part in parts))
        hash = _write_results(parts, folder, index)
        _write_journal(parts, folder)
        run = _manifest(parts, folder.name, hash, arguments, clock)
        return finish_run(folder, run, index, Ending("complete", at=clock.utc(), seconds=0.0))
    except BaseException:
        rmtree(folder, ignore_errors=True)
        raise


def _write_results(parts: Sequence[Part], folder: Path, index: ResultIndex) -> str:
    """Writes the result lines in order and returns the hash of the joined plan. Raises SpecError for a row twice."""
    names = {part.run["run"]: part for part in parts}
    digest = sha256()
    with ExitStack() as stack:
        file = AppendFile(folder / "results.jsonl")
        stack.callback(file.close)
        ids = stack.enter_context(Distinct())
        for part, record in _in_order(parts):
            if record["n"] % part.per_row == 0 and not ids.add(record["id"]):
                raise cannot(f"the row `{record['id']}` is in more than one of them", "Join runs of different rows.")
            identity = canonical_json([record["id"], record["cell"], record["repeat"], record["key"]])
            digest.update(identity + b"\n")
            joined = _joined(record, part, names, folder.name)
            index.add(joined, file.append(to_json(joined)))
    return digest.hexdigest()


def _in_order(parts: Sequence[Part]) -> Iterator[tuple[Part, dict[str, Any]]]:
    """Every result with the run it is of, in the order of the joined plan."""
    if not parts[0].run.get("shard"):
        for part in parts:
            yield from ((part, record) for record in read_results(part.folder))
        return
    rest = [(part, read_results(part.folder)) for part in parts]
    for _ in range(parts[0].rows):
        for part, results in rest:
            yield from ((part, record) for record in islice(results, part.per_row))


def _joined(record: dict[str, Any], part: Part, names: Mapping[str, Part], run: str) -> dict[str, Any]:
    """The result line as one of the joined run."""
    reused = record["reused_from"]
    if reused and reused["run"] in names:
        reused = {**reused, "run": run, "n": names[reused["run"]].joined(reused["n"])}
    return {**record, "run": run, "n": part.joined(record["n"]), "reused_from": reused}


def _write_journal(parts: Sequence[Part], folder: Path) -> None:
    """The lines of all journals, so that what was paid beside the answers is still known."""
    file = AppendFile(folder / "journal.jsonl")
    try:
        for part in parts:
            for _, line in read_lines(part.folder / "journal.jsonl"):
                record = from_json(line)
                if record is not None:
                    n = record.get("n")
                    file.append(to_json({**record, "n": part.joined(n)}) if type(n) is int else line.rstrip(b"\r\n"))
    finally:
        file.close()


def _manifest(
    parts: Sequence[Part], run_id: str, plan_hash: str, arguments: Sequence[str], clock: Clock
) -> dict[str, Any]:
    """run.json of the joined run, as `finish_run` takes it."""
    first, plans = parts[0].run, [part.run["plan"] for part in parts]
    summed = {name: sum(plan[name] for plan in plans) for name in ("requests", "rows", "identical", "bad")}
    shard = first.get("shard")
    sitting = _sitting(first["sittings"][-1], arguments, clock)
    return {
        **first,
        "v": FORMAT,
        "run": run_id,
        "limited": shard["limited"] if shard else True,
        "parent": None,
        "shard": None,
        "retry": None,
        "merged": [_merged(part.run) for part in parts],
        "plan_hash": plan_hash,
        "plan": {**plans[0], **summed},
        "sittings": [*(sitting for part in parts for sitting in part.run["sittings"]), sitting],
        "notes": [],
    }


def _sitting(like: Mapping[str, Any], arguments: Sequence[str], clock: Clock) -> dict[str, Any]:
    """The time that was spent on joining: nothing was sent. like: another sitting."""
    known = {name: like[name] for name in ("versions", "git")}
    empty: dict[str, Any] = {name: [] if isinstance(value, list) else None for name, value in like.items()}
    return empty | known | {"arguments": list(arguments), "started": clock.utc()}


def _merged(run: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of one of the parts."""
    return {"run": run["run"], "shard": _shard_text(run), "arguments": command_of(run)}


def _shard_text(run: Mapping[str, Any]) -> str | None:
    return f"{run['shard']['k']}/{run['shard']['of']}" if run.get("shard") else None
