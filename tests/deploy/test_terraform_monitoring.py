"""Tests the alerts and the dashboard that the Terraform module makes."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.deploy.conftest import ROOT
from tests.deploy.plans import in_one_process


def planned_alerts(planned: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Returns the severity and query of each metric alert, by the runbook section of the alert."""
    return {
        values["documentation"][0]["content"].rpartition("#alert-")[2]: {
            "severity": values["severity"],
            "query": values["conditions"][0]["condition_prometheus_query_language"][0]["query"],
        }
        for address, values in planned.items()
        if address.startswith("google_monitoring_alert_policy.query")
    }


@in_one_process
def test_every_alert_has_a_section_in_the_runbook(planned: dict[str, Any]) -> None:
    """Each alert names a section of the runbook, and each alert section has an alert."""
    runbook = (ROOT / "deploy" / "runbook.md").read_text()
    headings = re.findall(r"^#+ (.+)$", runbook, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    named = {
        values["documentation"][0]["content"].rpartition("#")[2]
        for address, values in planned.items()
        if address.startswith("google_monitoring_alert_policy.")
    }
    assert len(named) == 13
    assert named == {anchor for anchor in anchors if anchor.startswith("alert-")}


@in_one_process
def test_an_outage_of_bigquery_wakes_somebody(planned: dict[str, Any]) -> None:
    """Alerts watch the rows that BigQuery took; rows are counted even while BigQuery is down."""
    alerts = planned_alerts(planned)
    assert "written_rows/ledger" in alerts["missing-rows"]["query"]
    assert "written_rows/counts" in alerts["counting-silence"]["query"]
    assert "job_data_watermark_age" in alerts["watermark-lag"]["query"]
    assert not any('"rows"' in alert["query"] for alert in alerts.values())
    for name in ("missing-rows", "counting-silence", "watermark-lag"):
        assert alerts[name]["severity"] == "CRITICAL"


@in_one_process
def test_queries_name_counters_that_the_job_has(planned: dict[str, Any]) -> None:
    """Every counter in an alert or a chart is counted by some step."""
    asked = json.dumps([v for a, v in planned.items() if a.startswith("google_monitoring_")])
    names = {*re.findall(r'metric_name=~?\\+"(.+?)\\+"', asked)}
    assert names
    code = "".join(
        path.read_text()
        for folder in ("transforms", "pipelines")
        for path in (ROOT / folder).rglob("*.py")
    )
    for name in names:
        for part in re.findall(r"[a-z_]{4,}", re.sub("_(COUNT|MEAN|MAX)$", "", name)):
            assert f'"{part}"' in code, part


@in_one_process
def test_the_dashboard_shows_every_chart(planned: dict[str, Any]) -> None:
    """The charts fill a grid of two columns without gaps, each with a title and lines."""
    dashboard = json.loads(planned["google_monitoring_dashboard.undertone"]["dashboard_json"])
    tiles = dashboard["mosaicLayout"]["tiles"]
    places = {(tile["xPos"], tile["yPos"]) for tile in tiles}
    assert places == {(x, 4 * y) for x in (0, 6) for y in range(len(tiles) // 2)}
    for tile in tiles:
        assert tile["widget"]["title"]
        sets = tile["widget"]["xyChart"]["dataSets"]
        assert all(one["timeSeriesQuery"]["prometheusQuery"] for one in sets)
