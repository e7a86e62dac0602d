"""Free questions: answered in order, a few at a time, tried again when that may help."""

from __future__ import annotations

import asyncio
from random import Random

from runner.engine.ask import ask_all
from runner.records import Failure, RetryPolicy

BUSY = Failure("overloaded", "busy", 529)
WRONG = Failure("invalid_request", "no", 400)


class PatientClock:
    """Every wait is over at once."""

    waited = 0.0

    def now(self) -> float:
        return self.waited

    def utc(self) -> str:
        return "2026-11-22T09:28:11.123Z"

    async def sleep(self, seconds: float) -> None:
        self.waited += seconds


class Question:
    """Gives its answers in turn."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self):
        self.asked += 1
        await asyncio.sleep(0)
        return self.answers.pop(0)


def ask(*questions, concurrency=2, retries=2):
    policy = RetryPolicy(max=retries)
    return asyncio.run(ask_all(questions, concurrency=concurrency, retry=policy, clock=PatientClock(), rng=Random(1)))


def test_answers_come_in_the_order_of_the_questions():
    assert ask(Question(BUSY, 1), Question(2), Question(3)) == [1, 2, 3]


def test_what_may_pass_is_tried_again_and_what_will_not_is_told():
    patient, hopeless, wrong = Question(BUSY, BUSY, 7), Question(BUSY, BUSY, BUSY), Question(WRONG)
    assert ask(patient, hopeless, wrong) == [7, BUSY, WRONG]
    assert (patient.asked, hopeless.asked, wrong.asked) == (3, 3, 1)


def test_no_more_than_a_few_at_a_time():
    now, most = [0], [0]

    async def question():
        now[0] += 1
        most[0] = max(most[0], now[0])
        await asyncio.sleep(0)
        now[0] -= 1
        return 1

    assert ask(*[question] * 9, concurrency=3) == [1] * 9
    assert most == [3]
