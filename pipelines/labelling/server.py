"""Serves the labelling page on this machine only.

Other people and web pages must not read or write through it. So the server listens on loopback,
every path begins with a random token, and requests with a foreign `Host` (DNS rebinding) or
`Origin` (another site's page) are refused. Nothing is logged, because paths hold the token.
Responses may not be stored, framed or combined with anything from elsewhere.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from pipelines.labelling.page import Page, render_page
from pipelines.labelling.session import Answer, Item, Session
from schemas.failures import InputError

LOOPBACK: Final = "127.0.0.1"
_NAMES: Final = (LOOPBACK, "localhost")
_TOKEN_BYTES: Final = 32
_MAX_BODY_BYTES: Final = 65_536
_TIMEOUT_S: Final = 30
"""How long a connection may take to send its request. Each one has a thread."""

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_JSON: Final = "application/json"
_encode = msgspec.json.encode


class _Saving(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    place: int
    answer: Answer


class LabelServer(ThreadingHTTPServer):
    """Serves one reader's session.

    Attributes:
      url: the page's address, which holds the token. Only the reader may see it.
    """

    daemon_threads = True

    def __init__(self, session: Session, port: int = 0) -> None:
        """Binds the port.

        Args:
          session: the reader's session.
          port: port on loopback; 0 takes any free one.

        Raises:
          OSError: if the port is taken.
        """
        super().__init__((LOOPBACK, port), _Handler)
        self.session = session
        self.token = secrets.token_urlsafe(_TOKEN_BYTES)
        self.page = render_page(session.reader)
        self.hosts = frozenset(f"{name}:{self.server_port}" for name in _NAMES)
        self.url = f"http://{LOOPBACK}:{self.server_port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Drops errors of a connection: a traceback could show text."""
        del request, client_address


class _Handler(BaseHTTPRequestHandler):
    server: LabelServer
    server_version = "undertone"
    sys_version = ""
    timeout = _TIMEOUT_S

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        actions: dict[str, Callable[[], None]] = {
            "": self._send_page,
            "next": lambda: self._send_next(_number(query, "after", -1)),
            "item": lambda: self._send_item(_number(query, "place", -1)),
            "agreement": self._send_agreement,
        }
        self._answer(actions)

    def do_POST(self) -> None:
        self._answer({"save": self._save}, is_writing=True)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Logs nothing: paths hold the token."""

    def _answer(self, actions: dict[str, Callable[[], None]], *, is_writing: bool = False) -> None:
        """Refuses what does not come from our own page; otherwise runs the action."""
        host = self.headers.get("Host", "")
        if host not in self.server.hosts:
            return self._refuse(HTTPStatus.MISDIRECTED_REQUEST)
        _, token, *rest = [*urlsplit(self.path).path.split("/"), ""][:4]
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            return self._refuse(HTTPStatus.NOT_FOUND)
        if is_writing and self.headers.get("Origin") != f"http://{host}":
            return self._refuse(HTTPStatus.FORBIDDEN)
        action = actions.get(rest[0]) if len(rest) == 2 and not rest[1] else None
        if action is None:
            return self._refuse(HTTPStatus.NOT_FOUND)
        return action()

    def _send_page(self) -> None:
        page: Page = self.server.page
        self._send(
            HTTPStatus.OK, page.html, "text/html; charset=utf-8",
            {"Content-Security-Policy": page.policy},
        )  # fmt: skip

    def _send_next(self, after: int) -> None:
        place = self.server.session.next_place(after)
        if place is None:
            self._send_json({"progress": self.server.session.progress._asdict()})
        else:
            self._send_item(place)

    def _send_item(self, place: int) -> None:
        item = self.server.session.item(place)
        if item is None:
            return self._refuse(HTTPStatus.NOT_FOUND)
        shown = _shown(item) | {"progress": self.server.session.progress._asdict()}
        return self._send_json(shown)

    def _send_agreement(self) -> None:
        try:
            pairs = self.server.session.agreement()
        except InputError as error:
            return self._send_json({"fault": str(error)}, HTTPStatus.CONFLICT)
        return self._send_json(
            [pair._asdict() | {"questions": [q._asdict() for q in pair.questions]}
             for pair in pairs]
        )  # fmt: skip

    def _save(self) -> None:
        body = self._body()
        if isinstance(body, HTTPStatus):
            return self._refuse(body)
        try:
            saving = msgspec.json.decode(body, type=_Saving)
            fault = self.server.session.save(saving.place, saving.answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, IndexError):
            return self._refuse(HTTPStatus.BAD_REQUEST)
        except OSError as error:
            said = {"fault": f"can't save: {error.strerror}"}
            return self._send_json(said, HTTPStatus.INSUFFICIENT_STORAGE)
        if fault:
            return self._send_json({"fault": fault}, HTTPStatus.UNPROCESSABLE_ENTITY)
        return self._send_json({"progress": self.server.session.progress._asdict()})

    def _body(self) -> bytes | HTTPStatus:
        """Returns the body, or why it is refused."""
        if self.headers.get_content_type() != _JSON:
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            return HTTPStatus.LENGTH_REQUIRED
        if int(length) > _MAX_BODY_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return self.rfile.read(int(length))

    def _send_json(self, content: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(status, _encode(content), _JSON)

    def _refuse(self, status: HTTPStatus) -> None:
        self._send(status, status.phrase.encode(), "text/plain")

    def _send(
        self, status: HTTPStatus, body: bytes, content_type: str, more: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        headers = _HEADERS | {"Content-Type": content_type, "Content-Length": str(len(body))}
        for name, value in (headers | (more or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _number(query: dict[str, list[str]], name: str, otherwise: int) -> int:
    text = query.get(name, [""])[0]
    return int(text) if text.isdecimal() and len(text) < 10 else otherwise


def _shown(item: Item) -> dict[str, Any]:
    transcript, own = item.transcript, item.own
    return {
        "place": item.place,
        "human_messages": transcript.human_messages,
        "turns": [{"is_human": turn.is_human, "text": turn.text} for turn in transcript.turns],
        "own": own and {
            "use": own.use,
            "types": own.types,
            "opening_type": own.opening_type,
            "closing_type": own.closing_type,
            "pushback_reasons": own.pushback_reasons,
            "moods": own.moods,
        },
    }  # fmt: skip
