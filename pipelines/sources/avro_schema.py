"""Finds out from an Avro schema what a file contains: events, Pub/Sub messages or neither.

The schema also shows whether a small file could take huge amounts of memory. A null takes no bytes,
so an array in a small file can claim to have billions of nulls.
"""

from __future__ import annotations

import math
from typing import Any, Final

from fastavro import parse_schema

from schemas.breakdowns import ATTRIBUTES
from schemas.failures import InputError

_REQUIRED: Final = {
    "event_id": {"string"},
    "conversation_id": {"string"},
    "role": {"string"},
    "text": {"string"},
    "sent_at_us": {"long", "int"},
}
"""The types that each field may have. A field may also be null, but not always null."""

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
"""The fields in the Avro files of a Pub/Sub subscription that archives to Cloud Storage."""

_PLAIN: Final = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
_VALUES_A_BYTE: Final = 8
"""The most values that may share a byte. In a real archive nearly every value takes at least
a byte."""


def is_envelope(schema: Any, name: str) -> bool:
    """Returns True for Pub/Sub messages, False for events; otherwise raises InputError."""
    if not isinstance(schema, dict):  # The schema is a union or the name of a primitive type.
        schema = {}
    if _contains_itself(schema):
        raise InputError(
            f"{name} has the recursive schema {schema.get('name', 'unnamed')!r}, so its records "
            "could be nested without limit; write the archive with schemas/conversation_event.avsc"
        )
    types = {f["name"]: _type_names(f["type"]) for f in schema.get("fields", ())}
    holds_messages = all(types.get(f, {""}) <= allowed for f, allowed in _ENVELOPE.items())
    said = {field: names - {"null"} for field, names in types.items()}
    wrong = [f for f, allowed in _REQUIRED.items() if not set() < said.get(f, set()) <= allowed]
    wrong += [f for f, allowed in _OPTIONAL.items() if not types.get(f, set()) <= allowed]
    if wrong and not holds_messages:
        raise InputError(
            f"{name} has schema {schema.get('name', 'unnamed')!r}, in which these fields are "
            f"missing or have the wrong type: {', '.join(wrong)}; "
            "write the archive with schemas/conversation_event.avsc"
        )
    if _values_beyond_bytes(schema, {}) > 0:
        raise InputError(
            f"{name} holds records of schema {schema.get('name', 'unnamed')!r}, which may have "
            "millions of values that take no bytes, such as nulls; "
            "write the archive with schemas/conversation_event.avsc"
        )
    return holds_messages


def schema_to_read(schema: Any, *, holds_messages: bool) -> Any:
    """Returns a schema for reading that skips some fields; None if no field is to be skipped.

    A field that events do not have is skipped if its values may be large. It is also skipped if
    fastavro would turn its values into Python objects of a different type.
    """
    known = _ENVELOPE if holds_messages else _REQUIRED | _OPTIONAL
    kept = [f for f in schema["fields"] if f["name"] in known or _is_plain(f["type"])]
    if len(kept) == len(schema["fields"]):
        return None
    return parse_schema({"type": "record", "name": schema["name"], "fields": kept})


def _is_plain(type_: Any) -> bool:
    names = _type_names(type_)
    return names <= _PLAIN and names != {"null"}


def _type_names(type_: Any) -> set[str]:
    if isinstance(type_, list):
        return set().union(*(_type_names(t) for t in type_))
    if isinstance(type_, dict) and type_["type"] == "map":
        return {f"map of {each}" for each in _type_names(type_["values"])}
    if isinstance(type_, dict):
        # fastavro turns a value of a logical type into an object of another type.
        return {" ".join(str(type_[key]) for key in ("type", "logicalType") if key in type_)}
    return {str(type_)}


def _values_beyond_bytes(type_: Any, named: dict[str, float]) -> float:
    """Returns by how much the values of a type may outnumber what their bytes allow.

    Each byte allows `_VALUES_A_BYTE` values. If the result is zero or less, the size of a file
    bounds the cost of reading it.

    Args:
      type_: a parsed schema that does not contain itself.
      named: results for the named types so far; the function adds its own results to them.
    """
    if isinstance(type_, list):
        return 1 - _VALUES_A_BYTE + max(_values_beyond_bytes(each, named) for each in type_)
    if not isinstance(type_, dict):
        if type_ == "null":
            return 1
        return 1 - _VALUES_A_BYTE if type_ in _PLAIN else named[type_]
    match type_["type"]:
        case "record" | "error":
            parts = [_values_beyond_bytes(field["type"], named) for field in type_["fields"]]
            found = 1 + sum(parts)
        case "array" | "map" as container:
            # The end of an array or map takes a byte, and so does the key of each value in a map.
            a_key = 0 if container == "array" else -_VALUES_A_BYTE
            item = type_["items" if container == "array" else "values"]
            is_bounded = _values_beyond_bytes(item, named) + a_key <= 0
            found = 1 - _VALUES_A_BYTE if is_bounded else math.inf
        case "enum":
            found = 1 - _VALUES_A_BYTE
        case "fixed":
            found = 1 - _VALUES_A_BYTE * type_["size"]
        case other:
            found = _values_beyond_bytes(other, named)
    if "name" in type_:
        named[type_["name"]] = found
    return found


def _contains_itself(schema: Any) -> bool:
    """Tells whether a schema is recursive. Rows that are nested too deeply crash fastavro."""
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
