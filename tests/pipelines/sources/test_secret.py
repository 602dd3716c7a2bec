"""Tests where the operator's secret comes from: a file, Secret Manager, or this user's own file."""

from __future__ import annotations

import base64
import json
import pickle
import stat
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pipelines.sources import secret
from pipelines.sources.secret import (
    ManagedSecret,
    SecretFile,
    load_local_pseudonyms,
    local_secret,
    secret_of,
)
from schemas.failures import InputError
from tests.builders import OPERATOR_SECRET, PSEUDONYMS

NAME: Final = "projects/p/secrets/s/versions/7"
TOKEN: Final = "token-of-the-worker"
CANARY: Final = b"canary canary canary canary"


def secret_file(path: Path, content: bytes = OPERATOR_SECRET, mode: int = 0o600) -> SecretFile:
    """Writes a secret file and returns its loader."""
    path.write_bytes(content)
    path.chmod(mode)
    return SecretFile(path)


class SecretManager:
    """A local server that stands in for Secret Manager and for Google's token endpoint."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        """Status and body of each answer, the next one first. The last one is repeated."""
        self.requests: list[tuple[str, str | None]] = []
        """Path and authorization of each request for a secret."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def holds(self, content: bytes) -> None:
        """Makes the server answer with this secret."""
        data = base64.b64encode(content).decode()
        self.answers.append((200, json.dumps({"name": NAME, "payload": {"data": data}}).encode()))

    def stop(self) -> None:
        """Stops the server."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        manager = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self._send(200, json.dumps({"access_token": TOKEN, "expires_in": 3600}).encode())

            def do_GET(self) -> None:
                manager.requests.append((self.path, self.headers["authorization"]))
                answers = manager.answers
                self._send(*(answers.pop(0) if len(answers) > 1 else answers[0]))

            def _send(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretManager]:
    """Runs the server, with the credentials of a service account to which it gives tokens."""
    secret._managed.cache_clear()  # A port may be used again.
    server = SecretManager()
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "type": "service_account", "project_id": "p", "private_key": key.decode(),
        "client_email": "worker@p.iam.gserviceaccount.com", "token_uri": f"{server.url}/token",
    }  # fmt: skip
    file = tmp_path / "account.json"
    file.write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    yield server
    server.stop()


# Tests of files.


def test_a_file_is_the_secret_byte_for_byte(tmp_path: Path) -> None:
    """The bytes of the file are the secret, with any line end. Its group may read it."""
    assert secret_file(tmp_path / "a")().key_id == PSEUDONYMS.key_id
    assert secret_file(tmp_path / "b", OPERATOR_SECRET + b"\n")().key_id != PSEUDONYMS.key_id
    assert secret_file(tmp_path / "c", mode=0o440)().key_id == PSEUDONYMS.key_id


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o666])
def test_a_file_that_everybody_can_read_is_refused(mode: int, tmp_path: Path) -> None:
    """If other users can read the file, the error says how to change that."""
    load = secret_file(tmp_path / "key", mode=mode)
    with pytest.raises(InputError, match=r"every user .* run: chmod 600 /.*/key$"):
        load()


def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    """A missing file, a folder or a short secret gives an error that shows no secret."""
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError, match=r"can't read the secret .*--secret"):
            SecretFile(path)()
    with pytest.raises(InputError, match="/key: a secret must have at least 16") as error:
        secret_file(tmp_path / "key", CANARY[:9])()
    assert "canary" not in repr((error.value, error.value.__cause__))


def test_a_loader_can_go_into_a_graph(tmp_path: Path) -> None:
    """A pickled loader loads the same secret, and does not contain it, even after loading it."""
    load = secret_file(tmp_path / "key")
    load()
    packed = pickle.dumps(load)
    assert OPERATOR_SECRET not in packed
    assert pickle.loads(packed)().key_id == PSEUDONYMS.key_id


def test_the_flag_names_a_file_or_a_managed_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name with `projects/` is a managed secret. Any other text is a path, made absolute."""
    monkeypatch.chdir(tmp_path)
    assert secret_of(NAME) == ManagedSecret(NAME)
    assert secret_of("keys/a") == SecretFile(tmp_path / "keys" / "a")


# Tests of Secret Manager.


def test_a_managed_secret_takes_one_request(manager: SecretManager) -> None:
    """A process reads the secret with one authorized request for that version."""
    manager.holds(OPERATOR_SECRET)
    load = ManagedSecret(NAME, manager.url)
    for each in (load, load, pickle.loads(pickle.dumps(load))):
        assert each().key_id == PSEUDONYMS.key_id
    assert manager.requests == [(f"/v1/{NAME}:access", f"Bearer {TOKEN}")]
    assert OPERATOR_SECRET not in pickle.dumps(load)


def test_a_short_outage_is_waited_out(manager: SecretManager) -> None:
    """If Secret Manager is unavailable for a moment, the request is repeated."""
    manager.answers += [(503, b"try later"), (429, b"slowly")]
    manager.holds(OPERATOR_SECRET)
    assert ManagedSecret(NAME, manager.url)().key_id == PSEUDONYMS.key_id
    assert len(manager.requests) == 3


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, CANARY, "grant the job's service account the role roles/secretmanager"),
        (404, CANARY, "it does not exist; list the versions with"),
        (400, CANARY, "its version is disabled or destroyed; enable it"),
        (418, CANARY, "status 418; try again"),
        (200, CANARY, "the answer can't be read"),
        (200, b'{"payload": {"data": "canary!"}}', "the answer can't be read"),
        (200, b'{"payload": {"data": "Y2FuYXJ5"}}', "at least 16 random bytes, got 6"),
    ],
)
def test_a_refusal_is_one_sentence_without_the_answer(
    status: int, body: bytes, said: str, manager: SecretManager
) -> None:
    """The error names the secret and says what to do. It never repeats what was received."""
    manager.answers = [(status, body)]
    with pytest.raises(InputError) as error:
        ManagedSecret(NAME, manager.url)()
    assert NAME in str(error.value)
    assert said in str(error.value)
    assert "canary" not in repr((error.value, error.value.__cause__))


@pytest.mark.usefixtures("manager")
def test_an_unreachable_service_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """If nothing answers, the error names the secret and the kind of failure."""
    monkeypatch.setattr(secret, "_TRIES", 0)
    with pytest.raises(InputError, match=f"{NAME}: Secret Manager can't be reached"):
        ManagedSecret(NAME, "http://127.0.0.1:9")()


def test_missing_credentials_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the named credentials do not exist, the error says how to sign in."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/none.json")
    with pytest.raises(InputError, match="no valid credentials; sign in with: gcloud"):
        ManagedSecret(NAME, "http://127.0.0.1:9")()


@pytest.mark.parametrize(
    "name",
    ["projects/p", "projects/p/secrets/s", f"{NAME}/x", "projects/p/secrets/s/versions/latest"],
)
def test_only_a_fixed_version_can_be_named(name: str) -> None:
    """With `latest`, workers that start after a rotation would hash in another way."""
    with pytest.raises(InputError, match="write projects/<project>/secrets/<secret>/versions/"):
        secret_of(name)


# Tests of this user's own file.


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns an empty configuration folder, and makes it this user's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def test_the_first_run_makes_a_secret(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first run makes a file that only this user can read, and says so. Later ones use it."""
    made = load_local_pseudonyms()
    path = config / "undertone" / "secret"
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"made a new secret, {path}" in said
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_bytes()) == 32
    assert [file.name for file in path.parent.iterdir()] == ["secret"]
    assert load_local_pseudonyms().key_id == made.key_id
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("config")
def test_two_users_have_different_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new secret is random."""
    one = load_local_pseudonyms()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "other"))
    assert load_local_pseudonyms().key_id != one.key_id


@pytest.mark.usefixtures("config")
def test_processes_that_start_together_have_one_secret() -> None:
    """If several processes make the file at once, one says so, and all load the same secret."""
    code = (
        "from pipelines.sources.secret import load_local_pseudonyms as load;"
        "import sys; print(end='.', flush=True); sys.stdin.read(); print(load().key_id)"
    )
    run = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(run, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(4)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.read(1) == "."  # It has imported everything.
    for process in processes:
        assert process.stdin
        process.stdin.close()
        process.stdin = None
    ended = [process.communicate() for process in processes]
    assert len({out for out, _ in ended}) == 1
    assert ended[0][0] == f"{local_secret()().key_id}\n"
    assert sum(err.count("made a new secret") for _, err in ended) == 1


def test_a_secret_that_appears_meanwhile_is_kept(config: Path) -> None:
    """A process that finds another's file when it wants to place its own leaves that file."""
    path = config / "undertone" / "secret"
    path.parent.mkdir()
    secret_file(path)
    assert not secret._make(path)
    assert path.read_bytes() == OPERATOR_SECRET
    assert [file.name for file in path.parent.iterdir()] == ["secret"]


@pytest.mark.parametrize("folder", ["", "relative/path"])
def test_the_folder_is_in_the_home_by_default(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an absolute XDG_CONFIG_HOME the secret is in ~/.config."""
    monkeypatch.setenv("XDG_CONFIG_HOME", folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_secret() == SecretFile(tmp_path / ".config" / "undertone" / "secret")


def test_a_secret_that_cannot_be_made_is_one_sentence(config: Path) -> None:
    """If the folder is a file, the error says to name a file with the flag."""
    (config / "undertone").write_text("")
    with pytest.raises(InputError, match=r"can't make the secret .* name a file with --secret"):
        local_secret()
