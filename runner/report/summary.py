"""How a run ended, to be read in five seconds: how many are good, what went wrong, cost, where, what to type next."""

from __future__ import annotations

import re
import shlex
from math import floor
from pathlib import Path, PurePath

import orjson

from runner.models.summary import Group, Summary
from runner.records import Failure
from runner.report.advice import advice
from runner.report.words import count, duration, money, one_line

GROUPS_SHOWN = 8
_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./-]*")


def summary_text(summary: Summary, cause: Failure | None = None, *, command: str = "", elsewhere: str = "") -> str:
    """The whole summary. cause: what ended the run early; command: as in `next_step`.

    elsewhere: the `--output-dir` a later command needs to find this run; "" when it looks there by itself.
    """
    lines = [_headline(summary), *_limit_lines(summary)]
    if cause:
        lines += _cause_lines(summary, cause)
    for group in summary.groups[:GROUPS_SHOWN]:
        lines += _group_lines(group)
    hidden = len(summary.groups) - GROUPS_SHOWN
    if hidden > 0:
        lines.append(f"  … and {count(hidden, 'more cause')}")
    lines += [f"  note: {note}" for note in summary.notes]
    cache = "cache, this sitting" if summary.continued else "cache"  # bodies of earlier sittings are not kept
    lines += [f"  {cache}: {finding}" for finding in summary.cache_audit]
    facts = {"checks": _checks(summary)}
    facts |= {"tokens": _tokens(summary), "cache": _cache(summary), "cost": _cost(summary), "time": _time(summary)}
    facts["results"] = _results(summary)
    facts["next"] = next_step(summary, command, elsewhere)
    lines += [_fact(name, value) for name, value in facts.items() if value]
    return "\n".join(lines)


def cause_text(summary: Summary, cause: Failure | None, *, command: str = "") -> str:
    """Why a run ended early and how it goes on, alone. command: as in `next_step`."""
    lines = [_headline(summary), *_limit_lines(summary), *(_cause_lines(summary, cause) if cause else ())]
    return "\n".join(lines if summary.finished else [*lines, _fact("next", next_step(summary, command))])


def summary_json(summary: Summary) -> str:
    """One JSON object on one line."""
    return orjson.dumps(summary.to_json()).decode()


def _fact(name: str, value: str) -> str:
    return f"{name:<9}{value}"


def _headline(summary: Summary) -> str:
    text = f"{summary.job}: {summary.good:,} of {summary.total:,} good"
    parts = []
    if not summary.finished and summary.to_send:
        parts.append(f"{summary.to_send:,} left")
    if summary.end not in ("complete", ""):
        parts.append(f"stopped: {summary.end}")
    parts += _known(summary)
    if parts:
        text += f" ({', '.join(parts)})"
    return f"{text}\n  simulated: no model was asked and nothing was paid" if summary.simulated else text


def _known(summary: Summary) -> list[str]:
    """What was not sent: answers of earlier runs, and requests that are equal to another one of this run."""
    parts, earlier = [], summary.reused - summary.identical
    if earlier:
        parts = [f"{earlier:,} reused", f"{summary.sent:,} sent"]
        parts += [] if summary.sent else ["$0.00"]
    return [*parts, f"{summary.identical:,} identical, sent once"] if summary.identical else parts


def _group_lines(group: Group) -> list[str]:
    label = " ".join(dict.fromkeys(part for part in (group.status, group.kind, str(group.http_status or "")) if part))
    message = f": {one_line(group.message)}" if group.message else ""
    lines = [f"  {group.count:,} {label}{message} (such as `{one_line(group.example, 60)}`)"]
    tip = advice(group.status, group.kind)
    return [*lines, f"    {tip}"] if tip else lines


def _limit_lines(summary: Summary) -> list[str]:
    """Which limit of the user's ended it, and what to raise."""
    if summary.limit is None:
        return []
    return [f"  stopped at {summary.limit.what}", f"    {summary.limit.next}"]


def _cause_lines(summary: Summary, cause: Failure) -> list[str]:
    """What ended the run, and what to do about it unless the requests it failed say so already."""
    label = f"{cause.kind} {cause.http_status or ''}".rstrip()
    lines = [f"  stopped by {label}: {one_line(cause.message, 300)}"]
    if cause.retry_after is not None and cause.scope == "attempt":
        lines.append(
            f"    The server asks to wait {duration(cause.retry_after)}: run the same command again after that."
        )
    elif cause.error_type and cause.kind not in [group.kind for group in summary.groups]:
        lines.append(f"    {advice('failed', cause.kind)}")
    return lines


def _checks(summary: Summary) -> str:
    """How the written checks came out; a share that is not enough is never rounded up to what was wanted."""
    words = {True: "passed", False: "failed"}
    return "; ".join(
        f"{check.name} {floor(check.got * 100) / 100:g}%, wanted {check.wanted}: {words[check.passed]}"
        for check in summary.checks
    )


def _tokens(summary: Summary) -> str:
    tokens = summary.tokens
    if not tokens.prompt and not tokens.output:
        return ""
    cached = f" ({tokens.cache_read:,} read from the cache)" if tokens.cache_read else ""
    thinking = f" ({tokens.thinking:,} thinking)" if tokens.thinking else ""
    return f"{tokens.prompt:,} in{cached}, {tokens.output:,} out{thinking}"


def _cache(summary: Summary) -> str:
    """How often prefixes were written and read, what that saved, and what the API says of those it missed."""
    if not summary.cache_writes and not summary.cache_reads and not summary.cache_miss_reasons:
        return ""
    tokens = summary.tokens
    written = tokens.cache_write_5m + tokens.cache_write_1h
    parts = [
        f"{count(summary.cache_writes, 'request')} wrote {written:,} tokens",
        f"{summary.cache_reads:,} read {tokens.cache_read:,}, {summary.cache_hit_rate or 0:.0%} of the prompts",
    ]
    saved = summary.cache_saved_usd
    if saved is not None:
        parts.append(f"{'saved' if saved >= 0 else 'lost'} {money(abs(saved))}")
    if summary.cache_miss_reasons:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in summary.cache_miss_reasons.items())
        parts.append(f"the API's reasons for missing: {reasons}")
    return "; ".join(parts)


def _cost(summary: Summary) -> str:
    if summary.cost_usd is None:
        models = ", ".join(summary.unpriced_models)
        text = f"unknown: no price for {models} (write it under `prices:`), or replies without usage"
        text += f"; the rest cost {money(summary.priced_usd)}"
    else:
        text = money(summary.cost_usd)
    if summary.overhead_requests:
        text += f", of which {money(summary.overhead_usd)} for {count(summary.overhead_requests, 'cache warm-up')}"
    if summary.simulated:
        text += " had it been real"
    if summary.maybe_billed_attempts:
        most = f" up to {money(summary.maybe_billed_usd)}" if summary.maybe_billed_usd is not None else ""
        attempts = count(summary.maybe_billed_attempts, "attempt")
        text += f"; {attempts} without an outcome may have been billed{most}"
    if summary.max_cost_usd is not None:
        text += f"; {money(summary.left_usd)} left of max_cost {money(summary.max_cost_usd)}"
    return text


def _time(summary: Summary) -> str:
    parts = [duration(summary.seconds)]
    if summary.latency_p50 is not None:
        parts.append(f"half of the answers within {duration(summary.latency_p50)}")
    if summary.retries:
        parts.append(count(summary.retries, "retry", "retries"))
    return ", ".join(parts)


def _results(summary: Summary) -> str:
    path = str(Path(summary.folder) / "results.jsonl")
    return path if summary.ordered else f"{path} (in order of arrival)"


def reference(summary: Summary) -> str:
    """The shortest way to name this run on the command line."""
    if not summary.finished or summary.limited:
        return summary.run
    folder = PurePath(summary.folder)
    return f"{'simulated/' if folder.parent.parent.name == 'simulated' else ''}{summary.job}@latest"


def next_step(summary: Summary, command: str, elsewhere: str = "") -> str:
    """What to type next. command: what goes on with an unfinished run, "" where that is for the reader to know."""
    if not summary.finished:
        return f"{command or 'the same command again'}: {_what_is_sent(summary)}"
    words = ["promptrun show", reference(summary)]
    if summary.groups:
        words.append(shell_word(summary.groups[0].example))
    if elsewhere:
        words += ["--output-dir", shell_word(elsewhere) or shlex.quote(elsewhere)]  # a path is the user's own
    return " ".join(word for word in words if word)


def _what_is_sent(summary: Summary) -> str:
    """By going on: what has no answer, also where it failed for good."""
    if not summary.to_send:
        return "it finishes the files and sends nothing"
    failed = f" ({summary.failed_to_send:,} of them failed)" if summary.failed_to_send else ""
    return f"it goes on with the {count(summary.to_send, 'request')} left{failed} and pays for no answer twice"


def shell_word(word: str) -> str:
    """The word so that pasting it into a shell is safe; "" for one that no shell takes literally.

    Ids are data: `$(…)` in one must stay text. Single quotes are literal in POSIX shells and in PowerShell.
    """
    if _PLAIN.fullmatch(word):
        return word
    safe = word.isprintable() and "'" not in word and not word.startswith("-")
    return f"'{word}'" if safe else ""
