"""OpenTelemetry is off until the environment asks for it, and says what is missing then."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from threading import Event

import pytest

from runner.telemetry import Exporting, exporter_name, wanted


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


class Provider:
    """flush: what handing over does."""

    def __init__(self, flush: Callable[[], object]) -> None:
        self.force_flush = flush


class Taken:
    name = "SUCCESS"


class Refused:
    name = "FAILURE"


class Exporter:
    def __init__(self, *ends: object) -> None:
        self.ends = list(ends)

    def export(self, spans: object) -> object:
        return self.ends.pop(0)


def test_a_collector_that_hangs_is_not_waited_for() -> None:
    answers = Event()
    exporting = Exporting(Exporter(), Provider(lambda: answers.wait(60)))
    try:
        assert not exporting.hand_over(0.01)
    finally:
        answers.set()


@pytest.mark.parametrize(
    ("ends", "all_taken"), [((Taken(), Taken()), True), ((Refused(), Taken()), False), ((Taken(), Refused()), False)]
)
def test_what_was_not_taken_earlier_counts_too(ends: tuple[object, object], all_taken: bool) -> None:
    exporting = Exporting(Exporter(*ends), Provider(lambda: exporting.export([])))
    exporting.export([])
    assert exporting.hand_over(60) is all_taken


HOWEVER_WRONG = """
import os
from runner.telemetry import tracing
with tracing(os.environ, lambda problem: print(problem)) as around, around("triage"):
    print("sent")
"""


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ("OTEL_TRACES_EXPORTER=zipkin", "`OTEL_TRACES_EXPORTER` is `zipkin`"),
        ("OTEL_BSP_MAX_QUEUE_SIZE=-1", "max_queue_size"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT=nonsense", "not all OpenTelemetry traces could be handed over (Failed to export"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9", "not all OpenTelemetry traces could be handed over ("),
    ],
)
def test_whatever_is_wrong_with_it_is_a_warning_and_nothing_else(env: str, said: str) -> None:
    name, value = env.split("=")
    done = subprocess.run(
        [sys.executable, "-c", HOWEVER_WRONG],
        env={**os.environ, "OTEL_TRACES_EXPORTER": "otlp", name: value},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert "sent" in done.stdout.splitlines()
    assert [said in line for line in done.stdout.splitlines() if line.startswith("warning: ")] == [True]
    assert done.stderr == ""


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
