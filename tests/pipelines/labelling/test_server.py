"""The labelling server, over real connections on loopback."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from pipelines.judges.interface import Transcript
from pipelines.labelling.page import render_page
from pipelines.labelling.server import LabelServer
from pipelines.labelling.session import Session
from pipelines.labelling.store import LabelFile
from tests.pipelines.labelling.readings import CANARY, transcript

HOSTILE: Final = (
    "</script><script>document.title = 'pwned'</script>"
    "<img src=x onerror=\"document.title = 'pwned'\"> &lt;b&gt; \u202etxet"
)
CHROMIUM: Final = shutil.which("chromium")
WORK: Final = {"place": 0, "answer": {"use": "work"}}


class Reply(NamedTuple):
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Sends requests to a server, as its own page or as somebody else."""

    def __init__(self, server: LabelServer) -> None:
        self.server = server
        self.origin = f"http://127.0.0.1:{server.server_port}"

    def send(self, method: str, path: str, body: str | None = None, **headers: str | None) -> Reply:
        """Sends a request with these headers; None leaves out a header."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=20)
        connection.putrequest(method, path, skip_host=True)
        usual = {"Host": self.origin.removeprefix("http://")}
        for name, value in (usual | {k.replace("_", "-"): v for k, v in headers.items()}).items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(None if body is None else body.encode())
        response = connection.getresponse()
        reply = Reply(response.status, dict(response.getheaders()), response.read().decode())
        connection.close()
        return reply

    def get(self, path: str, **headers: str | None) -> Reply:
        """Gets a path under the token."""
        return self.send("GET", f"/{self.server.token}/{path}", **headers)

    def save(self, content: Any, **headers: str | None) -> Reply:
        """Saves labels as the page does."""
        body = content if isinstance(content, str) else json.dumps(content)
        usual: dict[str, str | None] = {
            "Origin": self.origin, "Content_Type": "application/json",
            "Content_Length": str(len(body.encode())),
        }  # fmt: skip
        return self.send("POST", f"/{self.server.token}/save", body, **(usual | headers))


@pytest.fixture
def labels(tmp_path: Path) -> LabelFile:
    """The file of labels."""
    return LabelFile(tmp_path / "labels.jsonl")


@pytest.fixture
def client(labels: LabelFile) -> Iterator[Client]:
    """A client of a server with two conversations, the second a hostile one."""
    with serving([transcript(0), transcript(1, text=HOSTILE)], labels) as server:
        yield Client(server)


@contextmanager
def serving(
    transcripts: list[Transcript], labels: LabelFile, reader: str = "ana"
) -> Iterator[LabelServer]:
    """Serves conversations until the block ends."""
    with LabelServer(Session(transcripts, labels, reader)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_conversation_is_labelled(client: Client, labels: LabelFile) -> None:
    """The page gets a conversation, saves its labels, and gets the next one."""
    first = client.get("next").json
    assert (first["place"], first["human_messages"], first["own"]) == (0, 2, None)
    assert [turn["text"] for turn in first["turns"]] == [CANARY] * 4
    assert client.save(WORK).json == {"progress": {"done": 1, "total": 2}}
    assert [each.use for each in labels.read()] == ["work"]
    assert client.get("next?after=0").json["place"] == 1
    assert client.get("item?place=0").json["own"]["use"] == "work"


def test_the_end_is_told(client: Client) -> None:
    """Once all are labelled there is no next conversation, and the agreement can be read."""
    for place in (0, 1):
        client.save(WORK | {"place": place})
    assert client.get("next").json == {"progress": {"done": 2, "total": 2}}
    assert client.get("agreement").json == []


def test_two_readers(client: Client, labels: LabelFile) -> None:
    """The second reader gets no labels of the first; at the end both see their agreement."""
    client.save(WORK)
    with serving([transcript(0), transcript(1)], labels, "bo") as server:
        second = Client(server)
        assert second.get("item?place=0").json["own"] is None
        assert "ana" not in second.get("next").body
        second.save({"place": 0, "answer": {"use": "learning"}})
        (pair,) = second.get("agreement").json
    assert (pair["first"], pair["second"]) == ("ana", "bo")
    found = {each["question"]: each for each in pair["questions"]}
    assert found["use"] == {"question": "use", "conversations": 1, "agreed": 0, "kappa": 0.0}
    assert found["affective"]["kappa"] is None


@pytest.mark.parametrize("path", ["", "next", "item?place=0", "agreement"])
def test_nothing_may_be_stored_or_framed(client: Client, path: str) -> None:
    """Each response forbids caches, frames, referrers and other sites."""
    headers = client.get(path).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    ["/", "/next", "//next", "/token/next", "/{}x/next", "/{short}/next", "/{}", "/%2e/next",
     "/%fc/next", "/{}/save", "/{}/../next", "/{}/next/x", "http://evil.example/next", "*"],
)  # fmt: skip
def test_a_wrong_path_shows_nothing(client: Client, path: str) -> None:
    """Without the token, or with a path that does not exist, there is only an error."""
    token = client.server.token
    reply = client.send("GET", path.format(token, short=token[:-1]))
    assert reply.status == 404
    assert CANARY not in reply.body
    assert token not in reply.body


@pytest.mark.parametrize(
    "host", [None, "", "evil.example", "evil.example:{}", "127.0.0.1", "localhost.evil:{}",
             "127.0.0.1:1", "[::1]:{}"],
)  # fmt: skip
def test_a_foreign_host_is_refused(client: Client, host: str | None) -> None:
    """A name that was rebound to loopback does not reach the page, even with the token."""
    named = host and host.format(client.server.server_port)
    for path in ("", "next"):
        reply = client.get(path, Host=named)
        assert reply.status == 421
        assert CANARY not in reply.body
    assert client.save(WORK, Host=named).status == 421


def test_localhost_is_this_machine(client: Client) -> None:
    """The page may also be opened as localhost."""
    name = f"localhost:{client.server.server_port}"
    assert client.get("next", Host=name).status == 200
    assert client.save(WORK, Host=name, Origin=f"http://{name}").status == 200


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "https://127.0.0.1:{}", "http://localhost:{}"]
)
def test_another_page_can_not_save(client: Client, labels: LabelFile, origin: str | None) -> None:
    """Only the page itself may post, not another site's page that guessed the token."""
    named = origin and origin.format(client.server.server_port)
    assert client.save(WORK, Origin=named).status == 403
    assert labels.read() == []


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        ("{", {}, 400),
        ("[]", {}, 400),
        ({"place": 9, "answer": {"use": "work"}}, {}, 400),
        ({"place": -1, "answer": {"use": "work"}}, {}, 400),
        ({"place": 0, "answer": {"use": "work", "text": CANARY}}, {}, 400),
        ({"place": 0, "answer": {"use": CANARY}}, {}, 422),
        (WORK, {"Content_Type": "text/plain"}, 415),
        (WORK, {"Content_Type": None}, 415),
        (WORK, {"Content_Length": None}, 411),
        (WORK, {"Content_Length": "-1"}, 411),
        (WORK, {"Content_Length": "99999999"}, 413),
    ],
)
def test_a_bad_request_saves_nothing(
    client: Client, labels: LabelFile, content: Any, headers: dict[str, str | None], status: int
) -> None:
    """What is not a set of valid labels is refused, and the answer quotes nothing of it."""
    reply = client.save(content, **headers)
    assert reply.status == status
    assert CANARY not in reply.body
    assert labels.read() == []


def test_other_methods_are_refused(client: Client) -> None:
    """There is nothing to put, delete or ask options of."""
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH", "HEAD"):
        assert client.send(method, f"/{client.server.token}/next").status == 501


def test_a_label_that_can_not_be_saved_is_told(client: Client, labels: LabelFile) -> None:
    """The page is told when the file can't be written."""
    labels.path.mkdir()
    reply = client.save(WORK)
    assert (reply.status, reply.json) == (507, {"fault": "can't save: Is a directory"})


def test_tokens_differ(client: Client, labels: LabelFile) -> None:
    """Each start has its own token, of 32 random bytes."""
    with serving([], LabelFile(labels.path)) as server:
        assert server.token != client.server.token
        assert len(server.token) == 43


def test_nothing_is_logged(client: Client, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither text nor token is printed, whatever is asked for."""
    for path in ("next", "item?place=1", "nowhere"):
        client.get(path)
    client.save("{")
    client.send("BREW", "/")
    assert capfd.readouterr() == ("", "")


def test_the_page_holds_no_conversation_and_runs_only_its_own_script() -> None:
    """The policy names the hashes of the only style and the only script; names are escaped."""
    page = render_page("</script><script>alert(1)</script>")
    html = page.html.decode()
    assert html.count("<script") == 2
    assert "alert(1)</script>" not in html
    assert re.findall(r'(?:src|href)="(?!data:,)', html) == []
    assert "unsafe" not in page.policy
    assert page.policy.count("'sha256-") == 2


def test_the_script_makes_no_html_of_text() -> None:
    """The script uses none of the ways to turn a string into HTML or code."""
    html = render_page("ana").html.decode()
    script = html.rpartition("<script>")[2]
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
                "Function(", "srcdoc", "DOMParser", "createContextualFragment"):  # fmt: skip
        assert way not in script


@pytest.mark.skipif(CHROMIUM is None, reason="needs the browser Chromium")
def test_a_browser_shows_hostile_text_as_text(tmp_path: Path, labels: LabelFile) -> None:
    """In a real browser, script in a conversation or a reader's name is shown and never runs."""
    with serving([transcript(1, text=HOSTILE)], labels, HOSTILE[:50]) as server:
        assert CHROMIUM
        shown = subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--lang=en-GB",
             f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000",
             "--dump-dom", server.url],
            capture_output=True, text=True, check=True, timeout=120,
        ).stdout  # fmt: skip
    assert "<title>Label conversations" in shown
    assert "&lt;img src=x onerror=" in shown
    assert "<img" not in shown
    assert shown.count("<script") == 2
