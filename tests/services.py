"""Skips a test if the machine does not have a service that the test needs."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from deploy.local.packages import InstallError
from deploy.local.processes import ServiceError


def have(make: Callable[[], Any]) -> Any:
    """Returns what `make` makes, or skips the test if the machine lacks a program or the network.

    In CI the test fails instead. A failed install fails everywhere.
    """
    try:
        return make()
    except InstallError:
        raise
    except ServiceError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
