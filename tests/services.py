"""Skips tests that need a service that this machine cannot run."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from deploy.local.packages import InstallError
from deploy.local.processes import ServiceError


def have(make: Callable[[], Any]) -> Any:
    """Returns what `make` returns; skips the test if a program or the network is missing.

    In CI a missing program or network fails the test instead. If an installation fails, the test
    fails on every machine.
    """
    try:
        return make()
    except InstallError:
        raise
    except ServiceError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
