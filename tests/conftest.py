"""What all tests share: how hypothesis behaves here, and Ctrl-C. Nothing that only one kind of test needs."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

# No deadline: a busy machine is not a bug. In CI the same examples every time; at a desk new ones.
settings.register_profile(
    "promptrun",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("promptrun")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A job in the background of a script: what tests start would inherit that it cannot hear Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
