"""Reads events in Avro, from the rows of an archive that fastavro has decoded."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from operator import itemgetter
from typing import Any, Final

from schemas.breakdowns import ATTRIBUTES
from schemas.wire.validate import SCHEMA_VERSION, Decoded, Limits, validate

AVRO_FIELDS: Final = (
    "event_id", "conversation_id", "user_id", "role", "text", "sent_at_us", *ATTRIBUTES,
    "schema_version", "published_at_us",
)  # fmt: skip
"""The fields that are read from a row of an archive; all other fields are ignored."""

_attributes_of: Callable[[Mapping[str, Any]], tuple[str | None, ...]] = itemgetter(*ATTRIBUTES)


@cache
def avro_schema() -> dict[str, Any]:
    """Returns the archive schema, parsed from the packaged `conversation_event.avsc`."""
    text = resources.files("schemas").joinpath("conversation_event.avsc").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@cache
def archive_fields() -> tuple[str, ...]:
    """Returns the names of the archive's fields, in order."""
    return tuple(field["name"] for field in avro_schema()["fields"])


def read_avro(row: Mapping[str, Any], published_at_us: int | None, limits: Limits) -> Decoded:
    """Reads an event; `published_at_us`, if given, overrides the publish time in the row."""
    get = row.get
    try:
        attributes = _attributes_of(row)
    except KeyError:  # Some fields may be missing. The getter is twice as fast as `map`.
        attributes = tuple(map(get, ATTRIBUTES))
    if published_at_us is None:
        published_at_us = get("published_at_us")
    return validate(
        limits,
        get("event_id"),
        get("conversation_id"),
        get("user_id"),
        get("role"),
        get("text"),
        get("sent_at_us"),
        attributes,
        get("schema_version", SCHEMA_VERSION),
        published_at_us,
    )
