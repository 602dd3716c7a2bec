"""The three descriptions of an event, and the generated code, say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import pytest
from grpc_tools import protoc

import schemas
from schemas import wire
from schemas.conversation_event_pb2 import ConversationEvent
from schemas.records import ATTRIBUTES
from schemas.wire import avro_schema

_SCHEMAS: Final = Path(schemas.__path__[0])
_PROTO_FIELDS: Final = {field.name: field for field in ConversationEvent.DESCRIPTOR.fields}
_AVRO_FIELDS: Final = {field["name"]: field for field in avro_schema()["fields"]}
_JSON_FIELDS: Final = {field.name: field for field in msgspec.structs.fields(wire._JsonEvent)}


@pytest.mark.parametrize("name", ["conversation_event_pb2.py", "conversation_event_pb2.pyi"])
def test_generated_code_is_that_of_the_proto(name: str, tmp_path: Path) -> None:
    """The generated modules are what protoc makes of the proto today, byte for byte."""
    status = protoc.main(
        ["protoc", f"-I{_SCHEMAS}", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}",
         "conversation_event.proto"]
    )  # fmt: skip
    assert status == 0
    assert (tmp_path / name).read_bytes() == (_SCHEMAS / name).read_bytes()


def test_archive_has_the_fields_of_the_proto_and_the_publish_time() -> None:
    """Avro names the protobuf's fields, in their order, and when the event was published."""
    assert list(_AVRO_FIELDS) == [*_PROTO_FIELDS, "published_at_us"]


def test_json_has_the_fields_of_the_proto_and_both_forms_of_instants() -> None:
    """JSON names the protobuf's fields, and an instant also without its unit."""
    instants = {"sent_at", "published_at", "published_at_us"}
    assert set(_JSON_FIELDS) == {*_PROTO_FIELDS} | instants


def test_attributes_are_fields_everywhere() -> None:
    """Each breakdown has a field of its name in every encoding."""
    for fields in (_PROTO_FIELDS, _AVRO_FIELDS, _JSON_FIELDS):
        assert set(ATTRIBUTES) <= set(fields)


def test_field_numbers_are_never_reused() -> None:
    """The numbers on the wire are those that producers compiled in."""
    assert {name: field.number for name, field in _PROTO_FIELDS.items()} == {
        "event_id": 1, "conversation_id": 2, "user_id": 3, "role": 4, "text": 5, "sent_at_us": 6,
        "platform": 7, "plan": 8, "country": 9, "language": 10, "model": 11,
        "message_index": 12, "schema_version": 13,
    }  # fmt: skip


def test_roles_are_the_same_everywhere() -> None:
    """Every role of the proto but the unspecified one has a meaning in JSON and Avro."""
    roles = set(ConversationEvent.Role.keys()) - {"ROLE_UNSPECIFIED"}
    assert roles == set(wire._IS_HUMAN) == set(wire._PROTOBUF_ROLES.values())


def test_proto_imports_nothing() -> None:
    """Pub/Sub accepts one self-contained top-level message only."""
    file = ConversationEvent.DESCRIPTOR.file
    assert not file.dependencies
    assert list(file.message_types_by_name) == ["ConversationEvent"]


def test_every_field_of_the_archive_is_described() -> None:
    """A reader of the archive finds in it what each field means."""
    assert all(field.get("doc") for field in _AVRO_FIELDS.values())
