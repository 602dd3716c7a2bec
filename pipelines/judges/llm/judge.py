"""The judge `llm`: asks a language model about several conversations at a time."""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import PurePath
from typing import Final, NamedTuple

from pipelines.judges.interface import Transcript, Verdict
from pipelines.judges.llm.answer import is_refusal, read_answer
from pipelines.judges.llm.client import Client
from pipelines.judges.llm.cost import Budget, SpentError
from pipelines.judges.llm.pace import Pace, StoppedError
from pipelines.judges.llm.prompt import Ask, Question
from pipelines.judges.llm.tally import Tally
from pipelines.judges.llm.wire import FILTERED, Failure, Message, Reply
from schemas.failures import InputError
from schemas.judged import INVALID, JUDGED, REFUSED, JudgedLabels

NAME: Final = "llm"
MOST_CONCURRENCY: Final = 64
_OUTAGE: Final = 3
"""So many conversations without answer, one after another, are an outage."""
_NO_ANSWER: Final = "(no answer)"
_TOO_LONG: Final = "the answer was too long; answer with the JSON object alone"


class _Unanswered(NamedTuple):
    """A conversation that has no verdict, because the endpoint failed."""

    failure: Failure


class _Rejected(NamedTuple):
    """A conversation that the endpoint can't take, e.g. because it is too long."""

    failure: Failure
    verdict: Verdict


class _Ended(NamedTuple):
    """A conversation that was not asked about, because judging ends."""


class _Crashed(NamedTuple):
    """A fault of the program. The error itself may hold text, so only its place is kept."""

    where: str


_Outcome = Verdict | _Unanswered | _Rejected | _Ended | _Crashed


class LlmJudge:
    """Labels conversations with a language model; see `pipelines.judges.interface.Judge`.

    A conversation whose answer is not valid is asked about once more, with a sentence that says
    what is wrong. If that fails too, its status is `INVALID`. A conversation for which the endpoint
    gave no answer gets no verdict, so a later run judges it.
    """

    name = NAME

    def __init__(
        self,
        version: str,
        ask: Ask,
        client: Client,
        budget: Budget,
        pace: Pace,
        tally: Tally,
        concurrency: int = 4,
    ) -> None:
        """Makes a judge. All uses of it share one budget.

        Raises:
          InputError: if `concurrency` is out of range.
        """
        if not 1 <= concurrency <= MOST_CONCURRENCY:
            raise InputError(f"concurrency must be 1 to {MOST_CONCURRENCY}, got {concurrency}")
        self.version = version
        self.tally = tally
        self._ask = ask
        self._client = client
        self._budget = budget
        self._pace = pace
        self._concurrency = concurrency

    @property
    def spent(self) -> float:
        """What judging has cost, answers without a verdict included."""
        return self._budget.spent

    def judge(self, transcripts: Iterable[Transcript]) -> Iterator[Verdict]:
        """Yields one verdict for each conversation that has one, as soon as it is known.

        Reads only as many conversations ahead as it asks about at a time. If the caller stops
        before the end, or on Ctrl-C, the open requests are given up, and what they cost is not
        known. After that the judge can't be used again.

        Raises:
          InputError: if the judge was stopped, the money is spent, the endpoint is down or refuses
            every request, or some conversations got no answer. All verdicts of the other
            conversations come before.
        """
        if self._pace.is_stopped():
            raise InputError("the judge llm was stopped; make another one")
        todo: queue.SimpleQueue[Transcript | None] = queue.SimpleQueue()
        done: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
        for _ in range(self._concurrency):
            # Daemons: Ctrl-C must not wait for an answer that may take minutes.
            threading.Thread(target=self._work, args=(todo, done), daemon=True).start()
        course = _Course(self.tally, self._budget)
        source = iter(transcripts)
        open_, has_more = 0, True
        try:
            while True:
                while has_more and open_ < self._concurrency and course.reason is None:
                    transcript = next(source, None)
                    has_more = transcript is not None
                    if transcript is not None:
                        todo.put(transcript)
                        open_ += 1
                if not open_:
                    break
                outcome = done.get()
                open_ -= 1
                yield from course.take(outcome)
        except BaseException:
            self._pace.stop()
            raise
        finally:
            for _ in range(self._concurrency):
                todo.put(None)
        course.end()

    def _work(
        self,
        todo: queue.SimpleQueue[Transcript | None],
        done: queue.SimpleQueue[_Outcome],
    ) -> None:
        while (transcript := todo.get()) is not None:
            done.put(_safely(partial(self._outcome, transcript)))

    def _outcome(self, transcript: Transcript) -> _Outcome:
        try:
            return self._asked(transcript)
        except (SpentError, StoppedError):
            return _Ended()

    def _asked(self, transcript: Transcript) -> _Outcome:
        question = self._ask(transcript)
        messages = [Message(True, question.text)]
        asked = self._client.ask(question.system, messages, question.schema)
        read, cost = _read(asked.outcome, question), asked.cost
        is_again = bool(read.complaint)
        if is_again:
            self.tally.count_asked_again()
            messages += read.complaint
            asked = self._client.ask(question.system, messages, question.schema)
            read, cost = _read(asked.outcome, question), cost + asked.cost
        verdict = Verdict(
            transcript.conversation,
            transcript.started_at_us,
            transcript.human_messages,
            read.status,
            read.labels,
            cost,
        )
        if read.failure is None:
            return verdict
        if not read.failure.is_about_the_request:
            return _Unanswered(read.failure)
        return verdict if is_again else _Rejected(read.failure, verdict)


class _Read(NamedTuple):
    """What an answer says.

    Attributes:
      status: status of the verdict, if this is the last answer.
      labels: the labels, if they are valid.
      failure: why there is no answer.
      complaint: what is said to the model before it is asked again.
    """

    status: str
    labels: JudgedLabels | None = None
    failure: Failure | None = None
    complaint: tuple[Message, ...] = ()


def _read(outcome: Reply | Failure, question: Question) -> _Read:
    if isinstance(outcome, Failure):
        return _Read(REFUSED) if outcome.kind == FILTERED else _Read(INVALID, failure=outcome)
    labels = read_answer(outcome.text, question.request, question.human_messages)
    if isinstance(labels, JudgedLabels):
        return _Read(JUDGED, labels)
    if outcome.is_refusal or is_refusal(outcome.text):
        return _Read(REFUSED)
    fault = _TOO_LONG if outcome.is_cut else labels
    return _Read(
        INVALID,
        complaint=(
            Message(False, outcome.text or _NO_ANSWER),
            Message(True, f"Your answer is not valid: {fault}. Answer again."),
        ),
    )


class _Course:
    """Decides after each outcome what to yield, and whether to go on."""

    def __init__(self, tally: Tally, budget: Budget) -> None:
        self.reason: str | None = None
        """Why no further conversation is asked about."""
        self._tally = tally
        self._budget = budget
        self._has_reply = False
        self._unanswered = self._unanswered_in_a_row = 0
        self._rejected: list[_Rejected] = []

    def take(self, outcome: _Outcome) -> Iterator[Verdict]:
        """Takes one outcome, and yields the verdicts that are now certain."""
        match outcome:
            case Verdict():
                self._has_reply, self._unanswered_in_a_row = True, 0
                yield from map(self._counted, [*(one.verdict for one in self._rejected), outcome])
                self._rejected = []
            case _Rejected() if self._has_reply:
                yield self._counted(outcome.verdict)
            case _Rejected():
                # Before the first reply nobody knows whether the endpoint takes any request.
                self._rejected.append(outcome)
                if len(self._rejected) >= _OUTAGE:
                    self._stop(_refuses(outcome.failure))
            case _Unanswered():
                self._tally.unanswered += 1
                self._unanswered += 1
                self._unanswered_in_a_row += 1
                if not outcome.failure.may_pass:
                    self._stop(_refuses(outcome.failure))
                elif self._unanswered_in_a_row >= _OUTAGE:
                    self._stop(f"the endpoint does not answer ({outcome.failure})")
            case _Ended():
                self._stop(
                    f"max_cost is reached: {self._budget.spent:.4g} of {self._budget.most:.4g} is "
                    "spent, and the next request may not fit. Run again with a new max_cost"
                )
            case _Crashed():
                raise RuntimeError(f"the judge llm failed with {outcome.where}")

    def end(self) -> None:
        """Ends judging.

        Raises:
          InputError: if not every conversation has a verdict.
        """
        if self.reason is None and self._rejected:
            self._stop(_refuses(self._rejected[0].failure))
        if self.reason is None and self._unanswered:
            faults = ", ".join(sorted(self._tally.faults))
            self._stop(f"{self._unanswered:,} conversations got no answer ({faults})")
        if self.reason is not None:
            raise InputError(f"{self.reason}; what was judged is kept, so run again to go on")

    def _counted(self, verdict: Verdict) -> Verdict:
        self._tally.verdicts[verdict.status] += 1
        return verdict

    def _stop(self, reason: str) -> None:
        self.reason = self.reason or reason


def _refuses(failure: Failure) -> str:
    cures = {
        401: "check the key in the environment",
        403: "check what the key may do",
        404: "check llm_url and llm_model",
    }
    cure = cures.get(failure.status, "check llm_url, llm_model and how long a request may be")
    return f"the endpoint refuses the requests ({failure}): {cure}"


def _safely(work: Callable[[], _Outcome]) -> _Outcome:
    try:
        return work()
    except Exception as error:  # noqa: BLE001 (its message and frames may hold text)
        last = traceback.extract_tb(error.__traceback__)[-1]
        return _Crashed(f"{type(error).__name__} at {PurePath(last.filename).name}:{last.lineno}")
