"""The anthropic-beta header, and which fields of a request need which beta.

Names: `types/anthropic_beta_param.py` of SDK 2.12.0, with others that public reports and documentation sent with
success. An unknown name is a 400, and so is a field whose beta is missing (both seen in public issue trackers).
Which fields need one: `types/beta/message_create_params.py`; that any of the listed ones will do is a guess."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from runner.simulator.errors import Rejected

KNOWN = frozenset(
    """
    computer-use-2024-10-22 computer-use-2025-01-24 computer-use-2025-11-24 output-128k-2025-02-19
    output-300k-2026-03-24 mcp-client-2025-04-04 mcp-client-2025-11-20 mcp-client-2026-09-15 mcp-tunnels-2026-06-22
    dev-full-thinking-2025-05-14 interleaved-thinking-2025-05-14 thinking-token-count-2026-05-13
    thinking-display-updates-2026-08-18 thinking-binding-controls-2026-08-01 code-execution-2025-05-22
    context-1m-2025-08-07 context-management-2025-06-27 compact-2026-01-12 compact-2026-09-04
    model-context-window-exceeded-2025-08-26 fast-mode-2026-02-01 user-profiles-2026-03-24 user-profiles-2026-08-18
    user-profiles-2026-09-04 user-profiles-billing-2026-10-01 advisor-tool-2026-03-01 managed-agents-2026-04-01
    dreaming-2026-04-21 server-side-fallback-2026-06-01 server-side-fallback-2026-07-01 fallback-credit-2026-06-01
    fallback-credit-2026-07-01 agent-memory-2026-07-22 mid-conversation-tool-changes-2026-07-01
    mid-conversation-output-config-2026-07-01 mid-conversation-system-clear-at-2026-08-21
    structured-outputs-2025-11-13 task-budgets-2026-03-13 inline-tools-2026-09-15 ce-plugins-2026-09-01
    spend-limit-reads-2026-09-26 telemetry-destinations-2026-08-11 webhooks-2026-10-07 admin-user-sign-out-2026-10-08
    message-threads-2026-08-12 analytics-usage-cost-2026-08-24 experimental-claude-tag-2026-10-21
    message-batches-2024-09-24 prompt-caching-2024-07-31 pdfs-2024-09-25 token-counting-2024-11-01
    token-efficient-tools-2025-02-19 files-api-2025-04-14 extended-cache-ttl-2025-04-11 skills-2025-10-02
    cache-diagnosis-2026-04-07 ce-user-management-2026-07-13 ce-claude-code-managed-settings-2026-10-06
    mid-conversation-system-2026-04-07 code-execution-2025-08-25 web-fetch-2025-09-10 effort-2025-11-24
    advanced-tool-use-2025-11-20 fine-grained-tool-streaming-2025-05-14
    """.split()  # noqa: SIM905 - readable; a list of quoted names would fill the page
)
"""The last two lines are older than the SDK's list; that they are still accepted is a guess."""

FALLBACK_LIST = ("server-side-fallback-2026-06-01", "server-side-fallback-2026-07-01")
FALLBACK_DEFAULT = ("server-side-fallback-2026-07-01",)
FIELDS: dict[str, tuple[str, ...]] = {
    "billing_policy": ("user-profiles-billing-2026-10-01",),
    "compaction": ("compact-2026-09-04",),
    "context_management": ("context-management-2025-06-27", "compact-2026-01-12"),
    "fallback_credit_token": ("fallback-credit-2026-06-01", "fallback-credit-2026-07-01", *FALLBACK_DEFAULT),
    "fallbacks": FALLBACK_LIST,
    "mcp_servers": ("mcp-client-2025-04-04", "mcp-client-2025-11-20", "mcp-client-2026-09-15"),
    "output_format": ("structured-outputs-2025-11-13",),
    "thread": ("message-threads-2026-08-12",),
}
"""Field → the betas of which it needs one; without, it is an unknown field."""


def read_betas(header: str | None) -> frozenset[str]:
    """The names in an anthropic-beta header, or Rejected."""
    names = [name.strip() for name in (header or "").split(",") if name.strip()]
    unknown = [f"`{name}`" for name in names if name not in KNOWN]
    if unknown:  # (seen)
        raise Rejected(
            f"Unexpected value(s) {', '.join(unknown)} for the `anthropic-beta` header. Please consult our "
            "documentation at docs.claude.com or try again without the header."
        )
    return frozenset(names)


def allowed(field: str, value: Any, betas: Collection[str]) -> bool:
    """Whether these betas open this field. `fallbacks: "default"` needs the younger of its betas."""
    needed = FALLBACK_DEFAULT if field == "fallbacks" and value == "default" else FIELDS.get(field, ())
    return any(beta in betas for beta in needed)
