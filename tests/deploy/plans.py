"""Reads a Terraform plan: the granted rights, and the launch requests of jobs."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

in_one_process = pytest.mark.xdist_group("terraform")
"""Keeps these tests in one process, so that they share one plan."""


def grants_of(planned: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Yields the resource, target, role and member of every granted right."""
    targets = ("topic", "subscription", "bucket", "table_id", "secret_id", "service_account_id")
    for address, values in planned.items():
        if "_iam_member." in address:
            target = next((values[key] for key in targets if key in values), "")
            yield address.split(".")[0], target.split("/")[-1], values["role"], values["member"]


def account_of(member: str) -> str:
    """Returns the account's name if the member is one of our accounts, else the member."""
    found = re.search(r"google_service_account/undertone-(\w+)/", member)
    return found[1] if found else member


def launch_of(planned: dict[str, Any], job: str) -> dict[str, Any]:
    """Returns the request with which the scheduler launches `backfill`, `judge` or `publish`."""
    (target,) = planned[f'google_cloud_scheduler_job.launch["{job}"]']["http_target"]
    launch: dict[str, Any] = json.loads(base64.b64decode(target["body"]))["launchParameter"]
    return launch
