"""Shows that a new breakdown needs only a schema field and an entry in the list of breakdowns."""

from __future__ import annotations

import json

import pytest

from tests.examples.checkout import MAX_NOISE, RUN_FLAGS, Checkout

pytestmark = pytest.mark.timeout(600)

FIELD = "  // Where the service runs.\n  string region = 14;\n}\n"
ENTRY = '    Breakdown(7, "region", "Region", "Where the service runs.", Kind.NAME),\n'
LAST_ENTRY = '    Breakdown(6, "length",'


def event(number: int, region: str | None) -> str:
    """Returns one event as a line of JSON."""
    said = {
        "event_id": f"e{number}",
        "conversation_id": f"c{number}",
        "user_id": f"u{number}",
        "role": "HUMAN",
        "text": "hello",
        "sent_at_us": 1_767_600_000_000_000 + number * 1_000_000,
    }
    return json.dumps(said | ({"region": region} if region else {}))


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Copies the sources, adds a breakdown, and runs the job over 60 conversations."""
    checkout = Checkout.copied_to(tmp_path_factory.mktemp("breakdown"))
    proto = "schemas/conversation_event.proto"
    text = (checkout.folder / proto).read_text().rstrip()
    (checkout.folder / proto).write_text(text.removesuffix("}") + FIELD)
    checkout.edit("schemas/breakdowns.py", LAST_ENTRY, ENTRY + LAST_ENTRY)
    checkout.generate()
    regions = ["north"] * 20 + ["south"] * 20 + [None] * 20
    lines = "\n".join(event(n, region) for n, region in enumerate(regions))
    (checkout.folder / "events.jsonl").write_text(lines + "\n")
    checkout.undertone("run", "--input=events.jsonl", "--output=run", *RUN_FLAGS)
    return checkout


def test_it_is_counted(extended: Checkout) -> None:
    """There is a total for each value of the breakdown, and one for events without any."""
    totals = extended.query(
        "run",
        "SELECT breakdown_value, conversations FROM totals WHERE breakdown = 'region' "
        "AND window_kind = 'range' ORDER BY 1",
    )
    assert [value for value, _ in totals] == ["north", "south", "unknown"]
    assert all(abs(conversations - 20) <= MAX_NOISE for _, conversations in totals)


def test_it_is_read_from_every_encoding(extended: Checkout) -> None:
    """The generated Avro schema and protobuf code have the field of the breakdown."""
    schema = json.loads((extended.folder / "schemas" / "conversation_event.avsc").read_text())
    assert "region" in {field["name"] for field in schema["fields"]}
    assert "region" in (extended.folder / "schemas" / "conversation_event_pb2.pyi").read_text()


def test_it_is_documented_and_reported(extended: Checkout) -> None:
    """The catalogue explains the breakdown, and the report has a table of all values of it."""
    catalogue = (extended.folder / "docs" / "tables.md").read_text()
    assert "| `region` | Where the service runs. |" in catalogue
    report = (extended.folder / "run" / "report.html").read_text()
    assert "Region" in report
    assert "north" in report
