"""Patterns of files: the ending decides how a file is read, and missing files are named."""

from __future__ import annotations

import gzip
import logging
import re
import traceback
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from pipelines.sources.files import ReadAvro, ReadFiles, ReadJsonLines
from schemas.failures import InputError
from schemas.records import PayloadChunk
from tests.pipelines.sources.reading import LINE, events
from tests.schemas.payloads import SECRET, betrays_secret, chain_of, write_avro


@pytest.mark.parametrize("read", [ReadAvro, ReadJsonLines])
@pytest.mark.parametrize("name", ["missing.avro", "*.none", "no/such/folder/*"])
def test_a_pattern_without_files_is_an_input_error(
    read: type[ReadAvro | ReadJsonLines], name: str, tmp_path: Path
) -> None:
    """If a pattern matches no file, construction fails with an error that names the pattern."""
    with pytest.raises(InputError, match=str(tmp_path)):
        read(str(tmp_path / name))


def test_read_avro_reads_every_file_of_a_pattern(tmp_path: Path) -> None:
    """On a runner, the events of all matching files are read, each with the name of its file."""
    for name in ("a.avro", "b.avro"):
        write_avro(tmp_path / name, events(3), rows_a_block=1)
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        found = pipeline | ReadAvro(str(tmp_path / "*.avro")) | beam.FlatMap(_sourced)
        expected = [(name, f"e{i}") for name in ("a.avro", "b.avro") for i in range(3)]
        assert_that(found, equal_to(expected))


def _sourced(chunk: PayloadChunk) -> list[tuple[str, str]]:
    return [(chunk.source, row["event_id"]) for row in chunk.rows]


def test_read_json_lines_reads_on_a_runner(tmp_path: Path) -> None:
    """On a runner, the lines of plain and compressed files are read."""
    (tmp_path / "a.json").write_bytes(LINE + b"\n")
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(LINE + b"\n" + LINE))
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        rows = pipeline | ReadJsonLines(str(tmp_path / "*")) | beam.FlatMap(lambda c: c.rows)
        assert_that(rows | beam.Map(bytes.strip), equal_to([LINE] * 3))


@pytest.mark.parametrize("cut", [20, 60, 300])
def test_a_failing_run_quotes_no_text(
    cut: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If a file is damaged, neither the run's error nor any log line quotes its text."""
    path = write_avro(tmp_path / "a.avro", events(9, text=SECRET), rows_a_block=3)
    path.write_bytes(path.read_bytes()[:-cut])
    pipeline = beam.Pipeline(runner=FnApiRunner())
    _ = pipeline | ReadAvro(str(path))
    with caplog.at_level(logging.DEBUG), pytest.raises(Exception, match="damaged") as caught:
        pipeline.run().wait_until_finish()
    shown = "".join(traceback.format_exception(caught.value))
    assert not betrays_secret(caplog.text, shown, *chain_of(caught.value))


def test_read_files_reads_each_pattern_by_its_ending(tmp_path: Path) -> None:
    """Patterns for Avro and JSON Lines files can be read together."""
    write_avro(tmp_path / "a.avro", events(2))
    (tmp_path / "b.jsonl").write_bytes(LINE)
    patterns = [str(tmp_path / name) for name in ("*.avro", "*.jsonl")]
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        sizes = pipeline | ReadFiles(patterns) | beam.Map(lambda c: (c.source, len(c.rows)))
        assert_that(sizes, equal_to([("a.avro", 2), ("b.jsonl", 1)]))


@pytest.mark.parametrize("name", ["missing.avro", "missing.jsonl", "missing.jsonl.gz", "a.csv"])
def test_read_files_refuses_missing_files_and_unknown_endings(name: str, tmp_path: Path) -> None:
    """If a pattern cannot be read, construction fails with an error that names the pattern."""
    with pytest.raises(InputError, match=re.escape(name)):
        ReadFiles([str(tmp_path / name)])
