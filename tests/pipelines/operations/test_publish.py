"""Publishing an archive: what is sent, in which order and at which pace, and how it is read."""

from __future__ import annotations

import datetime as dt
import gzip
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
import grpc  # type: ignore[import-untyped]
import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.metrics import MetricsFilter
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from google.pubsub_v1.types import PublishRequest, PublishResponse

from pipelines.commands.main import main
from pipelines.operations.publish import _RETRY, Outgoing, Publishing, _Pace, _repeated, publish
from pipelines.sources.pubsub import chunks_of_messages
from schemas.failures import InputError
from schemas.records import Encoding, Message
from schemas.wire.event import read_event
from tests.builders import HOUR_US, MONDAY_US, SECOND_US, avro_event
from tests.pipelines.sources.reading import read_avro
from tests.schemas.payloads import (
    ENVELOPE_SCHEMA,
    LATENESS_US,
    LIMITS,
    SECRET,
    betrays_secret,
    chain_of,
    encoded,
    envelope,
    json_event,
    write_avro,
)
from transforms.conversation.messages import decode_chunk

TOPIC: Final = "projects/my-project/topics/events"
LATER_US: Final = MONDAY_US + 2 * LATENESS_US
"""When an event of Monday is published again: too late."""


class PubSub:
    """A Pub/Sub server that takes what is published; `refusals` are the answers before it does."""

    def __init__(self) -> None:
        self.requests: list[list[Any]] = []
        self.refusals: list[grpc.StatusCode] = []
        self._server = grpc.server(ThreadPoolExecutor(1))
        method = grpc.unary_unary_rpc_method_handler(
            self._publish, PublishRequest.deserialize, PublishResponse.serialize
        )
        service = grpc.method_handlers_generic_handler(
            "google.pubsub.v1.Publisher", {"Publish": method}
        )
        self._server.add_generic_rpc_handlers((service,))
        self.host = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def _publish(self, request: PublishRequest, context: Any) -> PublishResponse:
        assert request.topic == TOPIC
        if self.refusals:
            context.abort(self.refusals.pop(0), SECRET if self.refusals else "too bad")
        self.requests.append(list(request.messages))
        return PublishResponse(message_ids=map(str, range(len(request.messages))))

    def sent(self) -> list[tuple[bytes, dict[str, str]]]:
        """Returns data and attributes of what came, in its order."""
        return [(m.data, dict(m.attributes)) for request in self.requests for m in request]

    def stop(self) -> None:
        """Ends the server."""
        self._server.stop(1).wait()


@pytest.fixture
def pubsub(monkeypatch: pytest.MonkeyPatch) -> Iterator[PubSub]:
    """Serves Pub/Sub on a free port, where the client library takes it for the emulator."""
    server = PubSub()
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.host)
    yield server
    server.stop()


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Moves the clock on."""
        self.slept.append(seconds)
        self.now_s += seconds


def archive(path: Path, events: int, **fields: Any) -> Path:
    """Writes an archive of events a second apart."""
    rows = [
        avro_event(event_id=f"e{i}", sent_at_us=MONDAY_US + i * SECOND_US, **fields)
        for i in range(events)
    ]
    return write_avro(path, rows)


def ids(pubsub: PubSub) -> list[str]:
    """Returns the event ids of what came, in its order; all protobuf."""
    read = [read_event(Encoding.PROTOBUF, data, None, LIMITS) for data, _ in pubsub.sent()]
    return [each.event_id for each in read if isinstance(each, Message)]


# What is read again.


def republished(original: str | None, at_us: int | None = LATER_US) -> PubsubMessage:
    """Builds a message of a subscription, published at `at_us` and perhaps before."""
    attributes = {} if original is None else {"original-publish-time": original}
    published_at = None
    if at_us is not None:
        published_at = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=at_us)
    return PubsubMessage(encoded(Encoding.PROTOBUF), attributes, publish_time=published_at)


_ORIGINALS: Final = pytest.mark.parametrize(
    ("original", "published_at_us"),
    [
        (str(MONDAY_US), MONDAY_US), ("0", 0), ("-1", -1), (str(LATER_US), LATER_US),
        (str(LATER_US + 1), LATER_US), (str(2**63 - 1), LATER_US),
        (None, LATER_US), ("", LATER_US), ("yesterday", LATER_US), (str(2**63), LATER_US),
        ("2025-06-02T00:00:00Z", LATER_US), ("1e15", LATER_US), ("-", LATER_US),
    ],
)  # fmt: skip


@_ORIGINALS
def test_a_message_is_as_old_as_its_first_publication(
    original: str | None, published_at_us: int
) -> None:
    """The attribute moves the publish time back, never forward, and nonsense is ignored."""
    chunk = next(chunks_of_messages([republished(original)], "s"))
    assert chunk.published_at_us == [published_at_us]


@_ORIGINALS
def test_an_archived_message_is_as_old_as_its_first_publication(
    original: str | None, published_at_us: int, tmp_path: Path
) -> None:
    """In an archive of Pub/Sub messages the attribute counts just as much."""
    row = envelope(b"", None, LATER_US)
    row["attributes"] = {} if original is None else {"original-publish-time": original}
    chunks = read_avro(write_avro(tmp_path / "a.avro", [row], ENVELOPE_SCHEMA))
    assert chunks[0].published_at_us == [published_at_us]


def test_the_attribute_counts_where_a_source_gives_no_publish_time() -> None:
    """A runner that hands over no publish time still hands over attributes."""
    assert next(chunks_of_messages([republished("7", None)], "s")).published_at_us == [7]


def test_attributes_of_a_time_to_come_are_counted() -> None:
    """A metric tells how many messages name an original publish time after their own."""
    ahead_us = (LATER_US - 1, LATER_US, LATER_US + 1, LATER_US + HOUR_US)
    messages = [republished(str(at_us)) for at_us in ahead_us] + [republished(None)]
    pipeline = beam.Pipeline(runner=FnApiRunner())
    _ = (
        pipeline
        | beam.Create([messages])
        | beam.FlatMap(lambda each: list(chunks_of_messages(each, "s")))
    )
    result = pipeline.run()
    result.wait_until_finish()
    counters = result.metrics().query(MetricsFilter().with_namespace("read"))["counters"]
    assert [(c.key.metric.name, c.committed) for c in counters] == [
        ("original_publish_time_ahead", 2)
    ]


def test_an_event_published_again_is_not_late() -> None:
    """An event in time when it was first published is counted when it comes again."""
    chunks = chunks_of_messages([republished(str(MONDAY_US)), republished(None)], "s")
    messages, letters, _ = decode_chunk(next(chunks), LIMITS)
    assert (len(messages), [letter.reason for letter in letters]) == (1, ["late"])


# What is sent.


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [("protobuf", "application/protobuf"), ("json", "application/json")],
)
def test_a_row_of_an_archive(
    encoding: str, content_type: str, tmp_path: Path, pubsub: PubSub
) -> None:
    """An event is sent in the encoding asked for, with content type, event and publish time."""
    row = avro_event(sent_at_us=MONDAY_US + 1_999, published_at_us=MONDAY_US + 2_500)
    path = write_avro(tmp_path / "a.avro", [row])
    assert publish([str(path)], TOPIC, Publishing(encoding)) == 1
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
    """A line is sent without its end, be it an event or not; blank lines are none."""
    line = json_event(published_at_us=MONDAY_US + 5)
    content = line + b"\r\n\n" + b'{"text": \n' + b"\xff\n" + json_event(sent_at_us=None)
    pack = gzip.compress if name.endswith(".gz") else bytes
    (tmp_path / name).write_bytes(pack(content))
    assert publish([str(tmp_path / name)], TOPIC) == 4
    json_type = {"content-type": "application/json"}
    times = {"sent-at-ms": str(MONDAY_US // 1000), "original-publish-time": str(MONDAY_US + 5)}
    assert pubsub.sent() == [
        (line, json_type | times),
        (b'{"text": ', json_type),
        (b"\xff", json_type),
        (json_event(sent_at_us=None), json_type),
    ]


def test_an_archived_message_is_sent_as_it_is(tmp_path: Path, pubsub: PubSub) -> None:
    """Data and attributes stay; what is missing of event and first publish time is added."""
    protobuf = encoded(Encoding.PROTOBUF)
    rows = [envelope(protobuf, None, MONDAY_US + 9), envelope(b"<x/>", "text/xml")]
    own = {"sent-at-ms": "1", "original-publish-time": "2", "topic": "t", "retry": ""}
    rows.append(envelope(protobuf, None) | {"attributes": own})
    wrong = [{"original-publish-time": said} for said in ("2 o'clock", str(MONDAY_US + 1))]
    rows += [envelope(b"", None) | {"attributes": attributes} for attributes in wrong]
    path = write_avro(tmp_path / "a.avro", rows, ENVELOPE_SCHEMA)
    assert publish([str(path)], TOPIC) == 5
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


def test_an_event_without_times_has_no_attributes_of_them(tmp_path: Path, pubsub: PubSub) -> None:
    """An event was published when it was said where nobody knows better; without time none."""
    row = avro_event(event_id="", sent_at_us=0)
    publish([str(write_avro(tmp_path / "a.avro", [row]))], TOPIC)
    (tmp_path / "b.jsonl").write_bytes(json_event(sent_at_us=None))
    publish([str(tmp_path / "b.jsonl")], TOPIC)
    assert [sorted(attributes) for _, attributes in pubsub.sent()] == [
        ["content-type", "original-publish-time", "sent-at-ms"],
        ["content-type"],
    ]


def test_mixed_encodings_are_drawn_by_the_seed(tmp_path: Path, pubsub: PubSub) -> None:
    """About half of the events go in either encoding, the same ones for the same seed."""
    path = str(archive(tmp_path / "a.avro", 200))
    for seed in (1, 1, 2):
        publish([path], TOPIC, Publishing("mixed", seed=seed))
    drawn = [attributes["content-type"] for _, attributes in pubsub.sent()]
    assert drawn[:200] == drawn[200:400] != drawn[400:]
    assert min(Counter(drawn[:200]).values()) > 50


def test_an_attribute_that_is_no_utf8_is_an_input_error(tmp_path: Path, pubsub: PubSub) -> None:
    """A damaged archive of messages ends in a sentence, not in a traceback."""
    row = envelope(b"", None) | {"attributes": {"a": "@@@@"}}
    path = write_avro(tmp_path / "a.avro", [row], ENVELOPE_SCHEMA)
    path.write_bytes(path.read_bytes().replace(b"@@@@", b"a\xff\xc3("))
    with pytest.raises(InputError, match="attribute that is no UTF-8"):
        publish([str(path)], TOPIC)
    assert not pubsub.requests


# In which order.


def test_events_come_in_the_order_of_the_archive(tmp_path: Path, pubsub: PubSub) -> None:
    """Patterns in their order, files by name, records as they stand, over many requests."""
    for name, first in (("b", 0), ("c", 1200), ("a", 2400)):
        rows = [avro_event(event_id=f"e{first + i}") for i in range(1200)]
        write_avro(tmp_path / f"{name}.avro", rows, rows_a_block=500)
    patterns = [str(tmp_path / "[bc].avro"), str(tmp_path / "a.avro")]
    assert publish(patterns, TOPIC) == 3600
    assert ids(pubsub) == [f"e{i}" for i in range(3600)]
    assert [len(request) for request in pubsub.requests] == [1000, 1000, 1000, 600]


def test_requests_are_bounded_in_bytes(tmp_path: Path, pubsub: PubSub) -> None:
    """Large events go few at a time, and one larger than a request goes alone."""
    rows = [avro_event(text="x" * size) for size in (600_000, 600_000, 3_000_000, 9, 9)]
    publish([str(write_avro(tmp_path / "a.avro", rows))], TOPIC)
    assert [len(request) for request in pubsub.requests] == [1, 1, 1, 2]


def test_a_file_of_no_events_publishes_none(tmp_path: Path, pubsub: PubSub) -> None:
    """Empty files are no error, and no request."""
    (tmp_path / "b.jsonl").touch()
    (tmp_path / "c.jsonl.gz").touch()
    write_avro(tmp_path / "a.avro", [])
    patterns = [str(tmp_path / name) for name in ("*.avro", "*.jsonl", "*.jsonl.gz")]
    assert publish(patterns, TOPIC) == 0
    assert not pubsub.requests


@pytest.mark.parametrize(("share", "copies"), [(0.0, 1), (1.0, 2)])
def test_repeated_messages_follow_their_first(
    share: float, copies: int, tmp_path: Path, pubsub: PubSub
) -> None:
    """Of all messages so many come twice, and first copies keep their order."""
    path = archive(tmp_path / "a.avro", 50)
    assert publish([str(path)], TOPIC, Publishing(repeat_share=share)) == 50 * copies
    came = ids(pubsub)
    assert Counter(came) == {f"e{i}": copies for i in range(50)}
    assert list(dict.fromkeys(came)) == [f"e{i}" for i in range(50)]


def test_a_share_of_messages_is_repeated_soon() -> None:
    """A tenth of the messages come again, none much later, the same ones for the same seed."""
    messages = [Outgoing(i, None) for i in range(5000)]
    once, again = (
        [each.message for each in _repeated(messages, Publishing(repeat_share=0.1, seed=3))]
        for _ in range(2)
    )
    assert once == again
    assert 400 < len(once) - 5000 < 600
    last = {number: place for place, number in enumerate(once)}
    first = {number: place for place, number in reversed(list(enumerate(once)))}
    assert 0 < max(last[number] - first[number] for number in last) <= 1200


# At which pace.


def at_pace(instants: list[int | None], **pace: float) -> list[float]:
    """Returns when messages of these instants leave, in seconds from the first's."""
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
    """The rate is kept in every second but for a burst of 50 ms, and is reached."""
    left = at_pace([None] * 5000, rate=rate)
    spans = [after - before for before, after in zip(left, left[rate:], strict=False)]
    assert all(span >= 0.949 for span in spans)
    assert left[-1] == pytest.approx(4999 / rate, rel=0.01, abs=0.03)


def test_a_stall_is_not_made_up_for() -> None:
    """After a pause of the reader or the server messages keep to the rate."""
    pace = _Pace(rate=100, speed_up=None)
    pace.due_s(None, 0.0)
    assert sum(pace.due_s(None, 60.0) <= 60.0 for _ in range(1000)) <= 7


def test_messages_are_spaced_as_they_were() -> None:
    """An hour's gap is a minute at sixty times the speed; what came before does not wait."""
    hour_us = 3600 * SECOND_US
    instants = [MONDAY_US, MONDAY_US + hour_us, MONDAY_US + 5, None, MONDAY_US + 2 * hour_us]
    assert at_pace(instants, speed_up=60) == pytest.approx([0, 60, 60, 60, 120])


def test_pauses_send_what_is_there_first(tmp_path: Path, pubsub: PubSub) -> None:
    """A message does not wait in a request for one that is due later."""
    clock = Clock()
    path = archive(tmp_path / "a.avro", 3)
    publishing = Publishing(speed_up=0.5)
    assert publish([str(path)], TOPIC, publishing, clock=clock, sleep=clock.sleep) == 3
    assert clock.slept == pytest.approx([2, 2])
    assert [len(request) for request in pubsub.requests] == [1, 1, 1]


def test_a_pause_is_worth_some_messages(tmp_path: Path, pubsub: PubSub) -> None:
    """At a high rate it pauses and sends some fifty times a second, not once a message."""
    clock = Clock()
    path = archive(tmp_path / "a.avro", 1000)
    publish([str(path)], TOPIC, Publishing(rate=2000), clock=clock, sleep=clock.sleep)
    assert clock.now_s == pytest.approx(100.5, abs=0.03)
    assert len(clock.slept) <= 26
    assert len(pubsub.requests) <= 27


def test_instants_of_no_calendar_space_nothing(tmp_path: Path, pubsub: PubSub) -> None:
    """A broken event time keeps nobody waiting for a century, nor does a future one."""
    clock = Clock()
    year_us = 365 * 86_400 * SECOND_US
    rows = [
        avro_event(sent_at_us=1, published_at_us=None),
        avro_event(sent_at_us=MONDAY_US - year_us, published_at_us=MONDAY_US),
        avro_event(sent_at_us=2**62, published_at_us=None),
        avro_event(sent_at_us=MONDAY_US + year_us, published_at_us=MONDAY_US + SECOND_US),
    ]
    path = write_avro(tmp_path / "a.avro", rows)
    publish([str(path)], TOPIC, Publishing(speed_up=1), clock=clock, sleep=clock.sleep)
    assert clock.slept == pytest.approx([1])
    assert len(pubsub.sent()) == 4


# What goes wrong.


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (grpc.StatusCode.NOT_FOUND, f"topic {TOPIC} does not exist"),
        (grpc.StatusCode.PERMISSION_DENIED, "not allowed"),
        (grpc.StatusCode.INVALID_ARGUMENT, "refused the messages .*too bad"),
    ],
)
def test_a_refusal_is_one_sentence(
    code: grpc.StatusCode, sentence: str, tmp_path: Path, pubsub: PubSub
) -> None:
    """What the server refuses for good is said at once, and how much it took before."""
    path = archive(tmp_path / "a.avro", 5)
    pubsub.refusals = [code]
    with pytest.raises(InputError, match=sentence):
        publish([str(path)], TOPIC)


def test_what_was_published_before_a_failure_is_said(tmp_path: Path, pubsub: PubSub) -> None:
    """Whoever mends the failure needs to know that some messages are there."""
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if len(pubsub.requests) == 2:
            pubsub.refusals = [grpc.StatusCode.NOT_FOUND]

    path = archive(tmp_path / "a.avro", 5, text=SECRET)
    with pytest.raises(InputError, match=r"\(2 messages were published before\)") as caught:
        publish([str(path)], TOPIC, Publishing(rate=1), clock=clock, sleep=sleep)
    assert not betrays_secret(*chain_of(caught.value))


def test_a_passing_failure_is_tried_again(tmp_path: Path, pubsub: PubSub) -> None:
    """A server that is away for a moment loses nothing and disturbs no order."""
    pubsub.refusals = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL]
    assert publish([str(archive(tmp_path / "a.avro", 5))], TOPIC) == 5
    assert ids(pubsub) == [f"e{i}" for i in range(5)]


def test_a_server_that_can_not_be_reached_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Publishing to nobody gives up after a while and says where it tried."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:9")
    monkeypatch.setattr("pipelines.operations.publish._RETRY", _RETRY.with_timeout(0.2))
    path = archive(tmp_path / "a.avro", 1)
    assert main(["publish", f"--input={path}", f"--topic={TOPIC}"]) == 2
    assert capsys.readouterr().err.startswith("undertone: 127.0.0.1:9 did not answer")


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("--topic=events", "'events' is no topic; write projects/<project>/topics/<name>"),
        ("--input=nothing.avro", "no file matches nothing.avro"),
        ("--input=chats.txt", "ends in none of .avro, .jsonl"),
        ("--rate=0", "rate must be positive, got 0"),
        ("--rate=nan", "rate must be positive, got nan"),
        ("--speed_up=-1", "speed_up must be positive, got -1"),
        ("--repeat_share=1.5", "repeat_share must be within 0 and 1, got 1.5"),
    ],
)
def test_a_wrong_flag_is_one_sentence(
    flag: str, sentence: str, tmp_path: Path, pubsub: PubSub, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong flag is answered before anything is published."""
    path = archive(tmp_path / "a.avro", 1)
    assert main(["publish", f"--input={path}", f"--topic={TOPIC}", flag]) == 2
    assert sentence in capsys.readouterr().err
    assert not pubsub.requests


def test_a_damaged_archive_tells_no_secret(tmp_path: Path, pubsub: PubSub) -> None:
    """An archive that is cut short ends in the sentence that a run gives."""
    path = archive(tmp_path / "a.avro", 50, text=SECRET)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match="damaged or cut short") as caught:
        publish([str(path)], TOPIC)
    assert not betrays_secret(*chain_of(caught.value))
    assert not pubsub.requests


def test_a_message_larger_than_pubsub_takes_is_an_input_error(
    tmp_path: Path, pubsub: PubSub
) -> None:
    """An event of more than ten megabytes ends it in a sentence; it is not left out in silence."""
    rows = [avro_event(), avro_event(text=SECRET * 300_000), avro_event()]
    path = write_avro(tmp_path / "a.avro", rows)
    with pytest.raises(InputError, match=r"message 2 has .* more than the 10,000,000") as caught:
        publish([str(path)], TOPIC)
    assert not betrays_secret(*chain_of(caught.value))
    assert len(pubsub.sent()) <= 1


def test_the_command_says_how_many(
    tmp_path: Path, pubsub: PubSub, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command publishes, and says how many messages to which topic."""
    (tmp_path / "b.jsonl").write_bytes(json_event())
    path = archive(tmp_path / "a.avro", 3)
    flags = [f"--input={path}", f"--input={tmp_path / 'b.jsonl'}", f"--topic={TOPIC}"]
    assert main(["publish", *flags, "--repeat_share=1", "--encoding=json", "--rate=1000"]) == 0
    assert capsys.readouterr().err == f"undertone: 8 messages published to {TOPIC}\n"
    assert len(pubsub.sent()) == 8
