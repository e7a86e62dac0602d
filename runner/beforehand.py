"""What can be asked before anything is spent: how many tokens a plan has, what its models can do. All of it is free.

Sends no request of a job. The SDK is imported only when something is asked.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, TypeAlias, TypeVar

from runner.connection import SIMULATOR_KEY
from runner.errors import AccountError, Problem, PromptrunError, SpecError, TryLater
from runner.models.live import LiveModel, live_model
from runner.models.providers import PROVIDERS
from runner.pipeline import require_secrets, simulator_if
from runner.planning import PlannedJob
from runner.prompts import counting
from runner.prompts.live_checks import live_problems
from runner.prompts.plan_cost import Counted
from runner.prompts.wants import Want, wants
from runner.records import Failure, Request
from runner.spec.job import JobSpec

if TYPE_CHECKING:
    from runner.claude.client import Client

Question: TypeAlias = Literal["token counts", "its models"]
CONCURRENCY: Final = 5
_ENDPOINTS: Final[Mapping[Question, str]] = {"token counts": "count_tokens", "its models": "models"}
_FLAGS: Final[Mapping[Question, str]] = {"token counts": "--count-tokens", "its models": "--online"}
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Asking:
    """How questions are asked. env: where credentials are; today: the UTC day, for models that retire."""

    env: Mapping[str, str]
    simulate: bool = False
    rng: random.Random = field(default_factory=random.Random)
    today: date | None = None

    @asynccontextmanager
    async def client(self, planned: PlannedJob, question: Question) -> AsyncIterator[Client]:
        """Raises AccountError when there are no credentials, SpecError when the job's provider cannot be asked that."""
        from runner.claude.client import open_client

        options: dict[str, Any] = {"client": planned.job.client}
        async with simulator_if(self.simulate) as server:
            if server:
                options = {"base_url": server, "api_key": SIMULATOR_KEY, "tokens": {}}
            else:
                require_answers(planned.job, question)
                require_secrets([planned], self.env)
            async with open_client(
                timeout=planned.job.run.request_timeout,
                stream=False,
                concurrency=CONCURRENCY,
                env=self.env,
                **options,
            ) as client:
                yield client

    async def all(
        self, planned: PlannedJob, questions: Sequence[Callable[[], Awaitable[Answer | Failure]]]
    ) -> list[Answer | Failure]:
        from runner.engine.ask import ask_all
        from runner.engine.clock import RealClock

        return await ask_all(
            questions, concurrency=CONCURRENCY, retry=planned.job.run.retry, clock=RealClock(), rng=self.rng
        )


def require_answers(job: JobSpec, question: Question) -> None:
    """Raises SpecError when the provider has no such endpoint, or none that the SDK sends plain bytes to."""
    provider = PROVIDERS[job.client.provider]
    if _ENDPOINTS[question] in provider.no_endpoints:
        title, flag = provider.title, _FLAGS[question]
        step = f"leave `{flag}` out, or add `--simulate`"
        raise SpecError(f"{title} cannot be asked for {question}", next=step, rule="not-offered")


# ---------------------------------------------------------------- counting


async def count_input(planned: PlannedJob, asking: Asking) -> dict[str, Counted]:
    """The input tokens of each model's requests, shared prefixes counted once and the rest on a sample.

    Raises AccountError without credentials, SpecError for a request that the API will not count, TryLater when it
    cannot be reached.
    """
    chosen = _chosen(planned)
    async with asking.client(planned, "token counts") as client:
        return {model: await _count(one, planned, client, asking) for model, one in chosen.items()}


def _chosen(planned: PlannedJob) -> dict[str, counting.Chosen]:
    chosen: dict[str, counting.Chosen] = {}
    for size in planned.ledger.sizes():
        one = chosen.setdefault(size.model, counting.Chosen(size.model, 0, 0))
        one.requests += size.requests
        one.bytes += size.bytes
    for model, one in chosen.items():
        one.sizes = planned.ledger.sample(model, counting.SAMPLE, counting.SEED)
    sent = (request for request in planned.requests() if request.problem is None and planned.ledger.sends(request.n))
    counting.choose(sent, chosen)
    return chosen


async def _count(chosen: counting.Chosen, planned: PlannedJob, client: Client, asking: Asking) -> Counted:
    from runner.claude.questions import count_tokens

    groups = chosen.groups
    asked: list[Request] = [*chosen.sampled, *(group.of for group in groups.values())]
    to_count = [
        *map(counting.countable, chosen.sampled),
        *map(counting.prefix_alone, groups.values()),
        *map(counting.filler_alone, asked[:1]),
    ]
    told = await asking.all(planned, [partial(count_tokens, client, request) for request in to_count])
    counts = [_known(answer, request) for answer, request in zip(told, to_count, strict=True)]
    filler = counts[-1] if counts else 0
    prefixes = {
        hash: count - (filler if counting.has_filler(group) else 0)
        for (hash, group), count in zip(groups.items(), counts[len(chosen.sampled) :], strict=False)
    }
    return counting.estimate(chosen, counts[: len(chosen.sampled)], prefixes)


def _known(answer: int | Failure, request: Request) -> int:
    if isinstance(answer, Failure):
        _raise(answer, "token counts", f"counting row `{request.id}` ({request.source})")
    return answer


# ---------------------------------------------------------------- models


async def ask_models(planned: PlannedJob, asking: Asking) -> list[Problem]:
    """What the models of a plan, as they are today, cannot do of what its requests want: errors and warnings.

    Raises AccountError without credentials, TryLater when the API cannot be reached.
    """
    from runner.claude.questions import retrieve_model

    wanted = wants(planned.requests())
    ids = list(dict.fromkeys(_models(wanted)))
    async with asking.client(planned, "its models") as client:
        told = await asking.all(planned, [partial(retrieve_model, client, id) for id in ids])
    models = {id: _live(id, answer) for id, answer in zip(ids, told, strict=True)}
    today = asking.today or datetime.now(UTC).date()
    return live_problems(planned.job, wanted, models, today)


def _models(wanted: Mapping[Want, Request]) -> list[str]:
    return [str(want.value) for want in wanted if want.field in ("model", "fallbacks")]


def _live(id: str, answer: Mapping[str, Any] | Failure) -> LiveModel:
    if isinstance(answer, Failure):
        if answer.http_status == 404 and answer.kind == "model_not_found":
            return live_model(id, None)
        _raise(answer, "its models", f"asking for the model `{id}`")
    return live_model(id, answer)


def _raise(failure: Failure, question: Question, doing: str) -> NoReturn:
    """What a failed question means for the command."""
    from runner.claude.questions import NOT_OFFERED
    from runner.report.advice import BY_KIND

    if failure.http_status in NOT_OFFERED:
        what = f"the server cannot be asked for {question} (HTTP {failure.http_status}: {failure.message})"
        step = f"leave `{_FLAGS[question]}` out; or check the address, ANTHROPIC_BASE_URL"
        raise SpecError(what, next=step, rule="not-offered")
    what = f"{doing}: {failure.message}"
    kind: type[PromptrunError] = SpecError
    if failure.ends_run:
        kind = AccountError
    elif failure.retryable or failure.kind == "malformed_reply":
        kind = TryLater
    raise kind(what, next=BY_KIND.get(failure.kind, ""), rule=failure.kind)
