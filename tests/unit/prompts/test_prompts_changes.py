"""New, changed, again, reused, identical, answered: every request of a plan is one of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from runner.prompts.changes import MOST_NAMED, Change, Named, Newest, compare
from runner.prompts.key import key_and_parts
from runner.prompts.plan import PlanLedger
from runner.records import Request, Source

BODY = {"model": "m", "max_tokens": 9, "system": "Be brief.", "messages": []}


def request(n: int, text: str, **changes: Any) -> Request:
    id, body = changes.pop("id", f"r{n}"), {**BODY, "messages": text, **changes}
    key, parts = key_and_parts("anthropic", (), body, 0)
    return Request(n, id, {}, 0, key, "m", 9, b"{}", Source("t.csv", n + 2), parts=parts)


@dataclass
class Runs:
    """Earlier runs by hand. asked: id → (run, request as it was); answered: keys.

    named, looked_up: what `runs_of` and `had` were asked.
    """

    asked: Mapping[str, tuple[str, Request]] = field(default_factory=dict)
    answered: frozenset[bytes] = frozenset()
    named: list[str] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)

    def known(self, keys: Sequence[bytes]) -> Collection[bytes]:
        return self.answered & {*keys}

    def runs_of(self, names: Sequence[Named]) -> Sequence[str | None]:
        self.named += [id for id, _, _ in names]
        return [self.asked[id][0] if id in self.asked else None for id, _, _ in names]

    def had(self, id: str, cell: Mapping[str, Any], repeat: int) -> tuple[str, Mapping[str, str]] | None:
        self.looked_up.append(id)
        was = self.asked[id][1]
        return was.key, was.parts


@contextmanager
def ledger_of(*requests: Request, cells: int = 1, repeat: int = 1) -> Iterator[PlanLedger]:
    with closing(PlanLedger()) as ledger:
        ledger.add(requests, cells=cells, repeat=repeat)
        yield ledger


def runs(*requests: Request, run: str = "1", unanswered: Collection[str] = ()) -> Runs:
    answered = frozenset(bytes.fromhex(one.key) for one in requests if one.id not in unanswered)
    return Runs({one.id: (run, one) for one in requests}, answered)


def test_every_kind() -> None:
    before = runs(
        request(0, "same"),
        request(1, "old"),
        request(2, "failed"),
        request(9, "gone"),
        unanswered=["r2"],
    )
    plan = [request(0, "same"), request(1, "edited"), request(2, "failed"), request(3, "new"), request(4, "new")]
    newest = Newest("1", 4, whole=True, same=False, finished=True)
    with ledger_of(*plan, request(5, "answered")) as ledger:
        changes, settled = compare(ledger, [{}], 1, before, answered=lambda n: n == 5, newest=newest)
    assert (changes.reused, changes.changed, changes.again, changes.new, changes.identical, changes.answered) == (
        (1,) * 6
    )
    assert changes.why == {("prompt",): 1}
    assert list(settled) == [1, 0, 0, 0, 0, 1]
    assert changes.sent == 3
    assert changes.gone == 1
    assert list(changes.first_changed) == [Change("r1", {}, 0, ("prompt",))]
    assert list(changes.first_new) == [Change("r3", {}, 0)]


def test_a_reason_may_have_several_parts() -> None:
    before = runs(*(request(n, "x") for n in range(3)), unanswered=["r0", "r1", "r2"])
    plan = [request(0, "y"), request(1, "x", system="Be long."), request(2, "z", model="k", max_tokens=3)]
    with ledger_of(*plan) as ledger:
        changes, _ = compare(ledger, [{}], 1, before, answered=lambda n: False)
    assert changes.why == {("prompt",): 1, ("system",): 1, ("model", "prompt", "parameters"): 1}


def test_lines_from_before_parts_were_kept_give_no_reason() -> None:
    with ledger_of(request(0, "y")) as ledger:
        before = runs(replace(request(0, "x"), parts={}), unanswered=["r0"])
        changes, _ = compare(ledger, [{}], 1, before, answered=lambda n: False)
    assert changes.why == {(): 1}


def test_an_answer_under_another_id_is_reused() -> None:
    with ledger_of(request(0, "x", id="renamed")) as ledger:
        changes, settled = compare(ledger, [{}], 1, runs(request(0, "x")), answered=lambda n: False)
    assert (changes.reused, list(settled)) == (1, [1])


def test_without_reuse_everything_is_sent_again() -> None:
    with ledger_of(request(0, "x"), request(1, "y")) as ledger:
        before = runs(request(0, "x"))
        changes, settled = compare(ledger, [{}], 1, before, reuse=False, answered=lambda n: False)
    assert (changes.again, changes.new, changes.reused, changes.sent) == (1, 1, 0, 2)
    assert not any(settled)


def test_reused_and_new_requests_cost_no_look_at_their_line() -> None:
    before = runs(request(0, "x"))
    with ledger_of(request(0, "x"), request(1, "y")) as ledger:
        compare(ledger, [{}], 1, before, answered=lambda n: False)
    assert before.looked_up == []


def test_of_the_same_plan_nothing_is_gone_and_only_what_is_sent_is_looked_up_by_name() -> None:
    before = runs(request(0, "x"), request(1, "y"), unanswered=["r1"])
    newest = Newest("1", 2, whole=True, same=True, finished=True)
    with ledger_of(request(0, "x"), request(1, "y")) as ledger:
        changes, _ = compare(ledger, [{}], 1, before, answered=lambda n: False, newest=newest)
    assert (changes.reused, changes.again, changes.gone) == (1, 1, 0)
    assert before.named == ["r1"]


def test_cell_and_repeat_follow_from_the_place() -> None:
    cells = [{"model": "a"}, {"model": "b"}]
    plan = [request(n, f"{n}", id=f"r{n // 4}") for n in range(8)]
    with ledger_of(*plan, cells=2, repeat=2) as ledger:
        changes, _ = compare(ledger, cells, 2, Runs(), answered=lambda n: False)
    assert changes.new == 8
    assert [(one.id, one.cell["model"], one.repeat) for one in changes.first_new] == [
        ("r0", "a", 0), ("r0", "a", 1), ("r0", "b", 0), ("r0", "b", 1), ("r1", "a", 0),
    ]  # fmt: skip
    assert len(changes.first_new) == MOST_NAMED


def test_what_a_retry_took_over_is_not_gone() -> None:
    newest = Newest("1", 2, whole=True, same=False, finished=True, retries=["2"])
    with ledger_of(request(0, "x")) as ledger:
        changes, _ = compare(ledger, [{}], 1, runs(request(0, "x"), run="2"), answered=lambda n: False, newest=newest)
    assert changes.gone == 1


def test_what_is_gone_is_not_told_where_a_later_run_hides_it() -> None:
    newest = Newest("1", 2, whole=True, same=False, finished=True, retries=["2"])
    with ledger_of(request(0, "x")) as ledger:
        changes, _ = compare(ledger, [{}], 1, runs(request(0, "x"), run="3"), answered=lambda n: False, newest=newest)
    assert changes.gone is None


def test_what_is_gone_is_only_told_of_whole_runs() -> None:
    newest = Newest("1", 4, whole=False, same=False, finished=True)
    with ledger_of(request(0, "x")) as ledger:
        changes, _ = compare(ledger, [{}], 1, runs(request(0, "x")), answered=lambda n: False, newest=newest)
    assert changes.gone is None


def test_more_requests_than_are_looked_up_at_once() -> None:
    plan = [request(n, f"{n}") for n in range(1234)]
    with ledger_of(*plan) as ledger:
        changes, settled = compare(ledger, [{}], 1, runs(*plan[::2]), answered=lambda n: False)
    assert (changes.reused, changes.new) == (617, 617)
    assert sum(settled) == 617
