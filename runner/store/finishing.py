"""Ending a sitting: results in order, usage.json, run.json, `latest`, and the Summary of it all.

Every step leaves the folder readable when the process dies after it; nothing ever takes a result off the disk.
"""

from __future__ import annotations

import contextlib
import os
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import Any

import orjson

from runner.errors import OutputError
from runner.models.price_table import LIST_PRICES, PriceTable
from runner.models.summary import Summary
from runner.spec.job import Keep
from runner.store.attempts import AttemptTally
from runner.store.files import Replace, sync, to_json, write_whole
from runner.store.index import TRANSIENT, ResultIndex
from runner.store.indexing import Indexing
from runner.store.keeping import forget_replies
from runner.store.tally import ResultTally
from runner.store.usage_file import usage_json


@dataclass(frozen=True, slots=True)
class Ending:
    """How a sitting ended. at: RFC 3339. seconds: how long it lasted.

    cache_audit: requests that should have shared a prefix and did not, a map with its `text` each. prices: of the job.
    sitting: what run.json says of the sitting beside that. keep: what the files may hold (`run.keep`).
    """

    end: str
    at: str
    seconds: float
    cache_audit: Sequence[Mapping[str, Any]] = ()
    prices: PriceTable = LIST_PRICES
    sitting: Mapping[str, Any] = field(default_factory=dict)
    keep: Keep = Keep()  # noqa: RUF009 (frozen: it cannot change)


def finish_run(
    folder: Path, run: dict[str, Any], index: ResultIndex, ending: Ending, *, replace: Replace = os.replace
) -> Summary:
    """Write how the run stands after this sitting. run: run.json's content, brought up to date in place."""
    run["ordered"] = not index.missing and _in_order(folder / "results.jsonl", index, run, replace)
    run["finished"] = not index.missing and not index.count(TRANSIENT)
    run["end"] = ending.end
    sitting = run["sittings"][-1]
    sitting.update(ended=ending.at, end=ending.end, seconds=round(ending.seconds, 3), **ending.sitting)
    attempts = AttemptTally(index.total, ending.prices)
    attempts.load(folder / "journal.jsonl", index)
    with Indexing(folder) as indexing:
        tally = tally_results(folder, run, index, ending.prices, indexing.note)
    for paid in (attempts.overhead, attempts.unfinished):
        tally.add_paid(paid)
    sitting["results"] = tally.results
    run["simulated"] = run["simulated"] or tally.simulated > 0  # a simulator may also be reached by its address
    run["notes"] += [note for note in (*unread(attempts), *indexing.notes) if note not in run["notes"]]
    summary = summarise(folder, run, index, tally, attempts)
    run["counts"] = {
        "results": tally.results,
        "good": tally.good,
        "reused": tally.reused,
        "left": summary.left,
        "transient": summary.transient,
        "by_status": dict(sorted(tally.by_status.items())),
    }
    summary = replace_fields(summary, cache_audit=tuple(str(one["text"]) for one in ending.cache_audit))
    usage = usage_json(run, tally, attempts, seconds=summary.seconds, cache_audit=ending.cache_audit)
    if run["finished"] and not ending.keep.response:
        forget_replies(folder / "journal.jsonl", replace)
    write_whole(folder / "usage.json", to_json(usage, indent=True), replace=replace)
    write_whole(folder / "run.json", to_json(run, indent=True), replace=replace)
    if run["finished"] and not run["limited"]:
        point_latest(folder)
    return summary


def _in_order(path: Path, index: ResultIndex, run: dict[str, Any], replace: Replace) -> bool:
    """Whether the file is in order of n now. One that cannot be rewritten keeps its order of arrival."""
    if index.ordered:
        return True
    try:
        _rewrite(path, index, replace)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        run["notes"].append(f"results.jsonl could not be put in order and is in order of arrival: {reason}")
        return False
    return True


def _rewrite(path: Path, index: ResultIndex, replace: Replace) -> None:
    """The newest line of each request, in order, through a temporary file. Whoever writes usage.json next to it makes
    the rename durable too; until then a power cut brings back the results as they were."""
    temporary = path.with_name(f".{path.name}.tmp")
    offsets = array("Q", bytes(8 * index.total))
    try:
        with temporary.open("wb") as file:
            for n, line in index.lines(path):
                offsets[n] = file.tell()
                file.write(line)
            sync(file)
        replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    index.offsets = offsets


def tally_results(
    folder: Path,
    run: dict[str, Any],
    index: ResultIndex,
    prices: PriceTable = LIST_PRICES,
    note: Callable[[Mapping[str, Any], int], None] = lambda record, offset: None,
) -> ResultTally:
    """The sums over all results, which are told to `note` as well, with the offset of their line."""
    tally = ResultTally(run["plan"]["cells"] * run["plan"]["repeat"], prices)
    for n, line in index.lines(folder / "results.jsonl"):
        record = orjson.loads(line)
        tally.add(record)
        note(record, index.offsets[n])
    tally.money.end_row()
    return tally


def unread(attempts: AttemptTally) -> list[str]:
    if not attempts.garbage:
        return []
    return [f"journal.jsonl: {attempts.garbage} lines could not be read and were left out"]


def summarise(
    folder: Path, run: dict[str, Any], index: ResultIndex, tally: ResultTally, attempts: AttemptTally
) -> Summary:
    money = tally.money
    return Summary(
        job=run["job"],
        run=run["run"],
        folder=str(folder),
        total=index.total,
        results=tally.results,
        good=tally.good,
        finished=run["finished"],
        end=run["end"],
        simulated=run["simulated"],
        limited=run["limited"],
        ordered=run["ordered"],
        continued=len(run["sittings"]) > 1,
        left=index.missing,
        transient=index.count(TRANSIENT),
        reused=tally.reused,
        identical=tally.identical,
        sent=attempts.requests,
        by_status=dict(sorted(tally.by_status.items())),
        groups=tally.ranked_groups,
        tokens=tally.usage.total,
        cost_usd=money.usd,
        priced_usd=money.priced_usd,
        unpriced_models=tuple(sorted(money.unpriced)),
        maybe_billed_attempts=attempts.maybe_billed,
        maybe_billed_usd=attempts.to_json()["usd"],
        assumed_usd=round(attempts.assumed_usd, 9),
        overhead_requests=attempts.overhead.count,
        overhead_usd=attempts.overhead.usd,
        cache_hit_rate=tally.cache_hit_rate,
        cache_saved_usd=tally.saved_usd,
        cache_writes=tally.cache.writes,
        cache_reads=tally.cache.reads,
        cache_miss_reasons=dict(tally.cache.miss_reasons.most_common()),
        retries=attempts.sent - attempts.calls,
        seconds=sum(sitting["seconds"] or 0.0 for sitting in run["sittings"]),
        latency_p50=tally.latency.percentile(50),
        notes=tuple(run["notes"]),
    )


def point_latest(folder: Path) -> None:
    """`latest` beside the run: a relative link, or `latest.txt` with the run's id where links are not to be had."""
    link, text = folder.parent / "latest", folder.parent / "latest.txt"
    temporary = folder.parent / ".latest.tmp"
    try:
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(folder.name, target_is_directory=True)
        temporary.replace(link)
        text.unlink(missing_ok=True)
    except OSError:
        for stale in (temporary, link):
            with contextlib.suppress(OSError):
                stale.unlink(missing_ok=True)
        with contextlib.suppress(OutputError):
            write_whole(text, f"{folder.name}\n".encode())
