"""Publishing that fails: each failure is one sentence that quotes no text; nothing is lost."""

from __future__ import annotations

from pathlib import Path

import grpc  # type: ignore[import-untyped]
import pytest

from pipelines.commands.main import main
from pipelines.operations.replay import _RETRY, ReplayOptions, replay
from schemas.failures import InputError
from tests.builders import avro_event
from tests.pipelines.operations.pubsub_server import TOPIC, Clock, PubSub, archive, ids
from tests.schemas.payloads import (
    ENVELOPE_SCHEMA,
    SECRET,
    betrays_secret,
    chain_of,
    envelope,
    write_avro,
)


def test_an_attribute_that_is_not_utf8_is_an_input_error(tmp_path: Path, pubsub: PubSub) -> None:
    """A damaged archive of messages is reported in one sentence, without a traceback."""
    row = envelope(b"", None) | {"attributes": {"a": "@@@@"}}
    path = write_avro(tmp_path / "a.avro", [row], ENVELOPE_SCHEMA)
    path.write_bytes(path.read_bytes().replace(b"@@@@", b"a\xff\xc3("))
    with pytest.raises(InputError, match="attribute that is not UTF-8"):
        replay([str(path)], TOPIC)
    assert not pubsub.requests


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
    """If the server refuses for good, publishing ends at once and gives the reason."""
    path = archive(tmp_path / "a.avro", 5)
    pubsub.refusals = [code]
    with pytest.raises(InputError, match=sentence):
        replay([str(path)], TOPIC)


def test_what_was_published_before_a_failure_is_said(tmp_path: Path, pubsub: PubSub) -> None:
    """If publishing fails, the error gives the number of messages that were already published."""
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if len(pubsub.requests) == 2:
            pubsub.refusals = [grpc.StatusCode.NOT_FOUND]

    path = archive(tmp_path / "a.avro", 5, text=SECRET)
    with pytest.raises(InputError, match=r"\(2 messages were published before\)") as caught:
        replay([str(path)], TOPIC, ReplayOptions(rate=1), clock=clock, sleep=sleep)
    assert not betrays_secret(*chain_of(caught.value))


def test_a_passing_failure_is_tried_again(tmp_path: Path, pubsub: PubSub) -> None:
    """If the server fails only briefly, no message is lost and the order is kept."""
    pubsub.refusals = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL]
    assert replay([str(archive(tmp_path / "a.avro", 5))], TOPIC) == 5
    assert ids(pubsub) == [f"e{i}" for i in range(5)]


def test_a_server_that_can_not_be_reached_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If no server answers, publishing gives up after a while and says which address it tried."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:9")
    monkeypatch.setattr("pipelines.operations.replay._RETRY", _RETRY.with_timeout(0.2))
    path = archive(tmp_path / "a.avro", 1)
    assert main(["replay", f"--input={path}", f"--topic={TOPIC}"]) == 2
    assert capsys.readouterr().err.startswith("undertone: 127.0.0.1:9 did not answer")


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("--topic=events", "'events' is not a topic; write projects/<project>/topics/<name>"),
        ("--input=nothing.avro", "no file matches nothing.avro"),
        ("--input=chats.txt", "does not end in one of .avro, .jsonl"),
        ("--rate=0", "rate must be positive, got 0"),
        ("--rate=nan", "rate must be positive, got nan"),
        ("--speed_up=-1", "speed_up must be positive, got -1"),
        ("--repeat_share=1.5", "repeat_share must be within 0 and 1, got 1.5"),
    ],
)
def test_a_wrong_flag_is_one_sentence(
    flag: str, sentence: str, tmp_path: Path, pubsub: PubSub, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong flag is reported before anything is published."""
    path = archive(tmp_path / "a.avro", 1)
    assert main(["replay", f"--input={path}", f"--topic={TOPIC}", flag]) == 2
    assert sentence in capsys.readouterr().err
    assert not pubsub.requests


def test_a_damaged_archive_quotes_no_text(tmp_path: Path, pubsub: PubSub) -> None:
    """For a truncated archive, publishing gives the same sentence as a run."""
    path = archive(tmp_path / "a.avro", 50, text=SECRET)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match="damaged or cut short") as caught:
        replay([str(path)], TOPIC)
    assert not betrays_secret(*chain_of(caught.value))
    assert not pubsub.requests


def test_a_message_larger_than_pubsub_takes_is_an_input_error(
    tmp_path: Path, pubsub: PubSub
) -> None:
    """An event above ten megabytes stops publishing with one sentence; it is not skipped."""
    rows = [avro_event(), avro_event(text=SECRET * 300_000), avro_event()]
    path = write_avro(tmp_path / "a.avro", rows)
    with pytest.raises(InputError, match=r"message 2 has .* more than the 10,000,000") as caught:
        replay([str(path)], TOPIC)
    assert not betrays_secret(*chain_of(caught.value))
    assert len(pubsub.sent()) <= 1
