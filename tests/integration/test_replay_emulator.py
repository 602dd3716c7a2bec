"""Tests publishing to Google's Pub/Sub emulator, and decoding what comes back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage
from google.pubsub_v1 import PublisherClient, SubscriberClient

from deploy.local.pubsub import pubsub
from pipelines.commands.main import main
from pipelines.sinks.archive import write_archive
from pipelines.sources.files import ReadAvro
from pipelines.sources.pubsub import chunks_of_messages
from schemas.records import DeadLetter, PayloadChunk, PseudonymousMessage
from schemas.wire.validate import Limits
from tests.builders import HOUR_US, MONDAY_US, PSEUDONYMS, avro_event
from tests.schemas.payloads import ENVELOPE_SCHEMA, json_event, write_avro
from tests.services import have
from transforms.conversation.messages import decode_chunk

PROJECT: Final = "projects/my-project"
LIMITS: Final = Limits(allowed_lateness_us=48 * HOUR_US)


@pytest.fixture(scope="module", autouse=True)
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Runs the emulator, which every client in these tests uses."""
    with ExitStack() as stack:
        have(lambda: stack.enter_context(pubsub(tmp_path_factory.mktemp("pubsub"))))
        yield


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """Creates a topic for one test, with a subscription of the same name."""
    name = f"t-{abs(hash(request.node.name))}"
    path = f"{PROJECT}/topics/{name}"
    PublisherClient().create_topic(name=path)
    SubscriberClient().create_subscription(name=subscription_of(path), topic=path)
    return path


def subscription_of(topic: str) -> str:
    """Returns the name of the topic's subscription."""
    return topic.replace("/topics/", "/subscriptions/")


def pulled(topic: str, count: int) -> list[Any]:
    """Pulls and acknowledges `count` messages, and asserts that no further messages are left."""
    client = SubscriberClient()
    name = subscription_of(topic)
    messages: list[Any] = []
    while len(messages) < count:
        received = client.pull(subscription=name, max_messages=1000, timeout=30).received_messages
        client.acknowledge(subscription=name, ack_ids=[each.ack_id for each in received])
        messages += [each.message for each in received]
    more = client.pull(
        request={"subscription": name, "max_messages": 1, "return_immediately": True}
    )
    assert not more.received_messages
    assert len(messages) == count
    return messages


def send(topic: str, *inputs: Path, flags: Sequence[str] = ()) -> None:
    """Runs `undertone replay`, and asserts that the command succeeds."""
    patterns = [f"--input={path}" for path in inputs]
    assert main(["replay", f"--topic={topic}", *patterns, *flags]) == 0


def decoded(
    chunks: Iterable[PayloadChunk],
) -> tuple[list[PseudonymousMessage], list[DeadLetter], Any]:
    """Decodes chunks; returns the messages, the dead letters and the ledger's counts."""
    messages: list[PseudonymousMessage] = []
    letters: list[DeadLetter] = []
    counts: Counter[tuple[str, str]] = Counter()
    for chunk in chunks:
        some, dead, counted = decode_chunk(chunk, LIMITS, PSEUDONYMS)
        messages += some
        letters += dead
        counts += counted
    return messages, letters, counts


def as_beam_reads(messages: Iterable[Any]) -> Iterator[PayloadChunk]:
    """Yields messages in chunks, in the same way as `ReadPubSub`."""
    return chunks_of_messages([PubsubMessage._from_message(each) for each in messages], "s")


@pytest.mark.parametrize("encoding", ["protobuf", "json", "mixed"])
def test_pubsub_gives_the_same_messages_as_the_archive(
    encoding: str, topic: str, tmp_path: Path
) -> None:
    """Pub/Sub and the archive give the same messages, dead letters and counts by reason.

    Some events are late, damaged or repeated, and all are published long after they happened.
    """
    shares = ["--duplicates=0.05", "--late=0.05", "--malformed=0.05"]
    argv = ["simulate", "--conversations=300", "--days=1", *shares, f"--output={tmp_path}"]
    assert main(argv) == 0
    archive = tmp_path / "events-00000.avro"
    source = ReadAvro(str(archive)).source
    chunks = list(source.read(source.get_range_tracker(None, None)))
    send(topic, archive, flags=[f"--encoding={encoding}"])
    expected = decoded(chunks)
    messages, letters, counts = decoded(
        as_beam_reads(pulled(topic, sum(len(chunk.rows) for chunk in chunks)))
    )
    assert counts == expected[2]
    assert len(counts) > 6
    assert sorted(messages, key=repr) == sorted(expected[0], key=repr)
    assert Counter(map(_about_event, letters)) == Counter(map(_about_event, expected[1]))


def _about_event(letter: DeadLetter) -> tuple[Any, ...]:
    """Returns the fields of a dead letter that describe the event, without its payload."""
    return (
        letter.reason, letter.event, letter.conversation, letter.sent_at_us,
        letter.published_at_us,
    )  # fmt: skip


def test_data_and_attributes_come_back(topic: str, tmp_path: Path) -> None:
    """Records of every kind arrive with the same bytes and attributes, in the files' order."""
    write_archive(tmp_path / "a.avro", [avro_event(published_at_us=MONDAY_US + 1)])
    line = json_event(text="日本")
    (tmp_path / "b.jsonl").write_bytes(line + b"\n" + b"\xff{\n")
    own = {"retry": "日本", "data": "x", "content-type": "text/plain"}
    row = {
        "subscription_name": "s", "message_id": "1", "publish_time": MONDAY_US, "attributes": own,
        "data": b"\x00\xff",
    }  # fmt: skip
    write_avro(tmp_path / "c.avro", [row], ENVELOPE_SCHEMA)
    send(topic, *(tmp_path / name for name in ("a.avro", "b.jsonl", "c.avro")))
    first, *others = [(each.data, dict(each.attributes)) for each in pulled(topic, 4)]
    times = {"sent-at-ms": str(MONDAY_US // 1000)}
    published = {"original-publish-time": str(MONDAY_US + 1)}
    said = {"original-publish-time": str(MONDAY_US)}
    assert first[1] == {"content-type": "application/protobuf"} | times | published
    assert others == [
        (line, {"content-type": "application/json"} | times | said),
        (b"\xff{", {"content-type": "application/json"}),
        (b"\x00\xff", own | {"original-publish-time": str(MONDAY_US)}),
    ]


def test_a_missing_topic_is_an_error(
    topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the topic does not exist, the error is one sentence that says so and names the topic."""
    write_archive(tmp_path / "a.avro", [avro_event()])
    argv = ["replay", f"--topic={topic}-2", f"--input={tmp_path / 'a.avro'}"]
    assert main(argv) == 2
    assert capsys.readouterr().err == (
        f"undertone: topic {topic}-2 does not exist; create it first\n"
    )


def test_the_rate_is_kept(topic: str, tmp_path: Path) -> None:
    """At 2,000 messages per second, publishing 1,000 messages takes half a second."""
    write_archive(tmp_path / "a.avro", [avro_event(event_id=str(i)) for i in range(1000)])
    started_s = time.monotonic()
    send(topic, tmp_path / "a.avro", flags=["--rate=2000"])
    assert time.monotonic() - started_s > 0.45
    pulled(topic, 1000)
