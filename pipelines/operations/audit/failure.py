"""The error that an audit ends with if it found something."""

from __future__ import annotations


class AuditFailedError(RuntimeError):
    """Raised if an attack found out more than is promised.

    Args:
      findings: how many things were found.
    """

    def __init__(self, findings: int) -> None:
        things = "one thing" if findings == 1 else f"{findings:,} things"
        super().__init__(f"the audit found {things} that analysts could use against single people")
