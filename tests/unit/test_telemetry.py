"""OpenTelemetry is off until the environment asks for it, and says what is missing then."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest

from runner.telemetry import exporter_name, wanted


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, False),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "TRUE"}, False),
    ],
)
def test_when_traces_are_wanted(env: Mapping[str, str], expected: bool) -> None:
    assert wanted(env) is expected


def test_otlp_is_the_exporter_unless_another_is_named() -> None:
    assert exporter_name({}) == "otlp"
    assert exporter_name({"OTEL_TRACES_EXPORTER": " Console "}) == "console"


WITHOUT_PACKAGES = """
import sys
sys.modules["opentelemetry.sdk"] = None
from runner.telemetry import tracing
with tracing({"OTEL_TRACES_EXPORTER": "console"}, lambda problem: print(problem)) as around, around("triage"):
    print("sent")
"""


def test_missing_packages_are_a_warning_that_says_what_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_PACKAGES], capture_output=True, encoding="utf-8", check=True)
    assert "promptrun[otel]" in done.stdout
    assert done.stdout.endswith("sent\n")
