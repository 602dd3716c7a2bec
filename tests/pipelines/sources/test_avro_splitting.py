"""However an Avro file is split, each record is read exactly once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
from apache_beam.io.source_test_utils import (
    assert_reentrant_reads_succeed,
    assert_sources_equal_reference_source,
    assert_split_at_fraction_exhaustive,
    read_from_source,
)

from pipelines.sources.chunks import ROWS_A_CHUNK
from pipelines.sources.files import AvroSource
from tests.builders import MONDAY_US
from tests.pipelines.sources.reading import events, header_bytes, read_avro, rows_of
from tests.schemas.payloads import event_ids, schema_with, write_avro


@pytest.mark.parametrize("bundle_bytes", [1, 17, 100, 333, 1_000, 4_096, 1 << 30])
@pytest.mark.parametrize("codec", ["null", "snappy"])
def test_every_split_reads_each_record_once(codec: str, bundle_bytes: int, tmp_path: Path) -> None:
    """However small the bundles are, each event is in exactly one of them."""
    path = write_avro(tmp_path / "a.avro", events(60), rows_a_block=4, codec=codec)
    found: list[Any] = []
    for bundle in AvroSource(str(path)).split(bundle_bytes):
        at = (bundle.source, bundle.start_position, bundle.stop_position)
        found += rows_of(read_from_source(*at))
    assert event_ids(found) == sorted(f"e{i}" for i in range(60))


def test_every_pair_of_ranges_reads_each_record_once(tmp_path: Path) -> None:
    """If a file is split at any byte, even in a marker or the header, each event is read once."""
    path = write_avro(tmp_path / "a.avro", events(9), rows_a_block=3)
    size = path.stat().st_size
    source = AvroSource(str(path))
    single = next(iter(source.split(size))).source
    for middle in range(header_bytes(path.read_bytes()) - 40, size):
        halves = read_from_source(single, 0, middle) + read_from_source(single, middle, size)
        assert event_ids(rows_of(halves)) == [f"e{i}" for i in range(9)], middle


@pytest.fixture(name="full_blocks", scope="module")
def _full_blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns an archive in which every block becomes its own chunk, however it is split."""
    path = tmp_path_factory.mktemp("blocks") / "a.avro"
    rows = [{"event_id": f"e{i}", **_TINY} for i in range(3 * ROWS_A_CHUNK)]
    schema = schema_with(
        **dict.fromkeys(
            ("user_id", "platform", "plan", "country", "language", "model", "message_index",
             "schema_version", "published_at_us")
        )
    )  # fmt: skip
    return write_avro(path, rows, schema, rows_a_block=ROWS_A_CHUNK)


_TINY: Final = {"conversation_id": "c", "role": "HUMAN", "text": "", "sent_at_us": MONDAY_US}


def test_split_sources_equal_the_whole(full_blocks: Path) -> None:
    """Beam's own check: the bundles of a split together equal the unsplit source, on every read."""
    source = AvroSource(str(full_blocks))
    bundles = [(b.source, b.start_position, b.stop_position) for b in source.split(10_000)]
    assert len(bundles) > 1
    assert_sources_equal_reference_source((source, None, None), bundles)
    assert_reentrant_reads_succeed((source, None, None))


def test_a_source_that_is_split_while_it_is_read_loses_nothing(full_blocks: Path) -> None:
    """Beam's exhaustive check of dynamic splitting, at every fraction after every chunk."""
    source = next(iter(AvroSource(str(full_blocks)).split(1 << 40))).source
    assert_split_at_fraction_exhaustive(source, perform_multi_threaded_test=False)


def test_a_source_that_is_split_within_a_block_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block that gives several chunks is not divided: a split takes effect after the block."""
    monkeypatch.setattr("pipelines.sources.avro_blocks._MAX_ROWS_A_CHUNK", 256)
    path = write_avro(tmp_path / "a.avro", events(1536), rows_a_block=512)
    assert [len(chunk.rows) for chunk in read_avro(path)] == [256] * 6
    source = next(iter(AvroSource(str(path)).split(1 << 40))).source
    assert_split_at_fraction_exhaustive(source, perform_multi_threaded_test=False)


@pytest.mark.parametrize("last_bytes", [1, 5, 15])
def test_a_range_without_a_marker_can_report_its_progress(last_bytes: int, tmp_path: Path) -> None:
    """The last bundle of a truncated file is empty, and can still report its remaining work."""
    path = write_avro(tmp_path / "a.avro", events(3))
    size = path.stat().st_size
    source = next(iter(AvroSource(str(path)).split(1 << 40))).source
    path.write_bytes(path.read_bytes()[:-1])
    tracker = source.get_range_tracker(size - last_bytes, size)
    assert list(source.read(tracker)) == []
    assert tracker.split_points()[0] == 0
