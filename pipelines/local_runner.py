"""Beam's in-process runner. Its worker processes end at once on Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult

from pipelines.terminal import interrupts

_ENDED: Final = "ended"
_START: Final = (
    f"trap '' INT; : > {{folder}}/$$; [ -e {{folder}}/{_ENDED} ] && exit; exec 2> /dev/null; exec "
)
"""The shell command that starts a worker.

It first creates an empty file with its process id as the name, which works even on a full disk.
Its error output is dropped, because Beam also raises each error in the program.
"""


class LocalRunner(FnApiRunner):
    """Runs a pipeline on this machine, in this process or in several.

    A terminal sends Ctrl-C to the workers too, and each would print a traceback. So the workers
    ignore Ctrl-C, and the program kills them before it cleans up. Otherwise the program would wait
    for the workers for ever.
    """

    def run_via_runner_api(
        self, pipeline_proto: beam_runner_api_pb2.Pipeline, options: PipelineOptions
    ) -> PipelineResult:
        """Runs a pipeline to its end."""
        with tempfile.TemporaryDirectory(prefix="undertone-workers-") as folder:
            start = _START.format(folder=shlex.quote(folder))
            for environment in pipeline_proto.components.environments.values():
                if environment.urn == python_urns.SUBPROCESS_SDK:
                    environment.payload = start.encode() + environment.payload
            with interrupts.done_first(partial(_end_workers, Path(folder))):
                return super().run_via_runner_api(pipeline_proto, options)


def _end_workers(folder: Path) -> None:
    # A worker that is just starting either sees this file or has already noted its id.
    (folder / _ENDED).touch()
    for file in folder.iterdir():
        if file.name != _ENDED:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(file.name), signal.SIGKILL)
