"""A cap on what a plan may cost, held against the plan: whether it is a wall at all, and whether it lets work go on.

What asks for prices is called for a job with a cap alone: the others do not pay for loading them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from runner.errors import Position, Problem
from runner.models.dollars import dollars, enough
from runner.models.estimate import Budgeted, Reserved
from runner.models.price_table import PriceTable
from runner.models.terms import DEFAULT, PAGES
from runner.models.worst_case import course_usd, legs, worst_case_usd
from runner.prompts.courses import Follows
from runner.prompts.plan import PlanLedger
from runner.prompts.plan_sizes import Single, Size
from runner.records import Plan
from runner.spec.gather import problem_at
from runner.spec.job import USUAL_CONCURRENCY, JobSpec, MaxCost

FLAG: Final = "--max-cost"
KEY: Final = ("run", "max_cost")

UNPRICED, UNBOUNDED, TOO_SMALL = "cap-unpriced", "cap-unbounded", "cap-too-small"
_BEST_EFFORT: Final = "or have it counted only as far as it can be: `max_cost: {{usd: {:g}, best_effort: true}}`"


def with_cap(plan: Plan, job: JobSpec, ledger: PlanLedger) -> Plan:
    """The plan with what is wrong with its job's `run.max_cost`, if it has one."""
    if job.run.max_cost is None:
        return plan
    found = list(cap_problems(job, ledger, job.run.max_cost))
    errors = [problem for problem in found if problem.is_error]
    return replace(
        plan,
        problems=[*errors, *plan.problems],
        warnings=[*plan.warnings, *(problem for problem in found if not problem.is_error)],
    )


def cap_problems(job: JobSpec, ledger: PlanLedger, cap: MaxCost, *, flag: bool = False) -> Iterator[Problem]:
    """Why spending could pass the cap, or what it never lets through. flag: the cap is that of `--max-cost`."""
    report = _flag_reporter(job) if flag else _key_reporter(job)
    sizes = ledger.sizes()
    if not cap.best_effort:
        yield from _loose(sizes, job.prices, cap, report)
    held = reserved(ledger, job.prices)
    if held is not None and held.most > cap.usd:
        yield _too_small(held, cap, report)


def budgeted(job: JobSpec, ledger: PlanLedger) -> Budgeted | None:
    """What the job's cap does to its plan; None without a cap, or where nothing is sent or has no price."""
    cap = job.run.max_cost
    held = reserved(ledger, job.prices) if cap else None
    if cap is None or held is None:
        return None
    requests = sum(size.requests for size in ledger.sizes())
    return Budgeted(cap.usd, cap.best_effort, held, min(requests, job.run.concurrency or USUAL_CONCURRENCY))


def reserved(ledger: PlanLedger, prices: PriceTable) -> Reserved | None:
    """For the first calls of a plan; None when nothing is sent, or when something of it has no price."""
    found: list[tuple[float, Single, Size]] = []
    total, sizes = 0.0, ledger.sizes()
    for size in sizes:
        for one in (_single(ledger, size, prices, dearest=dearest) for dearest in (False, True)):
            usd = worst_case_usd(size.model, one.most, one.max_tokens, prices, size.terms)
            if usd is None:
                return None
            found.append((usd, one, size))
        first = partial(ledger.bound, size._replace(follows=Follows()))
        total += float(course_usd(size.model, size.terms, prices, first) or 0)
    if not found:
        return None
    most, dearest, of = max(found, key=lambda one: one[0])
    mean = total / sum(size.requests for size in sizes)
    return Reserved(
        min(usd for usd, _, _ in found), mean, most, dearest.id, dearest.max_tokens, bool(of.terms.fallbacks)
    )


def _single(ledger: PlanLedger, size: Size, prices: PriceTable, *, dearest: bool) -> Single:
    """Of these requests the one that is reserved most or least for, as far as the first model goes."""
    price = prices.price(size.model)
    weights = (float(price.base.dearest_input), float(price.base.output)) if price else (1.0, 1.0)
    return ledger.extreme(size, weights, dearest=dearest)


# ---------------------------------------------------------------- problems

_Reporter = Callable[[str, str, str, bool], Problem]
"""(rule, what is wrong, what to do next, whether it is an error) → the problem with its place."""


def _key_reporter(job: JobSpec) -> _Reporter:
    def report(rule: str, what: str, step: str, error: bool) -> Problem:
        severity: Final = "error" if error else "warning"
        if job.doc is None:
            return Problem(rule, what, Position(str(job.path)), "run.max_cost", step, severity)
        return problem_at(job.doc, rule, what, KEY, next=step, severity=severity)

    return report


def _flag_reporter(job: JobSpec) -> _Reporter:
    def report(rule: str, what: str, step: str, error: bool) -> Problem:
        return Problem(rule, f"{FLAG}: {what}", Position(str(job.path)), "", step, "error" if error else "warning")

    return report


def _loose(sizes: Sequence[Size], prices: PriceTable, cap: MaxCost, report: _Reporter) -> Iterator[Problem]:
    """What a cap cannot hold: models without a price, and what nothing bounds."""
    best_effort = _BEST_EFFORT.format(cap.usd)
    unpriced = dict.fromkeys(
        leg.model for size in sizes for leg in legs(size.model, size.terms, prices) if not leg.price
    )
    if unpriced:
        what = f"no price is known of {_listed(unpriced)}, so no cap can hold what it costs"
        yield report(UNPRICED, what, f"write its price under `prices`, {best_effort}", True)
    unbounded = dict.fromkeys(name for size in sizes for name in size.terms.unbounded)
    if unbounded:
        what = f"nothing bounds what one request may cost with {_listed(unbounded)}, so no cap can hold it"
        yield report(UNBOUNDED, what, f"{_bounding(unbounded)}, {best_effort}", True)


def _bounding(names: Iterable[str]) -> str:
    """What to do about what nothing bounds."""
    web = [name for name in names if name.startswith("web_")]
    if web:
        return f"add `max_uses: 3` to {_listed(web)}"
    return "attach the files by `path`" if PAGES in names else "leave it out"


def _too_small(held: Reserved, cap: MaxCost, report: _Reporter) -> Problem:
    """Money is put aside before a request is sent, so one that may cost more than the cap is never sent.

    A warning: the run ends at the limit that its author set, which is what a limit is for.
    """
    what = f"row `{held.id[:200]}` may cost {dollars(held.most)}, so a cap of {dollars(cap.usd)} never lets it through"
    if held.least > cap.usd:
        what = f"no request can be sent: each may cost {dollars(held.least)} or more, the cap is {dollars(cap.usd)}"
    return report(TOO_SMALL, what, f"raise it to {enough(held.most)} or more, or {held.lower}", False)


def _listed(names: Iterable[str]) -> str:
    words = {PAGES: PAGES, DEFAULT: "the model behind `fallbacks: default`"}
    return " and ".join(words.get(name, f"`{name}`") for name in names)
