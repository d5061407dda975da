"""A collector of OpenTelemetry, as far as it takes spans by OTLP/HTTP: it decodes them by the published proto."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collector:
    """A running collector; `status` is what it answers with, 0 for never."""

    url: str
    status: int = 200
    requests: list[tuple[str, Mapping[str, str], ExportTraceServiceRequest]] = field(default_factory=list)
    """The path, the headers by their names in lower case, and the body of each."""
    ended: threading.Event = field(default_factory=threading.Event)

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """Keep a request, and return the status for it: 400 if it has what the proto does not know."""
        request = ExportTraceServiceRequest()
        try:
            request.ParseFromString(body)
        except DecodeError:
            return 400
        request.DiscardUnknownFields()
        if request.ByteSize() != len(body):
            return 400
        self.requests.append((path, headers, request))
        return 200

    @property
    def spans(self) -> list[Span]:
        """All spans."""
        return [
            span
            for _, _, request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def resource(self) -> dict[str, str | int]:
        """The attributes of the process that sent the last spans."""
        return attributes_of(self.requests[-1][2].resource_spans[0].resource)


@contextmanager
def running_collector(status: int = 200) -> Iterator[Collector]:
    """Run a collector on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if collector.status == 0:
                collector.ended.wait()
                self.close_connection = True
                return
            answered = collector.status
            if answered == 200:
                answered = collector.take(self.path, headers, body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(answered)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector = Collector(f"http://127.0.0.1:{server.server_port}", status)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def attributes_of(holder: Any) -> dict[str, str | int]:
    """The attributes of a span, a link or a resource."""
    return {each.key: _value(each) for each in holder.attributes}


def _value(attribute: KeyValue) -> str | int:
    kind = attribute.value.WhichOneof("value")
    assert kind in ("string_value", "int_value"), attribute
    value: str | int = getattr(attribute.value, kind)
    return value
