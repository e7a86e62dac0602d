"""Reads a job spec into a complete `JobSpec`, or raises one SpecError with everything that is wrong with it.

The steps: YAML → `--set` → schema → variables, sources, settings → matrix → lint. A part that has problems is left
out and the rest goes on, so that one reading finds all mistakes. Reads the spec and the texts it names, no rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from runner.errors import Position, Problem, SpecError
from runner.models.price_table import price_table
from runner.records import Json
from runner.spec.caching import cache_spec, marks_in, varying
from runner.spec.cells import BuiltCell, Variables, build_cells, decided_fields, decided_keys
from runner.spec.checks import checks_problems, checks_spec
from runner.spec.client import client_problems, client_spec
from runner.spec.fields import Compiler
from runner.spec.gather import Gathered
from runner.spec.job import CacheSpec, Checks, InputSource, JobSpec, RunSpec
from runner.spec.lint import lint
from runner.spec.lint_facts import CellFacts, JobFacts
from runner.spec.lint_prices import named_models
from runner.spec.overrides import read_vars
from runner.spec.settings import run_settings, settings_problems
from runner.spec.sources import read_sources
from runner.spec.spec_file import broken_keys, check_spec, job_name, open_spec, sound_part
from runner.spec.template import Templates, names_in
from runner.spec.variables import read_variables

_NOWHERE: Final = Position("")


@dataclass(frozen=True)
class LoadOptions:
    """What the command line adds. sets: `a.b=value`; vars: `name=value`; allow_paths: folders beside the root.

    allow_hosts: where a spec may send requests to; PROMPTRUN_ALLOW_HOSTS adds to them.
    """

    sets: tuple[str, ...] = ()
    vars: tuple[str, ...] = ()
    allow_paths: tuple[Path, ...] = ()
    allow_hosts: tuple[str, ...] = ()


_NO_OPTIONS: Final = LoadOptions()


def load_job(
    path: Path, options: LoadOptions = _NO_OPTIONS, *, env: Mapping[str, str], today: date | None = None
) -> JobSpec:
    """The job that a spec file describes. env: for `{env: NAME}` variables; today: for warnings about models.

    Raises SpecError carrying all problems, warnings among them, in the order of the text.
    """
    gathered = open_spec(path, options.allow_paths)
    set_paths = check_spec(gathered, options.sets)
    tree = sound_part(gathered)
    compiler = Compiler(gathered, Templates(gathered.confine, base=gathered.base))
    variables = _variables(tree, options, env, gathered, known="vars" not in broken_keys(gathered.problems))
    inputs = read_sources(tree["inputs"], compiler) if "inputs" in tree else ()
    cells = build_cells(tree, variables, set(decided_keys(set_paths)), compiler)
    today = today or datetime.now(UTC).date()
    job = JobSpec(
        path=path,
        root=gathered.confine.root,
        confine=gathered.confine,
        name=job_name(tree, path, gathered),
        cells=tuple(cell.spec for cell in cells),
        templates=compiler.templates,
        inputs=inputs,
        repeat=tree.get("repeat", 1),
        run=_run(tree, gathered),
        checks=_checks(tree, gathered),
        cache=_cache(tree, cells, gathered),
        client=client_spec(tree.get("client", {})),
        doc=gathered.doc,
        prices=price_table(tree.get("prices", {}), today),
        set_fields=frozenset(decided_fields(set_paths)),
        names=frozenset().union(*(cell.names for cell in cells), *_source_names(inputs)),
        files=(path.resolve(), *gathered.texts, *gathered.attached),
    )
    client_problems(job.client, options.allow_hosts, env, gathered.add)
    gathered.problems += _lint(job, cells, tree, gathered, today)
    return replace(job, warnings=_warnings(gathered))


def _variables(
    tree: Mapping[str, Json], options: LoadOptions, env: Mapping[str, str], gathered: Gathered, *, known: bool
) -> Variables:
    written = tree.get("vars", {})
    given, problems = read_vars(options.vars, written)
    gathered.problems += problems if known else []
    return Variables(read_variables(written, given, env, gathered), given)


def _run(tree: Mapping[str, Json], gathered: Gathered) -> RunSpec:
    settings = tree.get("run", {})
    settings_problems(settings, gathered.add)
    return run_settings(settings)


def _checks(tree: Mapping[str, Json], gathered: Gathered) -> Checks:
    written = tree.get("checks")
    checks_problems(written or [], gathered.add)
    return checks_spec(written)


def _cache(tree: Mapping[str, Json], cells: Sequence[BuiltCell], gathered: Gathered) -> CacheSpec:
    specs = [cell.spec for cell in cells]
    marked = any(any(marks_in(spec.fields)) for spec in specs)
    return replace(cache_spec(tree, gathered.doc, marked=marked), varying=varying(specs))


def _source_names(inputs: Sequence[InputSource]) -> list[frozenset[str]]:
    return [names_in([source.id, source.where]) for source in inputs]


def _lint(
    job: JobSpec,
    cells: Sequence[BuiltCell],
    tree: Mapping[str, Json],
    gathered: Gathered,
    today: date,
) -> list[Problem]:
    broken = broken_keys(gathered.problems)
    distinct = {tuple((name, one.path) for name, one in cell.fields.items()): cell.fields for cell in cells}
    facts = [
        CellFacts(fields, gathered.doc, today, job.run.stream, broken, job.cache, job.client, job.run.reuse.written)
        for fields in distinct.values()
    ]
    cell_names = tuple(cell.names for cell in cells)
    has_errors = any(problem.is_error for problem in gathered.problems)
    models = named_models(job.cells, job.inputs)
    return lint(facts, JobFacts(gathered.doc, tree, job.inputs, job.names, cell_names, has_errors, models))


def _warnings(gathered: Gathered) -> tuple[Problem, ...]:
    """The warnings, in the order of the text; raises SpecError with everything when there is an error."""
    file = gathered.doc.file
    found = sorted(
        dict.fromkeys(gathered.problems),
        key=lambda problem: ((problem.where or _NOWHERE).file != file, problem.where or _NOWHERE),
    )
    if any(problem.is_error for problem in found):
        raise SpecError.of(found)
    return tuple(found)
