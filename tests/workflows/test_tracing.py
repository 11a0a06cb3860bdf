"""Traces reach a collector over OTLP, and hold nothing that people wrote, or from where."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.processes.community.erasure_cases import Place
from tests.processes.community.erasure_cases import place as place
from workflows import tracing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.city]

WORDS, AGENT, ASKED = "张三家的下水道堵了", "Beispielbrowser/9", "某人的名字"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector(ThreadingHTTPServer):
    """Takes what an exporter sends to /v1/traces."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.bodies: list[bytes] = []

    def spans(self) -> list[dict[str, Any]]:
        found = []
        for body in self.bodies:
            told = MessageToDict(ExportTraceServiceRequest.FromString(body))
            for resource in told["resourceSpans"]:
                names = {a["key"]: a["value"] for a in resource["resource"]["attributes"]}
                assert names["service.name"] == {"stringValue": "sanwen"}
                for scope in resource["scopeSpans"]:
                    found += scope["spans"]
        return found


class Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body)  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def collector(settings: Any, monkeypatch: Any) -> Iterator[Collector]:
    server = Collector()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    settings.SANWEN_TRACING = True
    tracing._provider.cache_clear()
    with connection.execute_wrapper(tracing.traced):
        yield server
    tracing._provider().shutdown()
    tracing._provider.cache_clear()
    server.shutdown()
    server.server_close()


def attributes(span: dict[str, Any]) -> dict[str, Any]:
    return {a["key"]: next(iter(a["value"].values())) for a in span.get("attributes", ())}


def test_a_request_an_act_and_its_queries_are_traced_without_what_people_wrote(
    place: Place, collector: Collector
) -> None:
    case = place.consultation()
    tracing.flush()
    collector.bodies.clear()
    client = Client(headers={"user-agent": AGENT, "traceparent": PARENT})
    client.force_login(place.others[1], backend="django.contrib.auth.backends.ModelBackend")
    said = {"text": WORDS, "idempotency_key": secrets.token_hex(12)}
    address = f"/cases/{case.number}/do/ask/opinion.submitted/?next={ASKED}"
    assert client.post(address, said).status_code == 302
    tracing.flush()
    spans = collector.spans()
    by_id = {span["spanId"]: span for span in spans}
    [request] = [span for span in spans if span["kind"] == "SPAN_KIND_SERVER"]
    about = attributes(request)
    assert request["name"] == "POST /cases/<str:number>/do/<slug:step>/<str:act>/"
    assert "parentSpanId" not in request, "visitors do not choose their trace"
    assert about["http.response.status_code"] == "302"
    [act] = [span for span in spans if span["name"] == "act"]
    assert attributes(act) == {"sanwen.act": "sandbox_needs/ask/opinion.submitted"}
    assert by_id[act["parentSpanId"]] == request
    inserts = [span for span in spans if span["name"] == "INSERT"]
    assert {by_id[span["parentSpanId"]]["name"] for span in inserts} == {"act"}
    assert "VALUES (%s" in attributes(inserts[0])["db.query.text"]
    sent = b"".join(collector.bodies)
    for private in (WORDS, AGENT, ASKED, "127.0.0.1", case.number, client.session.session_key):
        assert private.encode() not in sent, private


def test_an_error_is_noted_without_its_words_and_a_secret_address_by_its_pattern(
    place: Place, collector: Collector, settings: Any, monkeypatch: Any
) -> None:
    code = place.consultation() and "6VVC5-FCX4M-TPVM5-6WW23"
    settings.SANWEN_BEHIND_PROXY = True
    tracing.flush()
    collector.bodies.clear()
    Client(headers={"traceparent": PARENT}).get(f"/r/{code}/")
    with pytest.raises(ValueError, match="王"), tracing.span("failing"):
        raise ValueError("王老师")
    tracing.flush()
    spans = {span["name"]: span for span in collector.spans()}
    asked = next(span for name, span in spans.items() if name.startswith("GET /r/<"))
    assert asked["parentSpanId"], "the proxy's trace goes on"
    assert attributes(spans["failing"]) == {"error.type": "ValueError"}
    sent = b"".join(collector.bodies)
    assert code.encode() not in sent
    assert "王老师".encode() not in sent


def test_nothing_is_traced_where_no_collector_is_named(place: Place, settings: Any) -> None:
    assert settings.SANWEN_TRACING is False
    assert json.loads(Client().get("/healthz").content)["ok"]
    assert tracing._provider.cache_info().currsize == 0
