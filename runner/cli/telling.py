"""What commands say on stderr of specs and of what is about to happen; it stops nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from runner.cli.streams import say

if TYPE_CHECKING:
    from runner.errors import Problem
    from runner.planning import PlannedJob
    from runner.spec.job import ClientSpec


def warn(problems: Sequence[Problem]) -> None:
    """What is probably unwise, and rows that will be left out, go to stderr; it stops nothing."""
    if problems:
        from runner.report.problems import problems_text  # only then: start-up counts

        say(problems_text(problems))


def warn_of_log(env: Mapping[str, str]) -> None:
    """With ANTHROPIC_LOG=debug the SDK prints every request; credentials are in none of it, prompts are."""
    if env.get("ANTHROPIC_LOG") == "debug":
        say("warning: ANTHROPIC_LOG=debug prints every prompt and file that is sent, here on stderr")


def tell_where(client: ClientSpec) -> None:
    """What a spec changes about where requests, and the credential with them, go: said before the first one goes."""
    said = [f"to {client.base_url}"] if client.base_url else []
    said += [f"through the proxy {client.proxy}"] if client.proxy else []
    headers = [*client.headers, *client.header_variables]
    said += [f"with the headers {', '.join(headers)}"] if headers else []
    if said:
        say(f"requests go {', '.join(said)}, as the spec says")


def all_warnings(planned: PlannedJob) -> list[Problem]:
    return [*planned.job.warnings, *planned.plan.warnings, *planned.plan.problems]
