"""The program that has a sample of each day judged: `python -m pipelines.judge --help`."""

from __future__ import annotations

from pipelines.terminal.interrupts import tell_interrupts

if __name__ == "__main__":
    tell_interrupts()  # Before the other imports, because importing Beam takes seconds.

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta

import apache_beam as beam
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.options.pipeline_options import GoogleCloudOptions

from pipelines.beam_options import beam_options, bounded_runner
from pipelines.judges.interface import Judge
from pipelines.judging.dataset import Day, JudgingJob, Search, find_days, judge_days
from pipelines.judging.options import add_judging_arguments, job_of
from pipelines.judging.work import JudgeStoppedError, Tally
from pipelines.settings import wall_clock_us
from pipelines.terminal.errors import exit_code_of
from pipelines.terminal.flags import underscored
from pipelines.terminal.progress import say
from schemas.failures import InputError
from schemas.judged import STATUSES
from transforms.conversation.pseudonyms import Pseudonyms
from transforms.create import CreateValues
from transforms.logs import log_event

Days = tuple[tuple[int, bool], ...]
"""The days of a job; each is a `Day`."""

_STAGE = "judge"
_SAMPLED = Metrics.counter(_STAGE, "sampled")
_KNOWN = Metrics.counter(_STAGE, "judged_before")
_STOPPED = Metrics.counter(_STAGE, "stopped")


class JudgeDays(beam.PTransform[Days, int]):
    """Has the sample of each day judged.

    One process does everything: it reads the archive, keeps the sampled conversations in memory,
    asks the judge and loads the judgements. So no text enters a shuffle, and a limit on the cost
    holds for the whole job.

    In: `Days`, as one element.
    Out: the number of conversations judged, one for each group of days.
    Windowing: any.
    Guarantees: a retry judges nothing again that was loaded before. A judge that can't go on, e.g.
    because the money is spent, ends the job without a retry; the next job goes on.
    Metrics: counters `judge/sampled`, `judge/judged_before`, one for each of `judged.STATUSES`,
    e.g. `judge/refused`, and `judge/stopped`. The log gives the reason of the last.

    Args:
      job: what to do with each day.
    """

    def __init__(self, job: JudgingJob) -> None:
        super().__init__()
        self._fn = _JudgeFn(job)

    def expand(self, days: beam.PCollection[Days]) -> beam.PCollection[int]:
        return days | "JudgeDays" >> beam.ParDo(self._fn).with_output_types(int)


class _JudgeFn(beam.DoFn):
    def __init__(self, job: JudgingJob) -> None:
        self._job = job
        self._judge: Judge | None = None
        self._pseudonyms: Pseudonyms | None = None

    def setup(self) -> None:
        self._judge = self._job.load_judge()
        self._pseudonyms = self._job.settings.load_pseudonyms()

    def process(self, days: Days) -> Iterator[int]:
        assert self._judge is not None
        assert self._pseudonyms is not None
        given = [Day(*day) for day in days]
        try:
            for tally in judge_days(self._job, given, self._judge, self._pseudonyms, wall_clock_us):
                _count(tally)
                yield tally.statuses.total()
        except JudgeStoppedError as error:
            # The runner would try again, and spend the limit on the cost again.
            _count(error.tally)
            _STOPPED.inc()
            log_event("judging_stopped", reason=str(error))


def _count(tally: Tally) -> None:
    _SAMPLED.inc(tally.sampled)
    _KNOWN.inc(tally.known)
    for status, count in tally.statuses.items():
        Metrics.counter(_STAGE, status).inc(count)


def run(argv: Sequence[str]) -> None:
    """Judges all days that are over and not judged yet."""
    arguments, flags = parser().parse_known_args(underscored(argv))
    job = job_of(arguments)
    search = Search(
        wall_clock_us(), timedelta(days=arguments.days), arguments.judge_after, arguments.settled
    )
    days = find_days(job.dataset, search)
    options = beam_options(flags, save_main_session=False)
    # A launch of a template must make a job, even if the job has nothing to do.
    if not days and not options.view_as(GoogleCloudOptions).template_location:
        say("nothing to judge: no day that is over has conversations")
        return
    pipeline = beam.Pipeline(runner=bounded_runner(options), options=options)
    build(pipeline, days, job)
    result = pipeline.run()
    result.wait_until_finish()
    if not options.view_as(GoogleCloudOptions).template_location:
        _tell(result.metrics().query(MetricsFilter().with_namespace(_STAGE)), len(days))


def build(pipeline: beam.Pipeline, days: Sequence[Day], job: JudgingJob) -> None:
    """Adds the steps of the judging job to a pipeline."""
    values = [tuple(tuple(day) for day in days)]
    _ = (
        pipeline
        | "Days" >> CreateValues(values, tuple[tuple[int, bool], ...])
        | "Judge" >> JudgeDays(job)
    )


def _tell(found: dict[str, list[object]], days: int) -> None:
    counts = {each.key.metric.name: each.result for each in found["counters"]}  # type: ignore[attr-defined]
    rest = ", ".join(f"{counts.get(status, 0):,} {status}" for status in STATUSES)
    say(
        f"{days:,} days, {counts.get('sampled', 0):,} conversations sampled: "
        f"{counts.get('judged_before', 0):,} judged before, {rest}"
    )
    if counts.get("stopped"):
        raise InputError("the judge could not go on; the log says why. Start it again to go on")


def parser() -> argparse.ArgumentParser:
    """Returns the parser of Undertone's flags. Beam parses all other flags."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m pipelines.judge",
        description="Chooses some conversations of each day that is over, reads them from the "
        "archive, and has them judged by someone or something better than the classifier. The "
        "publisher combines the judgements with the counts of all conversations. Run it on a "
        "schedule, after the backfill and before the publisher. Every other flag goes to Beam, "
        "e.g. --runner=DataflowRunner --project=… --region=….",
    )
    add_judging_arguments(parser)
    return parser


def main() -> int:
    """Runs the job with the command line's flags and returns the exit code."""
    return exit_code_of(lambda: run(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
