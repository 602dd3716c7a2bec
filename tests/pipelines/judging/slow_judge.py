"""A program that judges the folder of a run with a judge that waits, so that it can be killed.

Flags: the folder, the pattern of the archive, the file of the secret, and how many conversations to
judge before it waits.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.judges.interface import Transcript, Verdict
from pipelines.judging.folder import Counted, Transcripts, opened
from pipelines.settings import wall_clock_us
from pipelines.sources.secret import SecretFile
from pipelines.terminal.progress import say
from tests.pipelines.judging.judges import SimpleJudge

WAITING = "judged some and waits"


class WaitingJudge(SimpleJudge):
    """Judges some conversations, says so, and then waits to be killed."""

    def __init__(self, some: int) -> None:
        super().__init__()
        self._some = some

    def judge(self, transcripts: Iterable[Transcript]) -> Iterator[Verdict]:
        """Yields some verdicts, and then waits."""
        for number, verdict in enumerate(super().judge(transcripts)):
            if number == self._some:
                say(WAITING)
                time.sleep(600)  # The test kills the process long before.
            yield verdict


def main() -> None:
    """Judges the folder."""
    folder, archive, secret, some = sys.argv[1:]
    pseudonyms = SecretFile(Path(secret))()
    transcripts = Transcripts([archive], pseudonyms, Counted.read(Path(folder)))
    with opened(Path(folder)) as judged:
        sample = judged.choose_sample(500, wall_clock_us(), pseudonyms.key_id)
        judged.judge(sample, transcripts, WaitingJudge(int(some)), wall_clock_us)


if __name__ == "__main__":
    main()
