"""How many connections this process may have at once: what bounds `concurrency: auto`."""

from __future__ import annotations

from runner.engine.pace import MOST_IN_FLIGHT

SPARED = 128
"""Files that are not connections to the API: outputs, inputs, the interpreter's own."""
LEAST = 32


def most_connections(wanted: int = MOST_IN_FLIGHT) -> int:
    """`wanted`, or what the operating system allows; its soft limit on open files is raised as far as needed."""
    try:
        import resource  # not there on Windows, where sockets are not limited like files
    except ImportError:
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    needed = wanted + SPARED
    if soft < needed:
        allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
            soft = allowed
        except (OSError, ValueError):
            pass
    return max(LEAST, min(wanted, soft - SPARED))
