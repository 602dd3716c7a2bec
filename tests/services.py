"""What a test needs and a machine may not have: had, or the test is skipped with the reason."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from deploy.local.packages import InstallError
from deploy.local.processes import ServiceError


def have(make: Callable[[], Any]) -> Any:
    """Returns what is made, or skips the test if the machine lacks a program or the network.

    In CI that is a failure. A failed install is a failure everywhere.
    """
    try:
        return make()
    except InstallError:
        raise
    except ServiceError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
