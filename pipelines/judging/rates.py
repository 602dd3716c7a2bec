"""Measures the classifier's error rates from the judged samples of a run or of a dataset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.judging.folder import Counted
from pipelines.publishing.folder import parquet_file
from pipelines.report.wording import readable
from pipelines.sinks.bigquery import Dataset
from pipelines.sinks.database import RESTRICTED_FOLDER, TABLES_FOLDER
from pipelines.sinks.records import query_records, read_records
from pipelines.terminal.text import aligned
from schemas.failures import InputError
from schemas.judged import JUDGEMENTS, SAMPLE, JudgementRow, SampleRow
from transforms.estimation.judged_figures import Noise
from transforms.estimation.rates import Rate, Rates
from transforms.facets.facet import ALL
from transforms.judging.conversations import join
from transforms.publishing.policy import Policy
from transforms.watching.traffic import traffic_rates


class Samples(NamedTuple):
    """Samples and judgements of several days, and how published numbers are protected."""

    sample: Sequence[SampleRow]
    judgements: Sequence[JudgementRow]
    policy: Policy


def samples_of_folder(folder: Path) -> Samples:
    """Reads the sample and the judgements of a run.

    Raises:
      InputError: if the folder is not one of a finished run.
    """
    policy = Counted.read(folder).policy
    tables = folder / RESTRICTED_FOLDER / TABLES_FOLDER
    return Samples(
        read_records(parquet_file(tables, SAMPLE), SAMPLE, SampleRow),
        read_records(parquet_file(tables, JUDGEMENTS), JUDGEMENTS, JudgementRow),
        policy,
    )


def samples_of_dataset(dataset: Dataset) -> Samples:
    """Reads the samples and the judgements that a dataset keeps.

    Raises:
      InputError: if BigQuery can't be reached or refuses the query.
    """
    views = "{restricted}.sample_current", "{restricted}.judgements_current"
    return Samples(
        query_records(dataset, SAMPLE, SampleRow, views[0], "TRUE"),
        query_records(dataset, JUDGEMENTS, JudgementRow, views[1], "TRUE"),
        Policy(),
    )


def measured_rates(samples: Samples, days: int | None) -> tuple[Rates, ...]:
    """Measures the rates of each version of the classifier.

    Args:
      samples: the samples and judgements.
      days: use only the last so many days that have judgements; None for all.

    Raises:
      InputError: if `days` is not positive, or too few conversations are judged for any rate.
    """
    if days is not None and days < 1:
        raise InputError(f"days must be at least 1, got {days}; use e.g. 28")
    last = sorted({row.day_us for row in samples.judgements})[-days if days else 0 :]
    judgements = [row for row in samples.judgements if row.day_us in last]
    noise = Noise(samples.policy.variance, samples.policy.max_noise)
    by_version: defaultdict[str, list[SampleRow]] = defaultdict(list)
    for row in samples.sample:
        by_version[row.classifier_version].append(row)
    found = (
        traffic_rates(join(rows, judgements), version, noise)
        for version, rows in sorted(by_version.items())
    )
    rates = tuple(each for each in found if each.rates)
    if not rates:
        raise InputError(
            "too few conversations are judged to measure a rate; have more judged with: "
            "undertone judge"
        )
    return rates


def rate_lines(rates: Iterable[Rates]) -> list[str]:
    """Says what was measured, and which rates are good enough to correct a share."""
    lines: list[str] = []
    for each in rates:
        rows = [_row(rate) for rate in each.rates]
        header = ("", "recall", "of about", "false alarms", "of about", "corrects")
        lines += [each.classifier_version, *aligned([header, *rows])]
    return lines


def _row(rate: Rate) -> tuple[str, ...]:
    name = readable(rate.facet if rate.facet_value == ALL else rate.facet_value)
    return (
        name,
        f"{rate.true_positives / max(rate.positives, 1):.1%}",
        f"{rate.positives:,}",
        f"{rate.false_positives / max(rate.negatives, 1):.2%}",
        f"{rate.negatives:,}",
        "yes" if rate.is_supported else "no",
    )
