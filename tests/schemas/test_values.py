"""Tests the values of breakdowns: which ones the tables show, and which become `other`."""

from __future__ import annotations

import re
import tracemalloc
from collections import Counter
from typing import Final

import pytest

from schemas.breakdowns import ATTRIBUTES, STATED, Kind
from schemas.countries import COUNTRIES
from schemas.records import Encoding, Message, PayloadChunk
from schemas.wire.event import read_event
from schemas.wire.validate import Limits
from schemas.wire.values import ANY_VALUE, AllowedValues, clean_values, parse_allowed
from tests.builders import PSEUDONYMS, avro_event
from tests.schemas.payloads import LATENESS_US, LIMITS, WIRE_ENCODINGS, encoded
from transforms.conversation.messages import decode_chunk

INVALID: Final = "invalid"
UNLISTED: Final = "unlisted"
NAMES: Final = [name for name, kind in STATED.items() if kind is Kind.NAME]
LISTED: Final = frozenset(parse_allowed("platform=web,iOS;country=de,US;language=en"))


def cleaned(name: str, value: str | None, allowed: AllowedValues = ANY_VALUE) -> tuple[object, ...]:
    """Returns a value as the tables show it and, if it became `other`, the reason."""
    values, others = clean_values(tuple(value if n == name else None for n in ATTRIBUTES), allowed)
    return (values[ATTRIBUTES.index(name)], *(other.removeprefix(f"{name}/") for other in others))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["iOS", "web-2.1", "gpt_4.5", "4o", "v1", "x" * 40, "allow"])
def test_a_short_name_stays_as_it_is(name: str, value: str) -> None:
    """A name has letters, digits, dots, dashes and underscores, and keeps its case."""
    assert cleaned(name, f" {value} ") == (value,)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "value",
    ["x" * 41, "1042", "126.0.6478", "2026-11-17", "-", "._", "I want to die", "a b", "日本",
     "jane@example.org", "a/b", "a:b", "a\nb", "a\x00b", "a\u202eb", "\udcff", "ﬃ", "é",
     "all", "ALL", " All ", "x" * 1_000_000],
)  # fmt: skip
def test_what_is_not_a_short_name_is_other(name: str, value: str) -> None:
    """A number, a sentence, an address or a reserved word of the tables is not a name."""
    assert cleaned(name, value) == ("other", INVALID)


@pytest.mark.parametrize("code", sorted(COUNTRIES))
def test_every_country_has_one_spelling(code: str) -> None:
    """Each ISO code is accepted in upper or lower case, and is shown in upper case."""
    assert cleaned("country", f" {code.lower()} ") == (code,)


@pytest.mark.parametrize(
    "value", ["XX", "XK", "UK", "EU", "ZZ", "D", "DEU", "Germany", "276", "ß", "ſe", "all", "D E"]
)
def test_what_is_not_a_country_is_other(value: str) -> None:
    """Only the codes that are assigned by ISO 3166-1 are countries."""
    assert cleaned("country", value) == ("other", INVALID)


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en", "en"), ("EN_us", "en"), ("pt-BR", "pt"), ("zh-Hant-TW", "zh"), ("yue", "yue"),
        ("zh-cmn-Hans-CN", "zh"), ("sl-rozaj-biske", "sl"), ("de-CH-1901", "de"),
        ("es-419", "es"), ("en-a-bbb-x-a-ccc", "en"), ("en-x-us", "en"), ("de-u-co-phonebk", "de"),
    ],
)  # fmt: skip
def test_a_language_counts_by_its_primary_subtag(tag: str, language: str) -> None:
    """A well-formed BCP 47 tag in any letter case, with any separator, counts as its language."""
    assert cleaned("language", tag) == (language,)


@pytest.mark.parametrize(
    "value",
    ["e", "english", "en-", "-en", "en--US", "en-US-US", "i-klingon", "x-secret", "all-US", "all",
     "en-a", "en us", "I want to die", "de-\u212aH", "İ", "12", "en-US.UTF-8", "x" * 65],
)  # fmt: skip
def test_what_is_not_a_language_is_other(value: str) -> None:
    """A tag that BCP 47 does not allow, or that gives a reserved word of the tables, is `other`."""
    assert cleaned("language", value) == ("other", INVALID)


@pytest.mark.parametrize("name", ATTRIBUTES)
@pytest.mark.parametrize("value", [None, "", "   ", "unknown", " Unknown "])
def test_an_empty_or_unknown_value_is_none(name: str, value: str | None) -> None:
    """An empty or unknown value counts as missing, not as `other`."""
    assert cleaned(name, value) == (None,)


def test_an_undetermined_language_is_none() -> None:
    """The tag `und` counts as missing, so that the language is detected from the text."""
    assert cleaned("language", "und") == (None,)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_stated_other_is_not_counted(name: str) -> None:
    """If an event states `other`, the value stays and does not count as replaced."""
    assert cleaned(name, "Other") == ("other",)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("platform", "web", ("web",)), ("platform", "IOS", ("iOS",)),
        ("platform", "web-1042", ("other", UNLISTED)), ("platform", "a b", ("other", INVALID)),
        ("country", "de", ("DE",)), ("country", "FR", ("other", UNLISTED)),
        ("language", "en-GB", ("en",)), ("language", "fr", ("other", UNLISTED)),
        ("plan", "anything", ("anything",)), ("platform", None, (None,)),
        ("platform", "other", ("other",)),
    ],
)  # fmt: skip
def test_a_list_allows_its_values_only(
    name: str, value: str | None, expected: tuple[str | None, ...]
) -> None:
    """A listed value is spelled as in the list; a breakdown without a list allows any value."""
    assert cleaned(name, value, LISTED) == expected


def test_several_lists_are_separated_by_semicolons() -> None:
    """Semicolons separate the lists of breakdowns, and values may have blanks around them."""
    assert parse_allowed("platform=web, ios ; plan=free") == [
        ("platform", "web"), ("platform", "ios"), ("plan", "free"),
    ]  # fmt: skip
    assert parse_allowed("country=de") == [("country", "DE")]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("web,ios", "'web,ios' is not a list of values; write e.g. platform=web,ios,android"),
        ("", "'' is not a list of values; write e.g. platform=web,ios,android"),
        (
            "colour=red",
            "'colour' is not a field that can have a list of values; use one of platform, ",
        ),
        (
            "length=3",
            "'length' is not a field that can have a list of values; use one of platform, ",
        ),
        ("country=Germany", "'Germany' can't be a value of country in the tables; write an ISO "),
        ("language=pt-BR", "'pt-BR' can't be a value of language in the tables; write a BCP 47 "),
        ("platform=web,", "'' can't be a value of platform in the tables; write at most 40 "),
        ("plan=unknown", "'unknown' can't be a value of plan in the tables; write at most 40 "),
        ("plan=a=b", "'a=b' can't be a value of plan in the tables; write at most 40 letters"),
    ],
)
def test_a_wrong_list_is_one_sentence(text: str, sentence: str) -> None:
    """The error shows the mistake and says what to write instead."""
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        parse_allowed(text)


@pytest.mark.parametrize("encoding", WIRE_ENCODINGS)
@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_event_with_a_wrong_value_still_counts(encoding: Encoding, name: str) -> None:
    """In every encoding, a wrong value becomes `other` and the rest of the event is unchanged."""
    read = read_event(encoding, encoded(encoding, **{name: "I want to die"}), None, LIMITS)
    right = read_event(encoding, encoded(encoding), None, LIMITS)
    assert isinstance(read, Message)
    assert isinstance(right, Message)
    assert dict(zip(ATTRIBUTES, read.attributes, strict=True))[name] == "other"
    assert read.others == (f"{name}/invalid",)
    assert (read.event_id, read.text) == (right.event_id, right.text)


def test_each_replaced_value_is_counted() -> None:
    """The ledger counts the replaced values by breakdown and reason."""
    rows = [
        avro_event(platform="I want to die", country="Germany"),
        avro_event(platform="1042"),
        avro_event(platform="kiosk"),
        avro_event(platform="I want to die", role="SYSTEM"),
        avro_event(platform="web"),
    ]
    limits = Limits(allowed_lateness_us=LATENESS_US, allowed_values=LISTED)
    messages, letters, counts = decode_chunk(
        PayloadChunk(Encoding.AVRO, rows, None, "f"), limits, PSEUDONYMS
    )
    assert (len(messages), letters) == (4, [])
    assert counts == Counter({
        ("read", ""): 5, ("system_turn", ""): 1, ("other_value", "platform/invalid"): 2,
        ("other_value", "platform/unlisted"): 1, ("other_value", "country/invalid"): 1,
    })  # fmt: skip


@pytest.mark.parametrize("padding", ["", " " * 100_000])
def test_the_cache_of_values_stays_small(padding: str) -> None:
    """The memory for cached values is bounded, even if a producer sends many long ones."""
    tracemalloc.start()
    for number in range(100):
        read_event(Encoding.AVRO, avro_event(platform=f"{padding}p{number}"), None, LIMITS)
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept_bytes < 1_000_000
