"""The program that publishes what was counted: `python -m pipelines.publish --help`."""

from __future__ import annotations

from pipelines.terminal.interrupts import tell_interrupts

if __name__ == "__main__":
    tell_interrupts()  # Before the other imports, because importing Beam takes seconds.

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import GoogleCloudOptions

from pipelines.beam_options import beam_options, bounded_runner
from pipelines.options import add_bigquery_argument
from pipelines.publishing.dataset import Search, find_scopes, publish_scope, withdraw
from pipelines.publishing.options import (
    add_policy_arguments,
    add_publishing_arguments,
    add_rates_argument,
    policy_of,
)
from pipelines.publishing.rates import given_rates
from pipelines.publishing.windows import Scope
from pipelines.settings import wall_clock_us
from pipelines.sinks.bigquery import Dataset
from pipelines.terminal.errors import exit_code_of
from pipelines.terminal.flags import underscored
from pipelines.terminal.progress import say
from transforms.create import CreateValues
from transforms.estimation.rates import SHIPPED, GivenRates
from transforms.publishing.policy import Policy

_PUBLISHED = Metrics.counter("publish", "publications")
_DRIFTED = Metrics.counter("publish", "model_drift")
_KEPT = Metrics.counter("publish", "windows_kept")


class PublishScopes(beam.PTransform[Scope, int]):
    """Publishes the windows of each scope.

    In: `Scope`.
    Out: the number of publications made, one for each scope.
    Windowing: any.
    Guarantees: a publication becomes visible as a whole. If a scope is published twice, e.g.
    because the runner retries it, both attempts have the same numbers, and readers see the later
    one.
    Metrics: counters `publish/publications`, `publish/windows_kept`: windows that may not be
    corrected any more, or were counted with several secrets, and `publish/model_drift`: rates of
    the classifier that are not what was measured before. The log gives reasons and numbers.

    Args:
      dataset: the published dataset.
      policy: how to protect the numbers.
      rates: the classifier's error rates.
    """

    def __init__(self, dataset: Dataset, policy: Policy, rates: GivenRates = SHIPPED) -> None:
        super().__init__()
        self._fn = _PublishFn(dataset, policy, rates)

    def expand(self, scopes: beam.PCollection[Scope]) -> beam.PCollection[int]:
        # The scopes of a fused stage would be published one after the other.
        return (
            scopes
            | "SpreadScopes" >> beam.Reshuffle()
            | "PublishScopes" >> beam.ParDo(self._fn).with_output_types(int)
        )


class _PublishFn(beam.DoFn):
    def __init__(self, dataset: Dataset, policy: Policy, rates: GivenRates) -> None:
        self._dataset = dataset
        self._policy = policy
        self._rates = rates

    def process(self, scope: tuple[str, int, int]) -> Iterator[int]:
        outcome = publish_scope(
            self._dataset, Scope(*scope), self._policy, wall_clock_us(), self._rates
        )
        _PUBLISHED.inc(outcome.published)
        _KEPT.inc(outcome.kept)
        _DRIFTED.inc(outcome.drifted)
        yield outcome.published


def run(argv: Sequence[str]) -> None:
    """Publishes all closed windows whose counts changed, or withdraws a publication."""
    arguments, flags = parser().parse_known_args(underscored(argv))
    dataset = Dataset.of(arguments.dataset, arguments.bigquery_url)
    policy = policy_of(arguments, arguments.publish_after)
    rates = given_rates(arguments.rates)
    if arguments.withdraw:
        withdraw(dataset, arguments.withdraw, wall_clock_us())
        say(f"{arguments.withdraw} is withdrawn")
        return
    search = Search(wall_clock_us(), timedelta(days=arguments.days), arguments.settled)
    scopes = find_scopes(dataset, policy, search)
    options = beam_options(flags, save_main_session=False)
    # A launch of a template must make a job, even if the job has nothing to do.
    if not scopes and not options.view_as(GoogleCloudOptions).template_location:
        say("nothing to publish: no closed window has new counts")
        return
    with beam.Pipeline(runner=bounded_runner(options), options=options) as pipeline:
        build(pipeline, scopes, dataset, policy, rates)
    say(f"published what changed in {len(scopes)} days and longer windows with new counts")


def build(
    pipeline: beam.Pipeline,
    scopes: Sequence[Scope],
    dataset: Dataset,
    policy: Policy,
    rates: GivenRates = SHIPPED,
) -> None:
    """Adds the steps of the publishing job to a pipeline."""
    _ = (
        pipeline
        | "Scopes" >> CreateValues([tuple(scope) for scope in scopes], tuple[str, int, int])
        | "Publish" >> PublishScopes(dataset, policy, rates)
    )


def parser() -> argparse.ArgumentParser:
    """Returns the parser of Undertone's flags. Beam parses all other flags."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m pipelines.publish",
        description="Publishes the counts of closed windows: protects them with thresholds and "
        "noise, estimates the figures, and writes both to the published dataset. Run it on a "
        "schedule. Every other flag goes to Beam, e.g. --runner=DataflowRunner --project=… "
        "--region=….",
    )
    add_bigquery_argument(parser)
    add_policy_arguments(parser)
    add_rates_argument(parser)
    add_publishing_arguments(parser)
    return parser


def main() -> int:
    """Runs the job with the command line's flags and returns the exit code."""
    return exit_code_of(lambda: run(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
