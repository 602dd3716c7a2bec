"""An HTTP proxy that answers with errors on demand, so a test can start and end an outage."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import urlsplit

from deploy.local.processes import LOOPBACK

_TIMEOUT_S: Final = 120.0
_PAUSE_S: Final = 0.1


class FaultyProxy(ThreadingHTTPServer):
    """Forwards requests to a target; after `fail`, it answers some of them with errors."""

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.target = urlsplit(target).netloc
        self.url = f"http://{LOOPBACK}:{self.server_address[1]}"
        self.failed = 0
        self._share = 0.0
        self._statuses: tuple[int, ...] = ()
        self._chance = random.Random(7)

    def fail(self, share: float, *statuses: int) -> None:
        """Makes this fraction of the requests fail with one of the statuses.

        Status 0 closes the connection.
        """
        self._share, self._statuses = share, statuses

    def await_failures(self, failures: int) -> None:
        """Waits until at least this many requests have failed."""
        deadline_s = time.monotonic() + _TIMEOUT_S
        while self.failed < failures:
            assert time.monotonic() < deadline_s, (
                f"only {self.failed} of {failures} requests have failed after {_TIMEOUT_S:.0f} s"
            )
            time.sleep(_PAUSE_S)

    def next_fault(self) -> int | None:
        """Returns the error status for the next request, or None to forward the request."""
        if self._chance.random() >= self._share:
            return None
        self.failed += 1
        return self._chance.choice(self._statuses)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyProxy

    def do_GET(self) -> None:
        self._forward()

    def do_POST(self) -> None:
        self._forward()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        del format, args

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = self.server.next_fault()
        if status == 0:
            self.close_connection = True
            self.connection.close()
            return
        if status is not None:
            error = {"code": status, "message": "injected", "errors": [{"reason": "injected"}]}
            self._answer(status, json.dumps({"error": error}).encode())
            return
        headers = {k: v for k, v in self.headers.items() if k.lower() in ("content-type", "accept")}
        try:
            upstream = http.client.HTTPConnection(self.server.target, timeout=60)
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            self._answer(answer.status, answer.read())
            upstream.close()
        except OSError:  # The target is down, so the proxy acts as if it were down too.
            self.close_connection = True
            self.connection.close()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def faulty_proxy(target: str) -> Iterator[FaultyProxy]:
    """Runs a `FaultyProxy` in front of a service."""
    proxy = FaultyProxy(target)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
