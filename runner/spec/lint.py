"""Rules that a schema cannot say: what is known of models, what must stand together, what is probably a slip.

Runs the tables of the `lint_*` modules over every cell and the whole job. Each rule is a small function that gives
problems and changes nothing. Asks neither the clock nor the network: `today` is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.errors import Problem
from runner.spec import (
    lint_body,
    lint_cache,
    lint_conversation,
    lint_fallbacks,
    lint_job,
    lint_media,
    lint_models,
    lint_output,
    lint_prices,
    lint_providers,
    lint_reuse,
    lint_services,
    lint_tools,
    lint_warm_up,
)
from runner.spec.lint_facts import CellFacts, JobFacts

CELL_RULES = (
    *lint_conversation.RULES,
    *lint_body.RULES,
    *lint_models.RULES,
    *lint_tools.RULES,
    *lint_services.RULES,
    *lint_fallbacks.RULES,
    *lint_output.RULES,
    *lint_media.RULES,
    *lint_cache.RULES,
    *lint_warm_up.RULES,
    *lint_providers.RULES,
    *lint_reuse.RULES,
)
JOB_RULES = (*lint_job.RULES, *lint_prices.RULES)


def lint(cells: Sequence[CellFacts], job: JobFacts) -> list[Problem]:
    """Everything the rules find, each once, though many cells may share the mistake."""
    found: Iterable[Problem] = (problem for facts in cells for rule in CELL_RULES for problem in rule(facts))
    once = dict.fromkeys(found)
    if not job.broken:
        once.update(dict.fromkeys(problem for rule in JOB_RULES for problem in rule(job)))
    return list(once)
