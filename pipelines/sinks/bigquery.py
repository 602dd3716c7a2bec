"""The interface to BigQuery: names of datasets, clients, and the meaning of its answers.

Beam's own sink falls short in two ways. First, it takes some outages for refusals. A missing table,
a spent quota or an expired token would send good rows to the dead letters. Second, it has no option
for another endpoint. Its argument `test_client` is the only hook that can mend both. A stream
passes an `InsertClient` there, and a backfill into an emulator passes a `LoadClient`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import IO, Any, Final, NamedTuple

import requests.exceptions
from apache_beam.io.gcp.internal.clients.bigquery import BigqueryV2
from apache_beam.metrics import Metrics
from google.api_core import exceptions
from google.api_core.retry import Retry
from google.auth import exceptions as auth_exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from schemas.failures import InputError
from schemas.published import PUBLISHED_TABLES
from schemas.table import Table
from schemas.tables import RESTRICTED_TABLES
from schemas.views import PUBLISHED_VIEWS, RESTRICTED_VIEWS, view_description, view_sql

_DATASET: Final = re.compile(r"(?P<project>[a-z][a-z0-9:.\-]{4,})\.(?P<name>[A-Za-z0-9_]+)")
_ABOUT_THE_ROWS: Final = (400, 413)
"""HTTP status codes for errors in the request itself: bad request, and too large."""
_OUTAGES: Final = (
    ConnectionError,
    exceptions.GoogleAPICallError,
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.Timeout,
    auth_exceptions.TransportError,
    auth_exceptions.RefreshError,
)
WRITTEN_ROWS: Final = "written_rows"
"""Start of the name of a counter of the rows that BigQuery took; `/` and the table follow."""

_REQUEST_S: Final = 60.0
_SHORTLY: Final = bigquery.DEFAULT_RETRY.with_timeout(15.0)
"""The limit for calls that a person waits for, because the default retries for ten minutes."""
_UNREACHABLE: Final = (*_OUTAGES, exceptions.RetryError, auth_exceptions.GoogleAuthError)


class Dataset(NamedTuple):
    """The name and location of a dataset.

    Attributes:
      project: the Google Cloud project.
      name: name of the dataset within the project.
      url: address of an emulator; empty for BigQuery itself.
    """

    project: str
    name: str
    url: str = ""

    @classmethod
    def of(cls, text: str, url: str = "") -> Dataset:
        """Reads `project.dataset`.

        Raises:
          InputError: if the text is not a dataset.
        """
        match = _DATASET.fullmatch(text)
        if match is None:
            raise InputError(f"{text!r} is not a BigQuery dataset; write <project>.<dataset>")
        return cls(match["project"], match["name"], url)

    def __str__(self) -> str:
        return f"{self.project}.{self.name}"

    @property
    def restricted(self) -> Dataset:
        """The dataset with the exact counts, which belongs to this published dataset."""
        return self._replace(name=f"{self.name}_counts")

    def client(self) -> bigquery.Client:
        """Returns a client of the service that holds the dataset.

        Raises:
          InputError: if there are no credentials for the service.
        """
        try:
            return bigquery.Client(
                project=self.project,
                credentials=AnonymousCredentials() if self.url else None,  # type: ignore[no-untyped-call]
                client_options={"api_endpoint": self.url} if self.url else None,
            )
        except auth_exceptions.DefaultCredentialsError:
            raise InputError(
                "no credentials for Google Cloud; run gcloud auth application-default login"
            ) from None


def create_datasets(dataset: Dataset, location: str | None = None) -> None:
    """Creates a published dataset and its restricted one, with tables and views.

    What exists is kept. Existing views are updated in place, because deleting a view also deletes
    the rights to read it. Existing tables keep their rows; a missing column is added, and is null
    in the existing rows.

    Raises:
      InputError: if BigQuery can't be reached or refuses the request.
    """
    _create(dataset, dataset, PUBLISHED_TABLES, PUBLISHED_VIEWS, location)
    _create(dataset.restricted, dataset, RESTRICTED_TABLES, RESTRICTED_VIEWS, location)


def _create(
    created: Dataset,
    published: Dataset,
    tables: Sequence[Table],
    views: Sequence[str],
    location: str | None,
) -> None:
    try:
        client = created.client()
        wanted = bigquery.Dataset(str(created))
        wanted.location = location
        client.create_dataset(wanted, exists_ok=True, retry=_SHORTLY)
        for table in tables:
            _make_table(client, _table(created, table))
        for name in views:
            view = bigquery.Table(f"{created}.{name}")
            view.description = view_description(name)
            view.view_query = view_sql(name, str(published), str(published.restricted))
            _make_view(client, view)
    except _UNREACHABLE as error:
        raise InputError(_sentence(created, error)) from None


def query(dataset: Dataset, sql: str) -> list[dict[str, Any]]:
    """Returns the rows of a query.

    In the query `{dataset}` stands for the published dataset, and `{restricted}` for the one with
    the exact counts.

    Raises:
      InputError: if BigQuery can't be reached or refuses the request.
    """
    try:
        rows = dataset.client().query_and_wait(
            sql.replace("{dataset}", str(dataset)).replace("{restricted}", str(dataset.restricted)),
            wait_timeout=_REQUEST_S,
            retry=_SHORTLY,
            job_retry=_SHORTLY,
        )
        return [dict(row.items()) for row in rows]
    except _UNREACHABLE as error:
        raise InputError(_sentence(dataset, error)) from None


def load(dataset: Dataset, table: Table, lines: IO[bytes]) -> None:
    """Appends rows to a table with a load job: all of them, or none.

    Args:
      dataset: where the table is.
      table: the table.
      lines: the rows as JSON, one on each line.

    Raises:
      InputError: if BigQuery can't be reached or refuses the rows.
    """
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.NEWLINE_DELIMITED_JSON,
        schema=[bigquery.SchemaField.from_api_repr(f) for f in table.bigquery_schema()["fields"]],
        create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
        write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
    )
    try:
        job = dataset.client().load_table_from_file(
            lines, f"{dataset}.{table.name}", rewind=True, job_config=config
        )
        job.result(retry=bigquery.DEFAULT_RETRY)
    except _UNREACHABLE as error:
        raise InputError(_sentence(dataset, error)) from None


class LoadClient(BigqueryV2):  # type: ignore[misc]
    """The client of Beam's file loads into an emulator.

    Picklable. For BigQuery itself Beam makes its own client.
    """

    def __init__(self, url: str) -> None:
        super().__init__(f"{url}/bigquery/v2/", get_credentials=False)
        self._emulator = url

    def __reduce__(self) -> tuple[Any, ...]:
        return LoadClient, (self._emulator,)


class OutageError(RuntimeError):
    """Raised when BigQuery neither took nor refused the rows; the bundle must be retried."""


class InsertClient:
    """The client of Beam's streaming inserts.

    The client waits until an outage ends, and returns only refusals.

    Picklable; the worker makes the connection.
    Metrics: `write/written_rows/<table>`, the number of rows that BigQuery accepted.

    Args:
      dataset: where the tables are.
      deadline_s: how long to wait for an outage to end before the bundle fails and the runner
        retries it; None to wait for ever.
    """

    def __init__(self, dataset: Dataset, deadline_s: float | None = None) -> None:
        self._dataset = dataset
        self._deadline_s = deadline_s
        self._client: bigquery.Client | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return InsertClient, (self._dataset, self._deadline_s)

    def insert_rows_json(
        self, table: Any, json_rows: Sequence[Any], row_ids: Sequence[str], **options: Any
    ) -> list[dict[str, Any]]:
        """Inserts rows; returns {"index", "errors"} for each row that BigQuery refuses.

        Raises:
          OutageError: if an outage lasts past the deadline.
        """
        self._client = self._client or self._dataset.client()
        retry = Retry(predicate=_is_outage, initial=0.5, maximum=30.0, timeout=self._deadline_s)
        try:
            refused = list(
                self._client.insert_rows_json(
                    table, json_rows, row_ids=row_ids, retry=retry, **options
                )
            )
            _count_written(table, len(json_rows) - len(refused))
            return refused
        except (*_OUTAGES, exceptions.RetryError) as error:
            if _is_outage(error) or isinstance(error, exceptions.RetryError):
                raise OutageError(_sentence(self._dataset, error)) from None
            if len(json_rows) == 1:  # The request had only this row, so it is to blame.
                refusal = {"reason": "invalid", "message": type(error).__name__}
                return [{"index": 0, "errors": [refusal]}]
        half = len(json_rows) // 2  # The whole request is refused: find the row to blame.
        first = self.insert_rows_json(table, json_rows[:half], row_ids[:half], **options)
        second = self.insert_rows_json(table, json_rows[half:], row_ids[half:], **options)
        return first + [{**each, "index": each["index"] + half} for each in second]


def _count_written(table: str, rows: int) -> None:
    name = table.rsplit(".", 1)[-1]
    Metrics.counter("write", f"{WRITTEN_ROWS}/{name}").inc(rows)


def _is_outage(error: BaseException) -> bool:
    if isinstance(error, exceptions.GoogleAPICallError) and error.code in _ABOUT_THE_ROWS:
        return False
    return isinstance(error, _OUTAGES)


def _table(dataset: Dataset, table: Table) -> bigquery.Table:
    parameters = table.bigquery_parameters()
    resource = {
        "tableReference": {
            "projectId": dataset.project, "datasetId": dataset.name, "tableId": table.name,
        },
        "description": table.description,
        "schema": table.bigquery_schema(),
        **parameters,
    }  # fmt: skip
    return bigquery.Table.from_api_repr(resource)


def _make_table(client: bigquery.Client, wanted: bigquery.Table) -> None:
    made = client.create_table(wanted, exists_ok=True, retry=_SHORTLY)
    there = {column.name for column in made.schema}
    missing = [
        bigquery.SchemaField(column.name, column.field_type, description=column.description)
        for column in wanted.schema
        if column.name not in there
    ]
    if missing:
        made.schema = [*made.schema, *missing]
        client.update_table(made, ["schema"], retry=_SHORTLY)


def _make_view(client: bigquery.Client, wanted: bigquery.Table) -> None:
    made = client.create_table(wanted, exists_ok=True, retry=_SHORTLY)
    if (made.view_query, made.description) != (wanted.view_query, wanted.description):
        client.update_table(wanted, ["view_query", "description"], retry=_SHORTLY)


def _sentence(dataset: Dataset, error: BaseException) -> str:
    where = dataset.url or "BigQuery"
    if isinstance(error, exceptions.NotFound):
        return (
            f"{dataset} or one of its tables does not exist; "
            f"create it with: undertone create --dataset {dataset}"
        )
    if isinstance(error, (exceptions.Forbidden, exceptions.Unauthorized)):
        return f"{where} does not allow this on {dataset}; ask for the role BigQuery Data Editor"
    if isinstance(error, exceptions.GoogleAPICallError) and error.code in _ABOUT_THE_ROWS:
        return f"{where} refused the request: {error.message}"
    if isinstance(error, auth_exceptions.GoogleAuthError):
        return "no valid credentials for Google Cloud; run gcloud auth application-default login"
    return f"{where} can't be reached ({type(error).__name__}); check the network and try again"
