"""Rows → Requests: every row, in every cell of the matrix, as often as `repeat` says.

A row that cannot be rendered becomes a Request with a problem that names the template's line and the row; the
plan decides what that means. Nothing is sent, nothing is kept from row to row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from runner.errors import Position, Problem, SpecError
from runner.models.providers import PROVIDERS
from runner.prompts.after import After, after_fields
from runner.prompts.attached import Attached, attaches, too_long
from runner.prompts.beside import Beside, beside
from runner.prompts.body import body_of, is_static, names_of, rendered
from runner.prompts.breakpoints import Breakpoints, Choose, Marked, unmarked
from runner.prompts.context import CellContext, cell_context
from runner.prompts.fallbacks import asked_of, decided_fallbacks
from runner.prompts.faults import FieldFault
from runner.prompts.key import NotJson, json_bytes, key_and_parts
from runner.prompts.output import keyed
from runner.prompts.problems import together
from runner.prompts.turns import script_of, scripted
from runner.records import AttachedFile, Json, Request, Row, Terms
from runner.spec.job import CellSpec, JobSpec
from runner.spec.lint_rendered import DECISIVE, RenderedRules
from runner.spec.lint_reuse import UNSAID
from runner.spec.template import TemplateFailure

if TYPE_CHECKING:
    from runner.prompts.media import MediaBlocks
    from runner.spec.row_overrides import RowOverrides


@dataclass(frozen=True)
class _Cell:
    """A cell, ready for rows. static: fields that are the same for every row; templated: the others.

    decided: the static ones with the default of `fallbacks` decided, where no template has a say in that.
    supplied: those of the templated ones that the rules about models look at.
    """

    spec: CellSpec
    context: CellContext
    static: Mapping[str, Json]
    decided: Mapping[str, Json]
    templated: Mapping[str, Any]
    beside: Beside
    supplied: frozenset[str]
    reads_repeat: bool


@dataclass(frozen=True, slots=True)
class _Body:
    """A body as a tree and as sent, as its key sees it (`asked`), and what is sent beside it."""

    tree: Mapping[str, Json]
    text: bytes
    asked: Mapping[str, Json]
    betas: tuple[str, ...]
    headers: Mapping[str, str]
    secrets: Mapping[str, str]
    files: tuple[AttachedFile, ...]
    media_tokens: int
    terms: Terms
    after: After | None
    marked: Marked


_Changes: TypeAlias = "RowOverrides | None"
_QUESTIONS = ("prompt", "messages", "turns")
_TEXTS = ("system", *_QUESTIONS, "attachments")


class _Unrenderable(Exception):
    """This row makes no request in this cell."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems[0].what)
        self.problems = problems


class RequestBuilder:
    """Builds the requests of one job. service: part of every key (`anthropic`, or with the origin of a base_url)."""

    def __init__(self, job: JobSpec, *, service: str, choose: Choose | None = None) -> None:
        """choose: where the plan wants cache breakpoints; None while there is no plan, and then there are none."""
        self._job = job
        self._breakpoints = Breakpoints(job.cache, choose)
        self._service = service
        self._media: MediaBlocks | None = None
        self._rules = RenderedRules(job)
        self._most = PROVIDERS[job.client.provider].max_body
        self._cells = [_ready(cell, service) for cell in job.cells]

    def requests(self, rows: Iterable[Row]) -> Iterator[Request]:
        """Row by row, cell by cell, repeat by repeat, numbered from 0. Raises nothing for a bad row."""
        numbers = count()
        for row in rows:
            yield from self._of_row(row, numbers)

    def wanted(self, rows: Iterable[Row], skip: Callable[[int], bool]) -> Iterator[Request | None]:
        """The same, with None in place of every request of a row whose numbers are all to be skipped.

        Such a row is not rendered, which is most of the work.
        """
        per_row = len(self._cells) * self._job.repeat
        for place, row in enumerate(rows):
            first, end = place * per_row, (place + 1) * per_row
            if skip(first) and all(map(skip, range(first + 1, end))):
                yield from [None] * per_row
            else:
                yield from self._of_row(row, iter(range(first, end)))

    def _of_row(self, row: Row, numbers: Iterator[int]) -> Iterator[Request]:
        changes, problem = self._changes(row)
        for cell in self._cells:
            yield from self._of_cell(row, cell, changes, problem, numbers)

    def _of_cell(
        self, row: Row, cell: _Cell, changes: _Changes, problem: Problem | None, numbers: Iterator[int]
    ) -> Iterator[Request]:
        made = problem or self._body(row, cell, 0, changes)
        for repeat in range(self._job.repeat):
            if repeat and problem is None and cell.reads_repeat:
                made = self._body(row, cell, repeat, changes)
            if isinstance(made, Problem):
                yield _unsendable(next(numbers), row, cell.spec, repeat, made)
            else:
                yield self._request(next(numbers), row, cell.spec, repeat, made, changes)

    def _changes(self, row: Row) -> tuple[_Changes, Problem | None]:
        """What the row overrides, or why the row cannot be used."""
        if row.problem is not None or not row.overrides:
            return None, row.problem
        from runner.spec.row_overrides import check_overrides, normal_overrides  # most jobs have none

        wrong = check_overrides(row.overrides, self._job)
        if wrong is None:
            return normal_overrides(row.overrides, self._job), None
        return None, self._at_row(row, Problem("row-overrides", wrong))

    def _body(self, row: Row, cell: _Cell, repeat: int, changes: _Changes) -> _Body | Problem:
        try:
            fields = decided_fallbacks(_fields(row, cell, repeat, changes), self._service)
            refused = self._rules.problems(cell.spec, fields, cell.supplied, changes.fields if changes else ())
            if refused:
                raise _Unrenderable(list(refused))
            fields, media = self._attached(fields, row)
            if media.problems:
                raise _Unrenderable(media.problems)
            body = body_of(fields)
            around = cell.beside if changes is None else Beside(same=False)
            text, (betas, headers, secrets), after = json_bytes(body), around.sent(fields), after_fields(fields)
            if (too_large := too_long(len(text), media.seen, self._most)) is not None:
                raise _Unrenderable([too_large])
            moves = after is not None and len(after.turns) > after.first + 1
            marked = self._breakpoints.mark(body, len(text), betas, moves=moves)
            sent = text if marked.tree is None else json_bytes(marked.tree)
            may_mark = moves or (self._breakpoints.choose is None and bool(marked.ends))
            return _Body(
                tree=body,
                text=sent,
                marked=marked,
                asked=scripted(keyed(asked_of(unmarked(body), fields), fields.get("output")), fields.get("turns")),
                betas=betas,
                headers=headers,
                secrets=secrets,
                files=tuple(media.files.values()),
                media_tokens=media.tokens,
                terms=around.terms(body, None if may_mark else sent, media.unbounded),
                after=replace(after, moving=self._breakpoints.moving) if after is not None and moves else after,
            )
        except _Unrenderable as error:
            return together([self._at_row(row, problem) for problem in error.problems])
        except NotJson as error:
            problem = Problem("template-error", f"the request cannot be written as JSON: {error}")
            return self._at_row(row, problem)

    def _attached(self, fields: Mapping[str, Json], row: Row) -> tuple[Mapping[str, Json], Attached]:
        if not attaches(fields):
            return fields, Attached()
        if self._media is None:
            from runner.prompts.media import MediaBlocks  # most jobs have no files to look at

            self._media = MediaBlocks(self._job)
        return self._media.resolve(fields, row)

    def _request(self, n: int, row: Row, cell: CellSpec, repeat: int, body: _Body, changes: _Changes) -> Request:
        key, parts = key_and_parts(self._service, body.betas, body.asked, repeat)
        return Request(
            n=n,
            id=row.id,
            cell=cell.values,
            repeat=repeat,
            key=key,
            parts=parts,
            model=body.tree["model"],
            max_tokens=body.tree["max_tokens"],
            body=body.text,
            source=row.source,
            row=row.values,
            betas=body.betas,
            headers=body.headers,
            secrets=body.secrets,
            after=body.after,
            files=body.files,
            media_tokens=body.media_tokens,
            terms=body.terms,
            ends=body.marked.ends,
            prefixes=body.marked.prefixes,
            timeout=changes.timeout if changes else None,
            retry=changes.retry if changes else None,
        )

    def _at_row(self, row: Row, problem: Problem) -> Problem:
        """The problem with its row named in words, since its place is the template's if there is one."""
        at = Position(row.source.file, row.source.line or 0)
        where = problem.where or at
        place = f"row `{row.id[:200]}`" if where == at else f"row `{row.id[:200]}` ({row.source})"
        skipped = row.skip and problem.rule != UNSAID  # which is the spec's mistake, not the row's
        severity: Literal["error", "warning"] = "warning" if skipped else "error"
        return replace(problem, what=f"in {place}: {problem.what}", where=where, severity=severity)


def _ready(cell: CellSpec, service: str) -> _Cell:
    templated = {name: value for name, value in cell.fields.items() if name == "turns" or not is_static(value)}
    names = names_of(templated)
    context = cell_context(cell, names)
    static, around = {name: cell.fields[name] for name in cell.fields if name not in templated}, beside(templated)
    return _Cell(
        spec=cell,
        context=context,
        static=static,
        decided=decided_fallbacks(static, service) if around.same else static,
        templated=templated,
        beside=around,
        supplied=DECISIVE & templated.keys() - {"messages"},
        reads_repeat="repeat" in names | names_of(context.templated),
    )


def _fields(row: Row, cell: _Cell, repeat: int, changes: _Changes) -> dict[str, Json]:
    """The rendered fields of one request: the cell's, then the row's own. Raises _Unrenderable."""
    if not changes:
        return {**cell.decided, **_rendered(cell.templated, row, cell, repeat)}
    own = changes.fields
    replaced = {*own, *(_QUESTIONS if any(name in own for name in _QUESTIONS) else ())}
    templated = {name: value for name, value in cell.templated.items() if name not in replaced}
    static = {name: value for name, value in cell.static.items() if name not in replaced}
    texts = {name: own[name] for name in own if name in _TEXTS}
    return {**static, **own, **_rendered({**templated, **texts}, row, cell, repeat)}


def _rendered(fields: Mapping[str, Any], row: Row, cell: _Cell, repeat: int) -> dict[str, Json]:
    """Every field is tried, so that all their problems are told at once."""
    if not fields:
        return {}
    made: dict[str, Json] = {}
    problems: list[Problem] = []
    try:
        context = cell.context(row, repeat)
        for name, value in fields.items():
            try:
                made[name] = script_of(value, context) if name == "turns" else rendered(name, value, context)
            except (TemplateFailure, FieldFault) as error:
                problems.append(error.problem)
    except TemplateFailure as error:
        problems.append(error.problem)
    except SpecError as error:  # the text of a file
        problems.extend(error.problems)
    if problems:
        raise _Unrenderable(problems)
    return made


def _unsendable(n: int, row: Row, cell: CellSpec, repeat: int, problem: Problem) -> Request:
    """A request that is only a place in the plan, and why it is nothing more."""
    model, max_tokens = cell.fields.get("model"), cell.fields.get("max_tokens")
    return Request(
        n=n,
        id=row.id,
        cell=cell.values,
        repeat=repeat,
        key="",
        model=model if isinstance(model, str) else "",
        max_tokens=max_tokens if isinstance(max_tokens, int) else 0,
        body=b"",
        source=row.source,
        row=row.values,
        problem=problem,
    )
