"""Tests the whole job with a client that sends impossible values for a breakdown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from pipelines.commands.main import main
from pipelines.simulator.scenes import human_code
from pipelines.sinks.archive import write_archive
from schemas.wire.values import parse_allowed
from tests.builders import MONDAY_US, avro_event
from tests.pipelines.commands.test_main import query
from tests.pipelines.running import EXACT, chunk, run_bounded

CONVERSATIONS: Final = 8_000
CANARY: Final = "zanzibar quetzal"
ONLY_WEB: Final = replace(EXACT, values=frozenset(parse_allowed("platform=web")))


def of_platforms(build: str) -> list[dict[str, Any]]:
    """Returns conversations of one message each, all with different platforms."""
    return [
        avro_event(
            event_id=f"e{number}",
            conversation_id=f"c{number}",
            user_id=f"u{number}",
            text=human_code("technical", 0),
            sent_at_us=MONDAY_US + number * 1000,
            platform=build.format(number),
        )
        for number in range(CONVERSATIONS)
    ]


@pytest.mark.parametrize(
    ("build", "settings", "why"),
    [
        ("126.0.{}", EXACT, "invalid"),
        ("I want to die {}", EXACT, "invalid"),
        ("web-126.0.{}", ONLY_WEB, "unlisted"),
    ],
)
def test_build_numbers_become_one_value(build: str, settings: Any, why: str) -> None:
    """8,000 invalid or unlisted platforms become one value, and the ledger counts them."""
    result = run_bounded([chunk(of_platforms(build))], settings)
    cells = {c: n for c, n in result.cells().items() if c[1:3] == ("day", "platform")}
    assert {cell[3] for cell in cells} == {"other"}
    assert {n[0] for cell, n in cells.items() if cell[4] == "all"} == {CONVERSATIONS}
    assert len(result.cells()) < 100
    accounts = result.accounts()
    assert accounts["other_value", f"platform/{why}"] == accounts["counted", ""] == CONVERSATIONS
    assert result.dead_letters == []


def test_the_flag_reaches_tables_ledger_and_report(tmp_path: Path) -> None:
    """A value not in `--values` is `other` in the tables; ledger and report count it."""
    events = [
        avro_event(event_id=f"e{n}", conversation_id=f"c{n}", platform=platform)
        for n, platform in enumerate(("web", "WEB", "kiosk", CANARY))
    ]
    write_archive(tmp_path / "a.avro", events)
    folder = tmp_path / "run"
    flags = [f"--input={tmp_path / 'a.avro'}", f"--output={folder}", "--own_data"]
    assert main(["run", *flags, "--values=platform=web,ios", "--classifier=default"]) == 0
    assert query(
        folder,
        "select breakdown_value, conversations from aggregates_current where window_kind = 'day' "
        "and breakdown = 'platform' and facet = 'all' order by 1",
    ) == [("other", 2), ("web", 2)]
    restricted = folder / "restricted"
    sql = "select reason, records from ledger where account = 'other_value'"
    assert query(restricted, sql) == [
        ("platform/invalid", 1),
        ("platform/unlisted", 1),
    ]
    said = json.loads((folder / "run.json").read_text())["settings"]
    assert said["values"] == {"platform": ["ios", "web"]}
    report = (folder / "report.html").read_text("utf-8")
    assert "Messages counted under the value other" in report
    assert not any(CANARY.encode() in f.read_bytes() for f in folder.rglob("*") if f.is_file())
