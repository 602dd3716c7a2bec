"""Counts what a judge did, so that nothing is dropped silently."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

from pipelines.judges.llm.cost import Tokens
from pipelines.judges.llm.wire import Failure


class Tally:
    """Counts requests, tokens, failures and verdicts. Safe to use from several threads."""

    def __init__(self) -> None:
        self.requests = 0
        self.tokens = Tokens(0, 0)
        self.faults: Counter[str] = Counter()
        """Failed requests, by what went wrong, e.g. `timeout` or `status 429`."""
        self.without_usage = 0
        """Requests whose tokens nobody knows. They are counted at the most they can cost."""
        self.asked_again = 0
        """Answers that were not valid labels, so that the model was asked once more."""
        self.verdicts: Counter[str] = Counter()
        """Conversations by status."""
        self.unanswered = 0
        """Conversations without a verdict, because no request was answered."""
        self._lock = threading.Lock()

    def count_request(self, tokens: Tokens | None, failure: Failure | None) -> None:
        """Counts one request and what came of it."""
        with self._lock:
            self.requests += 1
            if failure is not None:
                self.faults[str(failure)] += 1
            if tokens is not None:
                self.tokens = Tokens(
                    self.tokens.read + tokens.read, self.tokens.written + tokens.written
                )
            else:
                self.without_usage += 1

    def count_asked_again(self) -> None:
        """Counts an answer that was not valid."""
        with self._lock:
            self.asked_again += 1

    def lines(self) -> Iterator[str]:
        """Yields what was counted, as sentences."""
        verdicts = [f"{count:,} {status}" for status, count in sorted(self.verdicts.items())]
        yield f"conversations: {', '.join(verdicts) or 'none'}; {self.unanswered:,} without answer"
        yield (
            f"requests: {self.requests:,}, with {self.tokens.read:,} tokens read and "
            f"{self.tokens.written:,} written; {self.asked_again:,} answers were asked for again"
        )
        if self.faults:
            faults = [f"{count:,} × {fault}" for fault, count in sorted(self.faults.items())]
            yield f"failed requests: {', '.join(faults)}"
        if self.without_usage:
            yield (
                f"{self.without_usage:,} requests without a count of tokens; each is counted at "
                "the most that it can cost"
            )
