"""Whether the address that requests go to is a simulator's. Never imports `anthropic`.

Answers of a simulator are used again where a simulator would give them once more, and nowhere else. Only addresses of
this machine are asked: plain http does not go anywhere else (docs/providers.md).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from runner.claude.headers import is_simulated

_HERE: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_PATH: Final = "/simulator/log"  # what it answers is not part of its log
_SECONDS: Final = 2.0


def asks_simulator(service: str) -> bool:
    """service: as in keys, `anthropic http://127.0.0.1:8000`, of a job that has a simulator's answers from there.

    Where nobody listens, it is a simulator that is not running now: a plan says the same before it is started as after.
    False for whatever else does not answer.
    """
    origin = service.rpartition(" ")[2]
    if urlsplit(origin).hostname not in _HERE:
        return False
    import urllib.request  # most runs never come here
    from http.client import HTTPException

    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(origin + _PATH, timeout=_SECONDS) as reply:
            return is_simulated({name.lower(): value for name, value in reply.headers.items()})
    except (OSError, HTTPException, ValueError) as error:
        return isinstance(getattr(error, "reason", error), ConnectionRefusedError)
