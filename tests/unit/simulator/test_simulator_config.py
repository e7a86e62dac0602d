import subprocess
import sys

import pytest

from runner.simulator import FAULT_KINDS, RETRYABLE_KINDS, SimulatorConfig


def test_the_default_never_fails_and_has_no_limits():
    config = SimulatorConfig()
    assert not config.faults
    assert config.fault_rate == 0
    assert config.requests_per_minute is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"faults": {"explosion": 0.1}},
        {"fault_kinds": ("explosion",)},
        {"fault_at": {"explosion": [1]}},
        {"faults": {"overloaded": 0.7, "dropped": 0.4}},
        {"faults": {"overloaded": -0.1}},
        {"fault_rate": 1.5},
        {"requests_per_minute": 0},
        {"burst_requests": 0},
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=r"no such fault|probabilities|limits"):
        SimulatorConfig(**wrong)


def test_retryable_kinds_are_fault_kinds():
    assert set(RETRYABLE_KINDS) < set(FAULT_KINDS)
    assert len(FAULT_KINDS) == len(set(FAULT_KINDS))


def test_importing_the_package_loads_neither_aiohttp_nor_asyncio():
    code = (
        "import sys, runner.simulator as s; s.SimulatorConfig(); "
        "print(sorted({'aiohttp', 'asyncio', 'anthropic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_server_module_does_not_load_aiohttp():
    code = "import sys, runner.simulator.server; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_simulator_keeps_its_own_rules():
    """It must import no other part of the project than errors, so that a wrong rule cannot pass twice."""
    code = (
        "import sys, runner.simulator.api, runner.simulator.server; "
        "print(sorted(m for m in sys.modules if m.startswith('runner.') and not m.startswith('runner.simulator')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['runner.errors']"
