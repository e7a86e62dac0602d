"""OpenTelemetry: a span for each job that is sent, and below it the SDK's own span for each attempt.

Off unless the environment configures it (https://opentelemetry.io/docs/languages/sdk-configuration/general/), or
something that started this process already has. The packages come with the extra `otel`. Spans hold no prompts and no
replies, unless ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE asks the SDK for them (SDK 2.12.0, `_tracing.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from threading import Thread
from typing import Any

from runner.errors import Problem

SWITCHES = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EXPORTERS = ("otlp", "console")
HAND_OVER_SECONDS = 2.0
"""How long a run that has ended waits for a collector; the SDK's own patience is ten seconds and more."""
Around = Callable[[str], AbstractContextManager[object]]


def wanted(env: Mapping[str, str]) -> bool:
    """Whether the environment asks for traces."""
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter_name(env) == "none":
        return False
    return any(env.get(name, "").strip() for name in SWITCHES)


def exporter_name(env: Mapping[str, str]) -> str:
    return env.get("OTEL_TRACES_EXPORTER", "").strip().lower() or "otlp"


@contextmanager
def tracing(env: Mapping[str, str], warn: Callable[[Problem], None]) -> Iterator[Around]:
    """Gives the context that each job is sent in. At the end a collector that is up has got all; for one that is not,
    nobody waits long."""
    exporting = configured(env, warn) if wanted(env) else None
    try:
        yield spans if provided() else no_spans
    finally:
        if exporting is not None and not exporting.hand_over(HAND_OVER_SECONDS):
            step = "Look whether the collector that `OTEL_*` names is up, or unset them; a run does not depend on it."
            warn(warning(f"not all OpenTelemetry traces could be handed over{exporting.why()}", step))


def warning(what: str, step: str) -> Problem:
    return Problem("telemetry", what, next=step, severity="warning")


def configured(env: Mapping[str, str], warn: Callable[[Problem], None]) -> Exporting | None:
    """What exports as the environment says; None, with a word on why, when nothing can."""
    exporter = exporter_name(env)
    if exporter not in EXPORTERS:
        names = " and ".join(f"`{name}`" for name in EXPORTERS)
        warn(warning(f"`OTEL_TRACES_EXPORTER` is `{exporter}`; of the exporters there are {names} here", "Name one."))
        return None
    try:
        return exporting_to(exporter, env.get("OTEL_SERVICE_NAME") or "promptrun")
    except ImportError:
        what = "the environment asks for OpenTelemetry traces, and its packages are not installed"
        warn(warning(what, "Run `pip install 'promptrun[otel]'`, or unset `OTEL_*`."))
    except Exception as error:  # whatever `OTEL_*` holds is no reason to send nothing
        what = f"the environment asks for OpenTelemetry traces in a way that does not work: {error}"
        warn(warning(what, "Mend or unset `OTEL_*`."))
    return None


@cache
def exporting_to(exporter: str, service: str) -> Exporting | None:
    """Traces for the whole process, unless somebody else has seen to that. Raises ImportError without the packages."""
    if provided():
        return None
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    exporting = Exporting(an_exporter(exporter), provider)
    provider.add_span_processor(BatchSpanProcessor(exporting))  # type: ignore[arg-type]  # does what a SpanExporter does
    trace.set_tracer_provider(provider)
    logging.getLogger("opentelemetry").addHandler(exporting.log)
    return exporting


def an_exporter(name: str) -> Any:
    if name == "console":
        import sys

        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter(out=sys.stderr)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


class FirstWord(logging.Handler):
    """Keeps what the SDK logs from stderr, and remembers the first of it."""

    said = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.said = self.said or record.getMessage()


@dataclass
class Exporting:
    """A span exporter that knows whether everything was taken. lost: some of it was not."""

    exporter: Any
    provider: Any
    log: FirstWord = field(default_factory=lambda: FirstWord(logging.WARNING))
    lost: bool = False

    def export(self, spans: Any) -> Any:
        ended = self.exporter.export(spans)
        self.lost = self.lost or ended.name != "SUCCESS"
        return ended

    def shutdown(self) -> None:
        self.exporter.shutdown()

    def hand_over(self, seconds: float) -> bool:
        """Export what is still held; whether all that there ever was has been taken."""
        flushing = Thread(target=self.provider.force_flush, daemon=True)  # its own time limit is not kept
        flushing.start()
        flushing.join(seconds)
        return not (flushing.is_alive() or self.lost)

    def why(self) -> str:
        return f" ({self.log.said[:200]})" if self.log.said else ""


def provided() -> bool:
    """Whether spans go anywhere: an application that starts promptrun may have seen to it."""
    import sys

    if "opentelemetry.sdk.trace" not in sys.modules:  # the API alone exports nothing
        return False
    from opentelemetry import trace

    return isinstance(trace.get_tracer_provider(), sys.modules["opentelemetry.sdk.trace"].TracerProvider)


def spans(job: str) -> AbstractContextManager[object]:
    """A span for sending a job; what the SDK traces meanwhile lies below it."""
    from opentelemetry import trace

    from runner import __version__

    tracer = trace.get_tracer("promptrun", __version__)
    return tracer.start_as_current_span("promptrun.run", attributes={"promptrun.job": job})


def no_spans(job: str) -> AbstractContextManager[object]:
    return nullcontext()
