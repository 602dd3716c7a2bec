"""Tells from an Avro schema whether a file holds events, Pub/Sub messages, or neither."""

from __future__ import annotations

from typing import Any, Final

from schemas.breakdowns import ATTRIBUTES
from schemas.failures import InputError

_REQUIRED: Final = {
    "event_id": {"string", "null"},
    "conversation_id": {"string", "null"},
    "role": {"string", "null"},
    "text": {"string", "null"},
    "sent_at_us": {"long", "int", "null"},
}
_OPTIONAL: Final = {
    **{name: {"string", "null"} for name in ("user_id", *ATTRIBUTES)},
    "schema_version": {"int", "long"},
    "published_at_us": {"long", "int", "null"},
}
_ENVELOPE: Final = {
    "data": {"bytes"},
    "publish_time": {"long timestamp-micros"},
    "attributes": {"map of string", "map of null", "null", ""},
}
"""How a Pub/Sub subscription to Cloud Storage archives messages, with metadata, in Avro."""


def is_envelope(schema: Any, name: str) -> bool:
    """Tells Pub/Sub messages from events; raises InputError where it is neither."""
    if not isinstance(schema, dict):  # A union, or the name of a primitive type.
        schema = {}
    if _holds_itself(schema):
        raise InputError(
            f"{name} holds records of schema {schema.get('name', 'unnamed')!r} that may hold "
            "themselves; write the archive with schemas/conversation_event.avsc"
        )
    types = {f["name"]: _type_names(f["type"]) for f in schema.get("fields", ())}
    if all(types.get(field, {""}) <= allowed for field, allowed in _ENVELOPE.items()):
        return True
    wrong = [f for f, allowed in _REQUIRED.items() if not types.get(f, {""}) <= allowed]
    wrong += [f for f, allowed in _OPTIONAL.items() if not types.get(f, set()) <= allowed]
    if wrong:
        raise InputError(
            f"{name} holds records of schema {schema.get('name', 'unnamed')!r}, whose "
            f"{', '.join(wrong)} is missing or of another type; "
            "write the archive with schemas/conversation_event.avsc"
        )
    return False


def _type_names(type_: Any) -> set[str]:
    if isinstance(type_, list):
        return set().union(*(_type_names(t) for t in type_))
    if isinstance(type_, dict) and type_["type"] == "map":
        return {f"map of {each}" for each in _type_names(type_["values"])}
    if isinstance(type_, dict):
        # fastavro turns a value of a logical type into an object of its own.
        return {" ".join(str(type_[key]) for key in ("type", "logicalType") if key in type_)}
    return {str(type_)}


def _holds_itself(schema: Any) -> bool:
    """Tells whether a record is among its own parts: fastavro dies of rows nested too deeply."""
    parts: list[tuple[Any, frozenset[str]]] = [(schema, frozenset())]
    while parts:
        type_, around = parts.pop()
        if isinstance(type_, list):
            parts += [(each, around) for each in type_]
        elif not isinstance(type_, dict):
            if type_ in around:
                return True
        elif "fields" in type_:
            within = around | {type_["name"]}
            parts += [(field["type"], within) for field in type_["fields"]]
        else:
            parts += [(type_[key], around) for key in ("type", "items", "values") if key in type_]
    return False
