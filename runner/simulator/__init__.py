"""A Messages API on loopback: limits, faults and replies without an account, for tests, benchmarks and `--simulate`.

It imports neither spec, prompts, claude nor models of this project, and keeps its own rules. The names below are
imported on first use, and aiohttp only when a simulator starts, so that importing this package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.simulator.config import FAULT_KINDS, RETRYABLE_KINDS, SimulatorConfig
    from runner.simulator.server import Simulator, serve

__all__ = ["FAULT_KINDS", "RETRYABLE_KINDS", "Simulator", "SimulatorConfig", "serve"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in ("Simulator", "serve"):
        return getattr(import_module("runner.simulator.server"), name)
    if name in ("FAULT_KINDS", "RETRYABLE_KINDS", "SimulatorConfig"):
        return getattr(import_module("runner.simulator.config"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
