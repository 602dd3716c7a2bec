"""Publishing an archive: the messages that are sent, their order and their pace."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from pipelines.commands.main import main
from pipelines.operations.replay import Outgoing, ReplayOptions, _Pace, _repeated, replay
from schemas.records import Encoding
from schemas.wire.event import read_event
from tests.builders import MONDAY_US, SECOND_US, avro_event
from tests.pipelines.operations.pubsub_server import TOPIC, Clock, PubSub, archive, ids
from tests.schemas.payloads import (
    ENVELOPE_SCHEMA,
    LIMITS,
    encoded,
    envelope,
    json_event,
    write_avro,
)

# Tests of the messages that are sent.


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [("protobuf", "application/protobuf"), ("json", "application/json")],
)
def test_a_row_of_an_archive_is_sent_as_asked(
    encoding: str, content_type: str, tmp_path: Path, pubsub: PubSub
) -> None:
    """An event is sent in the requested encoding.

    Its attributes give the content type, the event time and the first publish time.
    """
    row = avro_event(sent_at_us=MONDAY_US + 1_999, published_at_us=MONDAY_US + 2_500)
    path = write_avro(tmp_path / "a.avro", [row])
    assert replay([str(path)], TOPIC, ReplayOptions(encoding)) == 1
    ((data, attributes),) = pubsub.sent()
    assert attributes == {
        "content-type": content_type,
        "sent-at-ms": str(MONDAY_US // 1000 + 1),
        "original-publish-time": str(MONDAY_US + 2_500),
    }
    read = read_event(Encoding(encoding), data, None, LIMITS)
    assert read == read_event(Encoding.AVRO, row, None, LIMITS)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_lines_of_json_are_sent_as_they_are(name: str, tmp_path: Path, pubsub: PubSub) -> None:
    """Every line that is not blank is sent without its line end, even if it is not an event."""
    line = json_event(published_at_us=MONDAY_US + 5)
    content = line + b"\r\n\n" + b'{"text": \n' + b"\xff\n" + json_event(sent_at_us=None)
    pack = gzip.compress if name.endswith(".gz") else bytes
    (tmp_path / name).write_bytes(pack(content))
    assert replay([str(tmp_path / name)], TOPIC) == 4
    json_type = {"content-type": "application/json"}
    times = {"sent-at-ms": str(MONDAY_US // 1000), "original-publish-time": str(MONDAY_US + 5)}
    assert pubsub.sent() == [
        (line, json_type | times),
        (b'{"text": ', json_type),
        (b"\xff", json_type),
        (json_event(sent_at_us=None), json_type),
    ]


def test_an_archived_message_is_sent_as_it_is(tmp_path: Path, pubsub: PubSub) -> None:
    """An archived message keeps its data and attributes.

    If the attribute for event time or first publish time is missing, that attribute is added.
    """
    protobuf = encoded(Encoding.PROTOBUF)
    rows = [envelope(protobuf, None, MONDAY_US + 9), envelope(b"<x/>", "text/xml")]
    own = {"sent-at-ms": "1", "original-publish-time": "2", "topic": "t", "retry": ""}
    rows.append(envelope(protobuf, None) | {"attributes": own})
    wrong = [{"original-publish-time": said} for said in ("2 o'clock", str(MONDAY_US + 1))]
    rows += [envelope(b"", None) | {"attributes": attributes} for attributes in wrong]
    path = write_avro(tmp_path / "a.avro", rows, ENVELOPE_SCHEMA)
    assert replay([str(path)], TOPIC) == 5
    published = {"original-publish-time": str(MONDAY_US)}
    times = {
        "sent-at-ms": str(MONDAY_US // 1000),
        "original-publish-time": str(MONDAY_US + 9),
    }
    assert pubsub.sent() == [
        (protobuf, times),
        (b"<x/>", {"content-type": "text/xml"} | published),
        (protobuf, own),
        (b"", published),
        (b"", published),
    ]


def test_an_event_without_a_time_has_no_attributes_of_time(tmp_path: Path, pubsub: PubSub) -> None:
    """An event's time of sending replaces a missing publish time.

    If both are missing, no time is added.
    """
    row = avro_event(event_id="", sent_at_us=0)
    replay([str(write_avro(tmp_path / "a.avro", [row]))], TOPIC)
    (tmp_path / "b.jsonl").write_bytes(json_event(sent_at_us=None))
    replay([str(tmp_path / "b.jsonl")], TOPIC)
    assert [sorted(attributes) for _, attributes in pubsub.sent()] == [
        ["content-type", "original-publish-time", "sent-at-ms"],
        ["content-type"],
    ]


def test_mixed_encodings_are_drawn_by_the_seed(tmp_path: Path, pubsub: PubSub) -> None:
    """Each event gets one of the two encodings with equal chance; the seed decides which."""
    path = str(archive(tmp_path / "a.avro", 200))
    for seed in (1, 1, 2):
        replay([path], TOPIC, ReplayOptions("mixed", seed=seed))
    drawn = [attributes["content-type"] for _, attributes in pubsub.sent()]
    assert drawn[:200] == drawn[200:400] != drawn[400:]
    assert min(Counter(drawn[:200]).values()) > 50


# Tests of their order.


def test_events_come_in_the_order_of_the_archive(tmp_path: Path, pubsub: PubSub) -> None:
    """Patterns are read in the given order, and the files of a pattern in the order of their names.

    Records keep the order of their file.
    """
    for name, first in (("b", 0), ("c", 1200), ("a", 2400)):
        rows = [avro_event(event_id=f"e{first + i}") for i in range(1200)]
        write_avro(tmp_path / f"{name}.avro", rows, rows_a_block=500)
    patterns = [str(tmp_path / "[bc].avro"), str(tmp_path / "a.avro")]
    assert replay(patterns, TOPIC) == 3600
    assert ids(pubsub) == [f"e{i}" for i in range(3600)]
    assert [len(request) for request in pubsub.requests] == [1000, 1000, 1000, 600]


def test_requests_are_bounded_in_bytes(tmp_path: Path, pubsub: PubSub) -> None:
    """A request has only a few large events; an event larger than a request is sent alone."""
    rows = [avro_event(text="x" * size) for size in (600_000, 600_000, 3_000_000, 9, 9)]
    replay([str(write_avro(tmp_path / "a.avro", rows))], TOPIC)
    assert [len(request) for request in pubsub.requests] == [1, 1, 1, 2]


def test_a_file_of_no_events_publishes_none(tmp_path: Path, pubsub: PubSub) -> None:
    """Files without events cause neither an error nor a request."""
    (tmp_path / "b.jsonl").touch()
    (tmp_path / "c.jsonl.gz").touch()
    write_avro(tmp_path / "a.avro", [])
    patterns = [str(tmp_path / name) for name in ("*.avro", "*.jsonl", "*.jsonl.gz")]
    assert replay(patterns, TOPIC) == 0
    assert not pubsub.requests


@pytest.mark.parametrize(("share", "copies"), [(0.0, 1), (1.0, 2)])
def test_repeated_messages_follow_their_first(
    share: float, copies: int, tmp_path: Path, pubsub: PubSub
) -> None:
    """The given share of messages is sent twice, and the first copies keep their order."""
    path = archive(tmp_path / "a.avro", 50)
    assert replay([str(path)], TOPIC, ReplayOptions(repeat_share=share)) == 50 * copies
    came = ids(pubsub)
    assert Counter(came) == {f"e{i}": copies for i in range(50)}
    assert list(dict.fromkeys(came)) == [f"e{i}" for i in range(50)]


def test_a_share_of_messages_is_repeated_soon() -> None:
    """A tenth of the messages is soon repeated; the seed decides which messages."""
    messages = [Outgoing(i, None) for i in range(5000)]
    once, again = (
        [each.message for each in _repeated(messages, ReplayOptions(repeat_share=0.1, seed=3))]
        for _ in range(2)
    )
    assert once == again
    assert 400 < len(once) - 5000 < 600
    last = {number: place for place, number in enumerate(once)}
    first = {number: place for place, number in reversed(list(enumerate(once)))}
    assert 0 < max(last[number] - first[number] for number in last) <= 1200


# Tests of their pace.


def at_pace(instants: list[int | None], **pace: float) -> list[float]:
    """Returns when messages with these instants are sent, in seconds from the start."""
    clock = Clock()
    left = []
    by = _Pace(pace.get("rate"), pace.get("speed_up"))
    for instant in instants:
        due_s = by.due_s(instant, clock())
        if due_s > clock():
            clock.sleep(max(due_s - clock(), 0.02))
        left.append(clock() - 100.0)
    return left


@pytest.mark.parametrize("rate", [1, 10, 2000, 50_000])
def test_no_second_has_more_messages_than_the_rate(rate: int) -> None:
    """The rate is reached, and no second exceeds it by more than a burst of 50 ms."""
    left = at_pace([None] * 5000, rate=rate)
    spans = [after - before for before, after in zip(left, left[rate:], strict=False)]
    assert all(span >= 0.949 for span in spans)
    assert left[-1] == pytest.approx(4999 / rate, rel=0.01, abs=0.03)


def test_a_stall_is_not_made_up_for() -> None:
    """After the reader or the server stalls, messages are sent at the rate and no faster."""
    pace = _Pace(rate=100, speed_up=None)
    pace.due_s(None, 0.0)
    assert sum(pace.due_s(None, 60.0) <= 60.0 for _ in range(1000)) <= 7


def test_messages_are_spaced_as_they_were() -> None:
    """At sixty times the speed, an hour between two messages becomes a minute.

    A message with an earlier time than the one before it does not wait.
    """
    hour_us = 3600 * SECOND_US
    instants = [MONDAY_US, MONDAY_US + hour_us, MONDAY_US + 5, None, MONDAY_US + 2 * hour_us]
    assert at_pace(instants, speed_up=60) == pytest.approx([0, 60, 60, 60, 120])


def test_pauses_send_what_is_there_first(tmp_path: Path, pubsub: PubSub) -> None:
    """A message that is due now does not wait in a request for a message that is due later."""
    clock = Clock()
    path = archive(tmp_path / "a.avro", 3)
    publishing = ReplayOptions(speed_up=0.5)
    assert replay([str(path)], TOPIC, publishing, clock=clock, sleep=clock.sleep) == 3
    assert clock.slept == pytest.approx([2, 2])
    assert [len(request) for request in pubsub.requests] == [1, 1, 1]


def test_pauses_are_fewer_than_messages(tmp_path: Path, pubsub: PubSub) -> None:
    """At a high rate there are about fifty pauses per second, not one per message."""
    clock = Clock()
    path = archive(tmp_path / "a.avro", 1000)
    replay([str(path)], TOPIC, ReplayOptions(rate=2000), clock=clock, sleep=clock.sleep)
    assert clock.now_s == pytest.approx(100.5, abs=0.03)
    assert len(clock.slept) <= 26
    assert len(pubsub.requests) <= 27


def test_impossible_instants_cause_no_pause(tmp_path: Path, pubsub: PubSub) -> None:
    """Neither a broken event time nor one in the future makes publishing wait for years."""
    clock = Clock()
    year_us = 365 * 86_400 * SECOND_US
    rows = [
        avro_event(sent_at_us=1, published_at_us=None),
        avro_event(sent_at_us=MONDAY_US - year_us, published_at_us=MONDAY_US),
        avro_event(sent_at_us=2**62, published_at_us=None),
        avro_event(sent_at_us=MONDAY_US + year_us, published_at_us=MONDAY_US + SECOND_US),
    ]
    path = write_avro(tmp_path / "a.avro", rows)
    replay([str(path)], TOPIC, ReplayOptions(speed_up=1), clock=clock, sleep=clock.sleep)
    assert clock.slept == pytest.approx([1])
    assert len(pubsub.sent()) == 4


def test_the_command_says_how_many(
    tmp_path: Path, pubsub: PubSub, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command publishes, and prints the number of messages and the topic."""
    (tmp_path / "b.jsonl").write_bytes(json_event())
    path = archive(tmp_path / "a.avro", 3)
    flags = [f"--input={path}", f"--input={tmp_path / 'b.jsonl'}", f"--topic={TOPIC}"]
    assert main(["replay", *flags, "--repeat_share=1", "--encoding=json", "--rate=1000"]) == 0
    assert capsys.readouterr().err == f"undertone: 8 messages published to {TOPIC}\n"
    assert len(pubsub.sent()) == 8
