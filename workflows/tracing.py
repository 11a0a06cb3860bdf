"""OpenTelemetry, where its own variables name a collector: a span for each request, act and query.

The spans are made here and not by instrumentation packages, which would put on them what must not
leave the machine: whole addresses (codes of receipts stand in them), query strings, addresses and
programs of visitors, and the messages of errors, in which databases quote the values of rows. Ours
hold the pattern of an address, codes of acts, and SQL with its placeholders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connection

LONGEST_SQL = 2000
"""Signs of a statement that are kept."""


@cache
def _provider() -> Any:
    """Sends spans to the collector that ``OTEL_EXPORTER_OTLP_ENDPOINT`` names, in the background;
    headers, sampling and the like by OpenTelemetry's variables. One for each process."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    about = Resource.create()
    if str(about.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        about = about.merge(Resource({SERVICE_NAME: "sanwen"}))
    made = TracerProvider(resource=about)
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return made


@contextmanager
def span(
    name: str, kind: str = "INTERNAL", headers: Mapping[str, str] | None = None, **attributes: Any
) -> Iterator[dict[str, Any]]:
    """A span around the block; what the block puts into the mapping becomes its attributes, and
    ``name`` its name. Nothing where tracing is off.

    `headers` may continue a trace that a proxy began. An error is noted without its words.
    """
    told: dict[str, Any] = {}
    if not settings.SANWEN_TRACING:
        yield told
        return
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    parent = TraceContextTextMapPropagator().extract(headers) if headers else None
    with (
        _provider()
        .get_tracer("sanwen")
        .start_as_current_span(
            name,
            context=parent,
            kind=trace.SpanKind[kind],
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as current
    ):
        try:
            yield told
        except BaseException as error:
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(trace.StatusCode.ERROR)
            raise
        finally:
            current.update_name(told.pop("name", name))
            current.set_attributes(told)


def traced(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    """A query in a span of its own, where one is open around it; never with its values."""
    from opentelemetry import trace

    if not trace.get_current_span().is_recording():
        return execute(sql, params, many, context)
    statement = " ".join(sql.split())[:LONGEST_SQL]
    about: dict[str, Any] = {"db.system.name": connection.vendor, "db.query.text": statement}
    with span(statement.partition(" ")[0] or "SQL", "CLIENT", **about):
        return execute(sql, params, many, context)


def flush() -> None:
    """Send what waits, before the process ends."""
    if settings.SANWEN_TRACING:
        _provider().force_flush()
