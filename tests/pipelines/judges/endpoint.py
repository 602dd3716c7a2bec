"""An endpoint on loopback that speaks OpenAI's and Anthropic's format, with scripted answers."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple

from deploy.local.processes import LOOPBACK

_ID: Final = re.compile(r'"request": "([0-9a-f]{8})"')
_RESET: Final = struct.pack("ii", 1, 0)
_MOST_S: Final = 30.0


class Received(NamedTuple):
    """One request: its path, its headers with names in small letters, and its body."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """The message with the conversation."""
        messages = [m for m in self.body["messages"] if m["role"] != "system"]
        return str(messages[0]["content"])

    @property
    def system(self) -> str:
        """The instructions."""
        if "system" in self.body:
            return str(self.body["system"])
        return str(self.body["messages"][0]["content"])

    @property
    def id(self) -> str:
        """The id that the answer must repeat."""
        found = _ID.search(self.text)
        return found[1] if found else ""


class Canned(NamedTuple):
    """One answer. `hangs` keeps the request open; `resets` breaks the connection."""

    text: str = ""
    status: int = 200
    headers: Mapping[str, str] = {}
    stop: str = "stop"
    refusal: str | None = None
    tokens: tuple[int, int] | None = (1000, 100)
    error: Mapping[str, Any] | None = None
    raw: bytes | None = None
    hangs: bool = False
    resets: bool = False

    def content(self, path: str) -> bytes:
        """Returns the body, in the format of the path."""
        if self.raw is not None:
            return self.raw
        if self.status != 200:
            return json.dumps({"error": {"message": "scripted", **(self.error or {})}}).encode()
        read, written = self.tokens or (0, 0)
        if path.endswith("/messages"):
            usage: Any = {"input_tokens": read, "output_tokens": written}
            body: dict[str, Any] = {
                "content": [{"type": "text", "text": self.text}],
                "stop_reason": self.stop,
            }
        else:
            usage = {"prompt_tokens": read, "completion_tokens": written}
            message = {"role": "assistant", "content": self.text, "refusal": self.refusal}
            body = {"choices": [{"message": message, "finish_reason": self.stop}]}
        return json.dumps(body if self.tokens is None else {**body, "usage": usage}).encode()


Respond = Callable[[Received], Canned]


def answer(request: str, use: str = "technical", **changes: Any) -> str:
    """Returns a valid answer about a conversation with one human message, with changes."""
    labels = {
        "request": request,
        "conversation": {"use": use, "types": ["counseling"] if use == "affective" else []},
        "opening_type": "none",
        "closing_type": "none",
        "pushback_reasons": [],
        "opening_moods": [0],
        "closing_moods": [0],
    }
    return json.dumps({**labels, **changes})


def valid(received: Received) -> Canned:
    """Answers with valid labels."""
    return Canned(answer(received.id))


class Endpoint(ThreadingHTTPServer):
    """Answers each request with what a function says."""

    daemon_threads = True

    def __init__(self, respond: Respond) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.respond = respond
        self.url = f"http://{LOOPBACK}:{self.server_address[1]}/v1"
        self.received: list[Received] = []
        self.closing = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: clients that give up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        received = Received(self.path, headers, body)
        self.server.received.append(received)
        canned = self.server.respond(received)
        if canned.hangs:
            self.server.closing.wait(_MOST_S)
        if canned.hangs or canned.resets:
            reset(self)
            return
        content = canned.content(self.path)
        self.send_response(canned.status)
        for name, value in {**canned.headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        del format, args


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Breaks the connection, so that the client sees a reset."""
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    handler.connection.close()


@contextlib.contextmanager
def endpoint(respond: Respond = valid) -> Iterator[Endpoint]:
    """Runs an endpoint."""
    server = Endpoint(respond)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
