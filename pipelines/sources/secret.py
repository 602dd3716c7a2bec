"""Loads the operator's secret from a file or from Secret Manager. Ids are hashed with it.

A loader stores where the secret is, but not the secret. So it may be part of a pipeline graph. Each
worker calls the loader when it starts. No error and no log line contains a part of the secret.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import google.auth
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException
from urllib3.util import Retry

from pipelines.terminal.progress import say
from schemas.failures import InputError
from transforms.conversation.pseudonyms import LoadPseudonyms, Pseudonyms

_NEW_SECRET_BYTES: Final = 32
_MANAGED: Final = "projects/"
_MANAGED_NAME: Final = re.compile(r"projects/[^/\s]+/secrets/[^/\s]+/versions/[0-9]+")
_SECRET_MANAGER: Final = "https://secretmanager.googleapis.com"
_SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
_TIMEOUT_S: Final = 30.0
_TRIES: Final = 5
_OUTAGES: Final = (429, 500, 502, 503, 504)
_ANSWERS: Final = {
    400: "its version is disabled or destroyed; enable it, or name another version",
    401: "the credentials are not valid; sign in with: gcloud auth application-default login",
    403: "access is denied; grant the job's service account the role "
    "roles/secretmanager.secretAccessor on this secret",
    404: "it does not exist; list the versions with: gcloud secrets versions list SECRET",
}


@dataclass(frozen=True)
class SecretFile:
    """Loads the secret from a file. The bytes of the file are the secret."""

    path: Path

    def __call__(self) -> Pseudonyms:
        """Loads the secret.

        Raises:
          InputError: if the file can't be read, if others can read it, or if it is too short.
        """
        try:
            mode = self.path.stat().st_mode
            # The file's group may read it, because containers get their secrets that way.
            if mode & stat.S_IROTH:
                raise InputError(
                    f"every user of this machine can read the secret {self.path}; run: "
                    f"chmod 600 {self.path}"
                )
            secret = self.path.read_bytes()
        except OSError as error:
            raise InputError(
                f"can't read the secret {self.path} ({error.strerror}); with --secret, name a file "
                "that the workers can read, or a secret in Secret Manager"
            ) from None
        return _pseudonyms(secret, str(self.path))


@dataclass(frozen=True)
class ManagedSecret:
    """Loads the secret from Google Secret Manager.

    Attributes:
      name: projects/<project>/secrets/<secret>/versions/<number>.
      url: base URL of the service.
    """

    name: str
    url: str = _SECRET_MANAGER

    def __post_init__(self) -> None:
        if not _MANAGED_NAME.fullmatch(self.name):
            # With `latest`, workers that start after a rotation would load another secret.
            raise InputError(
                f"{self.name!r} does not name a version of a secret; write "
                "projects/<project>/secrets/<secret>/versions/<number>"
            )

    def __call__(self) -> Pseudonyms:
        """Loads the secret. Each process sends one request, and repeats it during an outage.

        Raises:
          InputError: if Secret Manager refuses the request or can't be reached, or if the secret is
            too short.
        """
        return _managed(self)

    def load(self) -> Pseudonyms:
        """Loads the secret with a request of its own."""
        return _pseudonyms(self.read(), self.name)

    def read(self) -> bytes:
        """Returns the bytes of the secret, with a request of its own.

        Raises:
          InputError: if Secret Manager refuses the request or can't be reached.
        """
        answer = self._get()
        if answer.status_code != 200:
            said = _ANSWERS.get(answer.status_code, f"status {answer.status_code}; try again")
            raise self._error(said)
        try:
            secret: bytes = base64.b64decode(answer.json()["payload"]["data"], validate=True)
        except (KeyError, TypeError, ValueError):
            raise self._error("the answer can't be read; check the network's proxy") from None
        return secret

    def _get(self) -> Any:
        try:
            with _session() as session:
                return session.get(f"{self.url}/v1/{self.name}:access", timeout=_TIMEOUT_S)
        except GoogleAuthError:
            raise self._error(
                "there are no valid credentials; sign in with: "
                "gcloud auth application-default login"
            ) from None
        except RequestException as error:
            raise self._error(
                f"Secret Manager can't be reached ({type(error).__name__}); check the network"
            ) from None

    def _error(self, said: str) -> InputError:
        return InputError(f"can't load the secret {self.name}: {said}")


@cache
def _managed(secret: ManagedSecret) -> Pseudonyms:
    # A worker has many threads, and several steps in each of them load the secret.
    return secret.load()


def secret_of(text: str) -> LoadPseudonyms:
    """Returns the loader of the secret that the flag `--secret` names.

    Raises:
      InputError: if `text` looks like the name of a secret in Secret Manager but is not complete.
    """
    if text.startswith(_MANAGED):
        return ManagedSecret(text)
    return SecretFile(Path(text).expanduser().absolute())  # Workers may run in another folder.


def local_secret() -> SecretFile:
    """Returns this user's own secret file, and makes it if there is none.

    If several processes make it at the same time, all get the same secret.

    Raises:
      InputError: if the file can't be made.
    """
    path = _local_path()
    try:
        if not path.exists() and _make(path):
            say(
                f"made a new secret, {path}: ids are hashed with it, and noise is drawn with it, "
                "so keep it for the next run"
            )
    except OSError as error:
        raise InputError(
            f"can't make the secret {path} ({error.strerror}); name a file with --secret"
        ) from None
    return SecretFile(path)


def load_local_pseudonyms() -> Pseudonyms:
    """Loads this user's own secret, and makes it if there is none."""
    return local_secret()()


def _pseudonyms(secret: bytes, place: str) -> Pseudonyms:
    try:
        return Pseudonyms(secret)
    except ValueError as error:
        raise InputError(f"{place}: {error}") from None


def _local_path() -> Path:
    # The XDG specification says to ignore a path that is not absolute.
    config = Path(os.environ.get("XDG_CONFIG_HOME") or "")
    if not config.is_absolute():
        try:
            config = Path.home() / ".config"
        except RuntimeError:
            raise InputError(
                "there is no home folder to keep a secret in; name a file with --secret"
            ) from None
    return config / "undertone" / "secret"


def _make(path: Path) -> bool:
    """Makes a secret file, and returns whether this process was the first to make it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The link makes the whole secret appear at once. It fails if another process was faster. The
    # temporary file has mode 600.
    with tempfile.NamedTemporaryFile(dir=path.parent) as file:
        file.write(secrets.token_bytes(_NEW_SECRET_BYTES))
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(file.name, path)
            return True
    return False


def _session() -> Any:
    credentials, _ = google.auth.default(scopes=_SCOPES)
    session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
    retry = Retry(_TRIES, backoff_factor=0.5, status_forcelist=_OUTAGES, raise_on_status=False)
    adapter = HTTPAdapter(max_retries=retry)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
