"""Tests that the three schemas of an event agree with each other and with the generated code."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import pytest
from grpc_tools import protoc

import schemas
from schemas import archive_schema
from schemas.archive_schema import encoded
from schemas.breakdowns import ATTRIBUTES
from schemas.conversation_event_pb2 import ConversationEvent
from schemas.wire import protobuf, validate
from schemas.wire.avro import avro_schema
from schemas.wire.json import JsonEvent

_SCHEMAS: Final = Path(schemas.__path__[0])
_PROTO_FIELDS: Final = {field.name: field for field in ConversationEvent.DESCRIPTOR.fields}
_AVRO_FIELDS: Final = {field["name"]: field for field in avro_schema()["fields"]}
_JSON_FIELDS: Final = {field.name: field for field in msgspec.structs.fields(JsonEvent)}


@pytest.mark.parametrize("name", ["conversation_event_pb2.py", "conversation_event_pb2.pyi"])
def test_generated_code_is_that_of_the_proto(name: str, tmp_path: Path) -> None:
    """The generated modules are up to date with the proto, byte for byte."""
    status = protoc.main(
        ["protoc", f"-I{_SCHEMAS}", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}",
         "conversation_event.proto"]
    )  # fmt: skip
    assert status == 0
    assert (tmp_path / name).read_bytes() == (_SCHEMAS / name).read_bytes()


def test_archive_has_the_fields_of_the_proto_and_the_publish_time() -> None:
    """The Avro schema has the protobuf's fields in the same order, followed by the publish time."""
    assert list(_AVRO_FIELDS) == [*_PROTO_FIELDS, "published_at_us"]


def test_json_has_the_fields_of_the_proto_and_both_forms_of_instants() -> None:
    """JSON has the protobuf's fields, and each instant in RFC 3339 as well."""
    instants = {"sent_at", "published_at", "published_at_us"}
    assert set(_JSON_FIELDS) == {*_PROTO_FIELDS} | instants


def test_attributes_are_fields_everywhere() -> None:
    """Every encoding has a field for each breakdown that events state."""
    for fields in (_PROTO_FIELDS, _AVRO_FIELDS, _JSON_FIELDS):
        assert set(ATTRIBUTES) <= set(fields)


def test_field_numbers_are_never_reused() -> None:
    """Field numbers never change, because producers have compiled them into their code."""
    first = (
        "event_id", "conversation_id", "user_id", "role", "text", "sent_at_us", "platform", "plan",
        "country", "language", "model", "message_index", "schema_version",
    )  # fmt: skip
    assert [_PROTO_FIELDS[name].number for name in first] == [*range(1, 14)]


def test_roles_are_the_same_everywhere() -> None:
    """Every role of the proto except the unspecified one is known in JSON and Avro."""
    roles = set(ConversationEvent.Role.keys()) - {"ROLE_UNSPECIFIED"}
    assert roles == set(validate._IS_HUMAN) == set(protobuf._ROLES.values())


def test_proto_imports_nothing() -> None:
    """The proto is one message without imports, because Pub/Sub accepts nothing else."""
    file = ConversationEvent.DESCRIPTOR.file
    assert not file.dependencies
    assert list(file.message_types_by_name) == ["ConversationEvent"]


def test_archive_schema_is_generated() -> None:
    """The archive schema's file is what `make generate` would write from proto and breakdowns."""
    assert archive_schema.FILE.read_text("utf-8") == encoded(archive_schema.archive_schema())


def test_a_field_without_a_description_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A field without a description stops `make generate`; the error says what to do."""
    monkeypatch.delitem(archive_schema._BREAKDOWNS, "plan")
    with pytest.raises(ValueError, match="field plan is unknown; if it is a breakdown, add"):
        archive_schema.archive_schema()


def test_every_field_of_the_archive_is_described() -> None:
    """The schema of an archive describes each of its fields."""
    assert all(field.get("doc") for field in _AVRO_FIELDS.values())
