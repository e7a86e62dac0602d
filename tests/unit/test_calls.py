"""Several calls for one request, over a socket: turns, pauses, doubling, asking again, stopping and going on."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.engine.live import Stop
from runner.pipeline import run_job
from runner.planning import PlanOptions, plan_job
from runner.records import AttemptEnded, Event
from runner.simulator import Simulator, SimulatorConfig
from runner.sitting import Finished, RunOptions, Started, World
from runner.store import read_results

HEAD = "name: job\nmodel: claude-opus-5-5\nmax_tokens: 300\ncache: off\nfallbacks: off\n"
DIALOGUES = """\
turns:
- user: "About {{ topic }}."
- system: Answer in one sentence.
- user: "Deeper, after: {{ replies[-1].text }}"
  when: "deep == 'yes'"
- user: "That was {{ replies | length }}. End."
inputs:
- {id: long, topic: cats, deep: "yes"}
- {id: short, topic: dogs, deep: "no"}
"""
CALLS = 5


class Crash(Exception):
    """The process dies here."""


class Sittings:
    """Runs one spec, as often as wanted, against one simulator; counts what that was asked."""

    def __init__(self, folder: Path, text: str) -> None:
        self.folder = folder
        self.spec = folder / "job.yaml"
        self.spec.write_text(HEAD + text, encoding="utf-8")

    def play(self, *observers: Callable[[Stop, Event], None] | None) -> tuple[list[Finished | None], Simulator]:
        """One sitting for each observer (None: nobody watches); None for one that crashed."""
        return asyncio.run(self._play(observers))

    async def _play(self, observers: Any) -> tuple[list[Finished | None], Simulator]:
        async with Simulator(SimulatorConfig()) as simulator:
            return [await self._sit(observer, simulator.url) for observer in observers], simulator

    async def _sit(self, observer: Any, url: str) -> Finished | None:
        stop = Stop()

        def watch(started: Started) -> Callable[[Event], None]:
            return lambda event: observer(stop, event) if observer else None

        options = RunOptions(outputs=self.folder / "outputs", simulate=True, concurrency=1)
        with plan_job(self.spec, PlanOptions(), env={}, stdin=io.BytesIO()) as planned:
            try:
                return await run_job(planned, options, stop, World(env={}, observer=watch), url)
            except Crash:
                return None


def lines(finished: Finished | None) -> list[dict[str, Any]]:
    assert finished is not None
    return list(read_results(Path(finished.summary.folder)))


def result(folder: Path, text: str) -> dict[str, Any]:
    """The only result of a spec."""
    (finished,), _ = Sittings(folder, text).play(None)
    (line,) = lines(finished)
    return line


def made(line: dict[str, Any]) -> list[tuple[str, int]]:
    return [(call["for"], call["turn"]) for call in line["calls"]]


def asked(text: str) -> str:
    return f'prompt: "{text}"\n'


def test_dialogues_of_different_length_per_row(tmp_path: Path) -> None:
    (finished,), simulator = Sittings(tmp_path, DIALOGUES).play(None)
    long, short = lines(finished)
    assert made(long) == [("turn", 0), ("turn", 1), ("turn", 2)]
    assert made(short) == [("turn", 0), ("turn", 1)]
    assert "That was 2. End." in long["text"]
    assert "Deeper, after: [claude-opus-5-5]" in long["calls"][1]["response"]["content"][0]["text"]
    for line in (long, short):
        usage = [call["usage"] for call in line["calls"]]
        assert line["usage"]["output_tokens"] == sum(one["output_tokens"] for one in usage)
        assert line["billed_usd"] == line["cost_usd"] == pytest.approx(sum(call["cost_usd"] for call in line["calls"]))
    assert simulator.log.messages == CALLS
    assert finished is not None
    assert finished.summary.retries == 0


def test_a_paused_turn_is_continued(tmp_path: Path) -> None:
    tools = "tools: [{type: web_search_20260318, name: web_search}]\nrun: {reuse: true}\n"
    line = result(tmp_path, tools + asked("look [[simulate:pause=2]]"))
    assert made(line) == [("turn", 0), ("continue", 0), ("continue", 0)]
    assert (line["status"], line["stop_reason"]) == ("ok", "end_turn")


def test_a_turn_that_pauses_for_ever_is_given_up_after_ten_times(tmp_path: Path) -> None:
    tools = "tools: [{type: web_search_20260318, name: web_search}]\nrun: {reuse: true}\n"
    line = result(tmp_path, tools + asked("look [[simulate:stop=pause_turn]]"))
    assert (len(line["calls"]), line["status"], line["good"]) == (11, "truncated", False)


@pytest.mark.parametrize(
    ("wish", "status", "good", "calls"),
    [("fail", "truncated", False, 1), ("accept", "truncated", True, 1), ("double", "ok", True, 2)],
)
def test_on_truncated(tmp_path: Path, wish: str, status: str, good: bool, calls: int) -> None:
    line = result(tmp_path, f"output: {{on_truncated: {wish}}}\n" + asked("long [[simulate:tokens=500]]"))
    assert (line["status"], line["good"], len(line["calls"])) == (status, good, calls)


def test_thinking_that_ate_all_tokens_is_reported_as_that(tmp_path: Path) -> None:
    text = "thinking: adaptive\n" + asked("think [[simulate:thinking=900]]")
    (finished,), _ = Sittings(tmp_path, text).play(None)
    (line,) = lines(finished)
    assert (line["status"], line["text"]) == ("truncated", "")
    assert line["problems"] == ["thinking took all of `max_tokens`, so that no text was written"]
    assert finished is not None
    assert [group.kind for group in finished.summary.groups] == ["only_thinking"]


def test_an_answer_that_ignores_its_schema_is_asked_for_again(tmp_path: Path) -> None:
    schema = "output: {schema: {type: object, properties: {n: {type: integer}}, required: [n]}}\n"
    line = result(tmp_path, schema + asked("count [[simulate:no_json]]"))
    # The simulator reads markers from the last user message, so what is asked again is answered with JSON.
    assert made(line) == [("turn", 0), ("ask_again", 0)]
    assert (line["status"], list(line["output"])) == ("ok", ["n"])


def test_a_refused_turn_ends_the_conversation(tmp_path: Path) -> None:
    text = 'turns: [{user: one}, {user: "two [[simulate:refusal]]"}, {user: three}]\n'
    line = result(tmp_path, text)
    assert (len(line["calls"]), line["status"], line["good"]) == (2, "refused", False)
    assert line["problems"] == ["the conversation ended with turn 2, before the end of its script"]


def test_a_call_that_fails_for_good_fails_its_request_and_keeps_the_earlier_ones(tmp_path: Path) -> None:
    line = result(tmp_path, 'turns: [{user: one}, {user: "two [[simulate:400]]"}]\n')
    assert (line["status"], line["failure"]["kind"]) == ("failed", "invalid_request")
    assert [call["response"] is None for call in line["calls"]] == [False, True]
    assert line["billed_usd"] == line["calls"][0]["cost_usd"]


def test_a_later_call_is_tried_again_by_itself(tmp_path: Path) -> None:
    retry = "run: {retry: {base: 0, cap: 0}}\n"
    line = result(tmp_path, retry + 'turns: [{user: one}, {user: "two [[simulate:overloaded=2]]"}]\n')
    assert line["status"] == "ok"
    assert [[attempt["n"] for attempt in call["attempts"]] for call in line["calls"]] == [[1], [1, 2, 3]]


def after(events: int, do: Callable[[Stop], None]) -> Callable[[Stop, Event], None]:
    """Do something once so many attempts have ended."""
    left = [events]

    def observe(stop: Stop, event: Event) -> None:
        left[0] -= isinstance(event, AttemptEnded)
        if not left[0]:
            do(stop)

    return observe


def crash(stop: Stop) -> None:
    raise Crash


def answers(finished: Finished | None) -> list[Any]:
    return [(line["id"], line["text"], line["usage"], made(line)) for line in lines(finished)]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    (finished,), _ = Sittings(tmp_path_factory.mktemp("whole"), DIALOGUES).play(None)
    return answers(finished)


@pytest.mark.parametrize("end", [crash, Stop.request], ids=["killed", "stopped"])
@pytest.mark.parametrize("events", range(1, CALLS))
def test_no_reply_of_a_dialogue_is_paid_for_twice(
    tmp_path: Path, events: int, end: Callable[[Stop], None], uninterrupted: list[Any]
) -> None:
    (_, finished), simulator = Sittings(tmp_path, DIALOGUES).play(after(events, end), None)
    assert simulator.log.messages == CALLS
    assert answers(finished) == uninterrupted
    assert finished is not None
    assert (finished.summary.maybe_billed_attempts, finished.summary.retries) == (0, 0)


def test_a_dialogue_whose_later_call_is_out_of_reach_goes_on_there(tmp_path: Path) -> None:
    text = "run: {retry: {max: 0}}\n" + 'turns: [{user: one}, {user: "two [[simulate:overloaded=1]]"}]\n'
    (first, second), simulator = Sittings(tmp_path, text).play(None, None)
    assert first is not None
    assert (first.exit_code, first.summary.transient) == (75, 1)
    (line,) = lines(second)
    assert (line["status"], made(line)) == ("ok", [("turn", 0), ("turn", 1)])
    assert simulator.log.messages == 3  # one, two in vain, two
    assert line["billed_usd"] == pytest.approx(sum(call["cost_usd"] for call in line["calls"]))


def test_the_journal_numbers_the_calls(tmp_path: Path) -> None:
    (finished,), _ = Sittings(tmp_path, "turns: [{user: one}, {user: two}]\n").play(None)
    assert finished is not None
    journal = (Path(finished.summary.folder) / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    assert [(line["t"], line["call"]) for line in map(json.loads, journal)] == [("sent", 0), ("reply", 0), ("sent", 1)]
