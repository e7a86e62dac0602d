"""What all tests share: how hypothesis behaves here. Nothing that only one kind of test needs."""

from __future__ import annotations

import os

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
