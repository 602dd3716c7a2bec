"""Shows that a new facet needs only one new module; everything else is generated."""

from __future__ import annotations

import json

import pytest

from tests.examples.checkout import MAX_NOISE, RUN_FLAGS, Checkout

pytestmark = pytest.mark.timeout(600)

MODULE = '''
"""Conversations in which the assistant never answered."""

from transforms.facets.facet import Correction, Facet, ShareOf

FACET = Facet(
    id=900,
    name="answered",
    values=("never", "at least once"),
    members=lambda traits: ("at least once" if traits.assistant_messages else "never",),
    share_of=ShareOf.ALL,
    correction=Correction.COUNTED,
    definition="Whether the assistant ever answered.",
    label="Answers",
    is_partition=True,
)
'''


def event(number: int, role: str) -> str:
    """Returns one event as a line of JSON."""
    return json.dumps(
        {
            "event_id": f"{number}-{role}",
            "conversation_id": f"c{number}",
            "user_id": f"u{number}",
            "role": role,
            "text": "hello",
            "sent_at_us": 1_767_600_000_000_000 + number * 1_000_000,
        }
    )


def events(conversations: int, answered: int) -> str:
    """Returns JSON Lines: a human message for each conversation, and answers to the first few."""
    human = [event(number, "HUMAN") for number in range(conversations)]
    assistant = [event(number, "ASSISTANT") for number in range(answered)]
    return "\n".join(human + assistant) + "\n"


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Copies the sources, adds a facet, and runs the job.

    The job reads 50 conversations, of which 30 have answers.
    """
    checkout = Checkout.copied_to(tmp_path_factory.mktemp("facet"))
    (checkout.folder / "transforms" / "facets" / "answered.py").write_text(MODULE)
    checkout.generate()
    (checkout.folder / "events.jsonl").write_text(events(50, answered=30))
    checkout.undertone("run", "--input=events.jsonl", "--output=run", *RUN_FLAGS)
    return checkout


def test_it_is_counted_and_has_shares(extended: Checkout) -> None:
    """The published tables have the facet's values, as shares of all conversations."""
    shares = extended.query(
        "run",
        "SELECT facet_value, conversations, raw, method FROM figures_current "
        "WHERE facet = 'answered' AND breakdown = 'overall' AND window_kind = 'range' ORDER BY 1",
    )
    assert [(value, method) for value, _, _, method in shares] == [
        ("at least once", "counted"),
        ("never", "counted"),
    ]
    for (_, conversations, share, _), true in zip(shares, (30, 20), strict=True):
        assert abs(conversations - true) <= MAX_NOISE
        assert share == pytest.approx(true / 50, abs=0.15)


def test_it_is_protected(extended: Checkout) -> None:
    """A value with too few users is not published; the other one is."""
    (extended.folder / "few.jsonl").write_text(events(50, answered=45))
    extended.undertone("run", "--input=few.jsonl", "--output=few", *RUN_FLAGS)
    shown = extended.query(
        "few", "SELECT DISTINCT facet_value FROM aggregates_current WHERE facet = 'answered'"
    )
    assert shown == [("at least once",)]


def test_it_is_documented_and_reported(extended: Checkout) -> None:
    """The catalogue and the view `facets` explain the facet, and the report shows it."""
    catalogue = (extended.folder / "docs" / "tables.md").read_text()
    assert "| `answered` | Whether the assistant ever answered. |" in catalogue
    view = (extended.folder / "schemas" / "views" / "facets.sql").read_text()
    assert "'answered' AS facet" in view
    report = (extended.folder / "run" / "report.html").read_text()
    assert '<h2 id="h-facet-answered">Answers</h2>' in report
    assert "At least once" in report
