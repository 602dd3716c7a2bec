"""Tests that docs/privacy.md states what the Terraform module sets, and that its links work."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

import pytest

from pipelines.settings import Settings
from tests.deploy.conftest import ROOT
from tests.deploy.plans import in_one_process
from transforms.publishing.policy import Policy

PRIVACY: Final = (ROOT / "docs" / "privacy.md").read_text("utf-8")
DAY_MS: Final = 86_400_000


def kept(store: str) -> int:
    """Returns the number of days for which a store is kept, by the table of the document."""
    found = re.search(rf"^\| `?{re.escape(store)}`? \|.*\| (\d+) days", PRIVACY, re.MULTILINE)
    assert found is not None, store
    return int(found[1])


@in_one_process
def test_stores_are_kept_as_long_as_the_document_says(planned: dict[str, Any]) -> None:
    """The days in the document are those of the tables, buckets and topics."""
    for name in ("counts", "candidates", "sample", "judgements", "bases", "dead_letters"):
        (partitioning,) = planned[f"google_bigquery_table.{name}"]["time_partitioning"]
        assert partitioning["expiration_ms"] == kept(name) * DAY_MS
    for bucket, store in (("archive", "archive"), ("temp", "temporary files")):
        (rule,) = planned[f"google_storage_bucket.{bucket}"]["lifecycle_rule"]
        assert rule["condition"][0]["age"] == kept(store)
    for topic, store in (("events", "Pub/Sub"), ('out["alerts"]', "alerts")):
        retention = planned[f"google_pubsub_topic.{topic}"]["message_retention_duration"]
        assert retention == f"{kept(store) * 86_400}s"
    upkeep = planned['google_bigquery_data_transfer_config.upkeep["ledger"]']["params"]["query"]
    assert f"INTERVAL {kept('ledger')} DAY" in upkeep
    assert timedelta(days=kept("stream's state")) == Settings().firings.conversation_life


def test_the_promises_are_those_of_the_default_policy() -> None:
    """The thresholds and the noise in the document are the publisher's defaults."""
    policy = Policy()
    assert f"at least {policy.min_users} users and {policy.min_conversations} conv" in PRIVACY
    assert f"variance {policy.variance:g}, at most {policy.max_noise} either way" in PRIVACY


@pytest.mark.parametrize(
    "name", ["docs/privacy.md", "docs/limits.md", "README.md", "CONTRIBUTING.md"]
)
def test_links_lead_somewhere(name: str) -> None:
    """Each link to a file of the project names a file, and each anchor a heading in it."""
    document = ROOT / name
    links = re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", document.read_text("utf-8"))
    assert links
    for path, anchor in links:
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings]
            assert anchor in anchors, anchor
