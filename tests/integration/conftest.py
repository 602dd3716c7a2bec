"""Starts the BigQuery emulator, which several test modules share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import pytest

from deploy.local.bigquery import bigquery_emulator
from pipelines.sinks.bigquery import Dataset, create_datasets
from tests.services import have

PROJECT: Final = "undertone-local"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    """Runs the BigQuery emulator with a dataset that has all tables and views.

    Starting the emulator takes seconds.
    """
    with ExitStack() as stack:
        running = bigquery_emulator(tmp_path_factory.mktemp("bigquery"), PROJECT)
        emulator = have(lambda: stack.enter_context(running))
        made = Dataset(PROJECT, "undertone", emulator.url)
        create_datasets(made)
        yield made
