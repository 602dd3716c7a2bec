"""Imports of files with one conversation per line."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pipelines.importers import detect, import_events, synthesised_fields
from schemas.failures import InputError

START = datetime(2026, 1, 1, tzinfo=UTC)
START_US = 1_767_225_600_000_000
DAY_US = 86_400_000_000


def chat(id_: str | None = None, *texts: str, **other: Any) -> dict[str, Any]:
    """Returns a conversation with alternating turns; the human speaks first."""
    turns = [
        {"role": "assistant" if index % 2 else "human", "text": text}
        for index, text in enumerate(texts or ("hi", "hello"))
    ]
    return {"id": id_, "turns": turns, "source": "arena", **other}


def imported(tmp_path: Path, *lines: Any, **arguments: Any) -> list[dict[str, Any]]:
    """Writes the lines (objects as JSON) and imports them."""
    path = tmp_path / "chats.jsonl"
    path.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines), "utf-8")
    return list(import_events(path, "chats", **{"start": START, **arguments}))


def test_a_line_becomes_a_conversation(tmp_path: Path) -> None:
    """Turns become events in order, with `source` as platform and `lang` as language if present."""
    first, second = imported(tmp_path, chat("a", "hi", "", lang="en", label="x"))
    assert (first["role"], second["role"]) == ("HUMAN", "ASSISTANT")
    assert (first["text"], second["text"]) == ("hi", "")
    assert (first["platform"], first["language"], second["message_index"]) == ("arena", "en", 1)
    assert imported(tmp_path, chat("a"))[0]["language"] is None


def test_other_names_of_roles_are_understood(tmp_path: Path) -> None:
    """The role `user` means human; system turns keep their role."""
    turns = [{"role": role, "text": "x"} for role in ("system", "user", "assistant")]
    events = imported(tmp_path, {"id": 7, "turns": turns})
    assert [event["role"] for event in events] == ["SYSTEM", "HUMAN", "ASSISTANT"]
    assert {event["conversation_id"] for event in events} == {"7"}


def test_every_line_is_a_separate_conversation(tmp_path: Path) -> None:
    """If a conversation's id is repeated or missing, the line number makes it unique."""
    events = imported(tmp_path, chat("a"), "", chat("a"), chat())
    ids = list(dict.fromkeys(event["conversation_id"] for event in events))
    assert ids == ["a", "a:line3", "line4"]
    assert len({event["event_id"] for event in events}) == len(events)


def test_long_ids_are_hashed(tmp_path: Path) -> None:
    """An id that is too long is hashed, so that its event is accepted."""
    events = imported(tmp_path, chat("x" * 300), chat("x" * 300), chat("x" * 300 + "y"))
    assert len({event["conversation_id"] for event in events}) == 3
    assert max(len(event["event_id"]) for event in events) <= 256


def test_times_are_made_up_within_the_days(tmp_path: Path) -> None:
    """Conversations start within the given days, and pauses are far shorter than the gap."""
    events = imported(tmp_path, *[chat(str(n), *"abcdefgh") for n in range(300)], days=3)
    starts = [event["sent_at_us"] for event in events if event["message_index"] == 0]
    assert min(starts) >= START_US
    assert max(starts) < START_US + 3 * DAY_US
    assert {(start - START_US) // DAY_US for start in starts} == {0, 1, 2}
    pauses = [b["sent_at_us"] - a["sent_at_us"] for a, b in pairwise(events) if b["message_index"]]
    assert min(pauses) > 0
    assert max(pauses) <= DAY_US // 3


def test_made_up_values_depend_on_the_seed_alone(tmp_path: Path) -> None:
    """The same seed gives the same made-up times and users."""
    lines = [chat(str(n)) for n in range(20)]
    assert imported(tmp_path, *lines, seed=1) == imported(tmp_path, *lines, seed=1)
    assert imported(tmp_path, *lines, seed=1) != imported(tmp_path, *lines, seed=2)


def test_users_are_made_up_skewed_and_marked(tmp_path: Path) -> None:
    """Most made-up users have one or two conversations, and a few have many.

    The ids of these users are marked as synthetic.
    """
    lines = [chat(str(n), "hi") for n in range(2_000)]
    users = Counter(e["user_id"] for e in imported(tmp_path, *lines, users_per_conversation=0.5))
    assert all(user.startswith("synthetic-") for user in users)
    assert len(users) == pytest.approx(1_000, abs=80)
    assert sum(1 for n in users.values() if n <= 2) > 0.7 * len(users)
    assert max(users.values()) >= 10
    assert synthesised_fields(tmp_path / "chats.jsonl") == ("sent_at_us", "user_id")


def test_half_an_emoji_does_not_stop_the_import(tmp_path: Path) -> None:
    """A lone surrogate in a text becomes a question mark."""
    (event,) = imported(tmp_path, '{"turns": [{"role": "human", "text": "oh \\ud83d"}]}')
    assert event["text"] == "oh ?"


def test_gzip_is_recognised_by_content(tmp_path: Path) -> None:
    """A gzipped file is read whatever its name is."""
    path = tmp_path / "chats"
    path.write_bytes(gzip.compress(json.dumps(chat("a")).encode()))
    assert detect(path) == "chats"
    assert len(list(import_events(path, start=START))) == 2
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="broken gzip"):
        list(import_events(path, "chats", start=START))


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "secret"}',
        '{"turns": [{"role": "human"',
        '{"turns": "secret"}',
        '{"turns": [{"role": "secret", "text": "secret"}]}',
        '{"turns": [{"role": "human", "text": null}]}',
        '["secret"]',
    ],
)
def test_a_line_of_another_shape_is_named(tmp_path: Path, line: str) -> None:
    """If a line has an unexpected structure, the error gives its number and quotes nothing."""
    with pytest.raises(InputError, match="Line 2 of ") as error:
        imported(tmp_path, chat("a"), line)
    assert "secret" not in str(error.value)


def test_arguments_out_of_range_are_input_errors(tmp_path: Path) -> None:
    """Values from the command line that are out of range are input errors."""
    for wrong in ({"days": 0}, {"users_per_conversation": 0}, {"start": datetime(2026, 1, 1)}):
        with pytest.raises(InputError, match="must"):
            imported(tmp_path, chat("a"), **wrong)
    assert imported(tmp_path, chat("a"), start=START + timedelta(days=1))
