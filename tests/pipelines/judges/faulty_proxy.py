"""A proxy in front of an endpoint that injects faults, and counts what went through it."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from deploy.local.processes import LOOPBACK
from tests.pipelines.judges.endpoint import reset

TIMEOUT: Final = "timeout"
TRUNCATED: Final = "truncated"
RESET: Final = "reset"

_MOST_S: Final = 600.0

Fault = str | int | None
"""`TIMEOUT`, `TRUNCATED` (the answer is cut in half), `RESET`, an HTTP status, or no fault."""


class FaultyProxy(ThreadingHTTPServer):
    """Forwards requests, except those for which a function of their number names a fault."""

    daemon_threads = True

    def __init__(self, target: str, fault_of: Callable[[int], Fault]) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.target = target
        self.url = f"http://{LOOPBACK}:{self.server_address[1]}/v1"
        self.bodies: list[str] = []
        self.read_tokens = self.written_tokens = 0
        """Tokens of the answers that were passed on whole."""
        self.lost_tokens = 0
        """Tokens of the answers that were cut in half."""
        self.closing = threading.Event()
        self._fault_of = fault_of
        self._lock = threading.Lock()

    def take(self, body: bytes) -> Fault:
        """Counts one request, and returns its fault."""
        with self._lock:
            self.bodies.append(body.decode())
            number = len(self.bodies)
        return self._fault_of(number)

    def count(self, usage: dict[str, Any], *, is_lost: bool) -> None:
        """Counts what the endpoint says that an answer used."""
        read, written = usage["prompt_tokens"], usage["completion_tokens"]
        with self._lock:
            if is_lost:
                self.lost_tokens += read + written
            else:
                self.read_tokens += read
                self.written_tokens += written

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: clients that give up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyProxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self.server.take(body)
        if fault == TIMEOUT:
            self.server.closing.wait(_MOST_S)
        if fault in (TIMEOUT, RESET):
            reset(self)
        elif isinstance(fault, int):
            self._answer(fault, b'{"error": {"message": "injected"}}')
        else:
            self._forward(body, is_cut=fault == TRUNCATED)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        del format, args

    def _forward(self, body: bytes, *, is_cut: bool) -> None:
        upstream = http.client.HTTPConnection(urlsplit(self.server.target).netloc, timeout=_MOST_S)
        try:
            upstream.request("POST", self.path, body, {"Content-Type": "application/json"})
            answer = upstream.getresponse()
            status, content = answer.status, answer.read()
        except (OSError, http.client.HTTPException):  # The target is down, and so is the proxy.
            reset(self)
            return
        finally:
            upstream.close()
        if status == 200:
            self.server.count(json.loads(content)["usage"], is_lost=is_cut)
        self._answer(status, content[: len(content) // 2] if is_cut else content)

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextlib.contextmanager
def faulty_proxy(target: str, fault_of: Callable[[int], Fault]) -> Iterator[FaultyProxy]:
    """Runs a proxy in front of an endpoint."""
    proxy = FaultyProxy(target, fault_of)
    thread = threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.closing.set()
        proxy.shutdown()
        proxy.server_close()
        thread.join()
