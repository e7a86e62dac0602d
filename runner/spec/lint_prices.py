"""Rules about `prices:`: what a model without a listed price needs, and prices that nothing is billed by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runner.errors import Problem
from runner.models.rules import family, rule_for
from runner.spec.gather import problem_at
from runner.spec.job import CellSpec, InputSource
from runner.spec.lint_facts import JobFacts
from runner.spec.near import did_you_mean


def price_complete(job: JobFacts) -> Iterator[Problem]:
    """A model that nobody knows has no listed price to fill in the rest."""
    for model, rates in _written(job).items():
        missing = [f"`{name}`" for name in ("input", "output") if name not in rates]
        if missing and rule_for(model) is None:
            what = f"promptrun knows no price of `{model}`, so {' and '.join(missing)} cannot be left out"
            step = "write both, in US dollars per million tokens"
            yield problem_at(job.doc, "price-incomplete", what, ("prices", model), next=step)


def price_used(job: JobFacts) -> Iterator[Problem]:
    """A misspelt id would leave the price at what the list says, unnoticed."""
    models = job.models
    if models is None:
        return
    families = {family(model) for model in models}
    for model in _written(job):
        if rule_for(model) is None and family(model) not in families:
            step = did_you_mean(model, sorted(models), otherwise="remove it")
            what = f"no request of this job goes to `{model}`, so its price changes nothing"
            yield problem_at(job.doc, "price-unused", what, ("prices", model), next=step, severity="warning")


RULES: tuple[Callable[[JobFacts], Iterator[Problem]], ...] = (price_complete, price_used)


def named_models(cells: tuple[CellSpec, ...], inputs: tuple[InputSource, ...]) -> frozenset[str] | None:
    """The models that a job names, fallbacks among them; None when a template or a row may name another."""
    if any(source.overrides or any("overrides" in row for row in source.rows) for source in inputs):
        return None
    names: set[str] = set()
    for fields in (cell.fields for cell in cells):
        if not isinstance(fields.get("model"), str):
            return None
        listed = fields.get("fallbacks")
        for item in [fields["model"], *(listed if isinstance(listed, list) else ())]:
            name: Any = item.get("model") if isinstance(item, Mapping) else item
            names |= {name} if isinstance(name, str) else set()
    return frozenset(names)


def _written(job: JobFacts) -> Mapping[str, Mapping[str, Any]]:
    prices = job.tree.get("prices", {})
    return prices if isinstance(prices, Mapping) else {}
