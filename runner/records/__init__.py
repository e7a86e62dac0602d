"""The frozen records that flow between the layers. Stdlib only; no I/O.

The modules are in the order of a run: a row of input becomes requests, which make a plan; a request is attempted, an
attempt ends in a reply or a failure, and a request ends in one result. Records answer questions (`failure.ends_run`,
`result.answered`), so that no caller keeps a copy of a rule. Contracts: docs/design.md.

Everybody imports the names from here. What planning makes is loaded at once; what sending makes when it is first asked
for, since a dataclass takes most of a millisecond to make and commands that send nothing need none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from runner.records.plans import CachePlan, ModelPlan, Plan
from runner.records.requests import (
    SECRET,
    AttachedFile,
    Json,
    Prefix,
    PrefixEnd,
    Request,
    RetryPolicy,
    Row,
    Source,
    Terms,
    Timeout,
)

if TYPE_CHECKING:
    from runner.records.attempts import (
        FAILURE_SCOPES,
        Attempt,
        Began,
        Failure,
        FailureKind,
        Outcome,
        Reply,
        Scope,
    )
    from runner.records.events import AttemptEnded, Event, PaceState, RequestDone, Sending, SendingBegan
    from runner.records.results import Call, Judgement, Limit, NextCall, Purpose, Result, Status
else:
    _LATER = {
        "attempts": ("FAILURE_SCOPES", "Attempt", "Began", "Failure", "FailureKind", "Outcome", "Reply", "Scope"),
        "results": ("Call", "Judgement", "Limit", "NextCall", "Purpose", "Result", "Status"),
        "events": ("AttemptEnded", "Event", "PaceState", "RequestDone", "Sending", "SendingBegan"),
    }
    _HOME = {name: module for module, names in _LATER.items() for name in names}

    def __getattr__(name):
        """Called for what is not here yet: https://peps.python.org/pep-0562/."""
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value


__all__ = [
    "FAILURE_SCOPES",
    "SECRET",
    "AttachedFile",
    "Attempt",
    "AttemptEnded",
    "Began",
    "CachePlan",
    "Call",
    "Event",
    "Failure",
    "FailureKind",
    "Json",
    "Judgement",
    "Limit",
    "ModelPlan",
    "NextCall",
    "Outcome",
    "PaceState",
    "Plan",
    "Prefix",
    "PrefixEnd",
    "Purpose",
    "Reply",
    "Request",
    "RequestDone",
    "Result",
    "RetryPolicy",
    "Row",
    "Scope",
    "Sending",
    "SendingBegan",
    "Source",
    "Status",
    "Terms",
    "Timeout",
]
