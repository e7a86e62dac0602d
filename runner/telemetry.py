"""OpenTelemetry: a span for each job that is sent, and below it the SDK's own span for each attempt.

Off unless the environment configures it (https://opentelemetry.io/docs/languages/sdk-configuration/general/), or
something that started this process already has. The packages come with the extra `otel`. Spans hold no prompts and no
replies, unless ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE asks the SDK for them (SDK 2.12.0, `_tracing.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from runner.errors import Problem

SWITCHES = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
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
    """Gives the context that each job is sent in. What is not yet exported at the end is, before this returns."""
    provider = None
    if wanted(env):
        try:
            provider = provider_of(exporter_name(env), service=env.get("OTEL_SERVICE_NAME") or "promptrun")
        except ImportError:
            what = "the environment asks for OpenTelemetry traces, and its packages are not installed"
            warn(Problem("telemetry", what, next="Run `pip install 'promptrun[otel]'`, or unset `OTEL_*`."))
    try:
        yield spans if provider is not None or provided() else no_spans
    finally:
        if provider is not None:
            provider.shutdown()


def provider_of(exporter: str, service: str) -> Any:
    """A tracer provider for the whole process, unless there is one. Raises ImportError without the packages."""
    if provided():
        return None
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

    if exporter == "console":
        import sys

        chosen: SpanExporter = ConsoleSpanExporter(out=sys.stderr)
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        chosen = OTLPSpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(chosen))
    trace.set_tracer_provider(provider)
    return provider


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
