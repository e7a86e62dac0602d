"""Scripted turns: from YAML to requests, what planning finds, what each reply leads to, and what the key is of."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import orjson
import pytest
from follow_requests import call, message, played

from runner.errors import SpecError
from runner.planning import PlanOptions, plan_job
from runner.prompts.follow import follow
from runner.prompts.judge import judge
from runner.records import Request

HEAD = "model: claude-opus-5-5\nmax_tokens: 100\ncache: off\n"


def planned(folder: Path, text: str) -> list[Request]:
    spec = folder / "job.yaml"
    spec.write_text(HEAD + text, encoding="utf-8")
    with plan_job(spec, PlanOptions(), env={}, stdin=io.BytesIO()) as job:
        return list(job.requests())


def problem(folder: Path, text: str) -> str:
    with pytest.raises(SpecError) as error:
        planned(folder, text)
    return str(error.value)


def said(request: Request, *replies: str) -> list[Any]:
    """The messages of the last call that is made when these are the replies."""
    seen: list[Any] = []

    def answer(number: int, body: dict[str, Any]) -> dict[str, Any]:
        seen.append(body["messages"])
        return message(replies[number])

    played(request, answer)
    assert len(seen) == len(replies)
    return seen[-1]


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def test_the_first_call_asks_the_first_turn(tmp_path: Path) -> None:
    (request,) = planned(tmp_path, 'turns: [{user: "about {{ x }}"}, {user: more}]\ninputs: [{x: cats}]\n')
    assert orjson.loads(request.body)["messages"] == [user("about cats")]


def test_later_turns_see_the_row_and_the_replies(tmp_path: Path) -> None:
    later = "{{ x }}: {{ replies[-1].text }} of {{ replies | length }}"
    text = f'turns: [{{user: one}}, {{user: "{later}"}}]\ninputs: [{{x: cats}}]\n'
    (request,) = planned(tmp_path, text)
    assert said(request, "purr", "end")[-1] == user("cats: purr of 1")


def test_structured_output_of_earlier_replies_is_read_by_name(tmp_path: Path) -> None:
    schema = "output: {schema: {type: object, properties: {n: {type: integer}}, required: [n]}}\n"
    text = schema + 'turns: [{user: one}, {user: "twice {{ replies[0].output.n }}"}]\n'
    (request,) = planned(tmp_path, text)
    assert said(request, '{"n": 7}', '{"n": 8}')[-1] == user("twice 7")


def test_a_system_message_goes_right_behind_the_user_turn_it_stands_before(tmp_path: Path) -> None:
    text = "turns: [{user: one}, {system: be brief}, {system: and kind}, {user: two}]\n"
    (request,) = planned(tmp_path, text)
    blocks = [{"type": "text", "text": "be brief"}, {"type": "text", "text": "and kind"}]
    assert said(request, "a", "b")[-2:] == [user("two"), {"role": "system", "content": blocks}]


@pytest.mark.parametrize(("deep", "last"), [("yes", ["two", "three"]), ("no", ["three"])])
def test_when_skips_a_turn_and_its_system_message(tmp_path: Path, deep: str, last: list[str]) -> None:
    text = (
        "turns: [{user: one}, {system: be brief}, {user: two, when: \"deep == 'yes'\"}, {user: three}]\n"
        f'inputs: [{{deep: "{deep}"}}]\n'
    )
    (request,) = planned(tmp_path, text)
    messages = said(request, *["a"] * (1 + len(last)))
    assert [one["content"] for one in messages if one["role"] == "user"] == ["one", *last]
    assert any(one["role"] == "system" for one in messages) is (deep == "yes")


def test_when_may_depend_on_a_reply(tmp_path: Path) -> None:
    (request,) = planned(tmp_path, "turns: [{user: one}, {user: why, when: \"'no' in replies[-1].text\"}]\n")
    assert said(request, "no", "because")[-1] == user("why")
    assert said(request, "yes") == [user("one")]


def test_a_first_turn_may_be_skipped(tmp_path: Path) -> None:
    (request,) = planned(
        tmp_path, 'turns: [{user: one, when: "x > 1"}, {user: two}, {user: three}]\ninputs: [{x: 1}]\n'
    )
    answer = {"role": "assistant", "content": message("a")["content"]}
    assert said(request, "a", "b") == [user("two"), answer, user("three")]


def test_one_expression_gives_each_row_its_own_turns(tmp_path: Path) -> None:
    rows = '[{asks: [one]}, {asks: [{user: one}, {system: brief}, {user: "{{ two }}"}]}]'
    text = f'turns: "{{{{ row.asks }}}}"\ninputs: {rows}\n'
    short, long = planned(tmp_path, text)
    assert said(short, "a") == [user("one")]
    assert said(long, "a", "b")[-2:] == [user("{{ two }}"), {"role": "system", "content": "brief"}]


def test_a_row_may_bring_turns_of_its_own(tmp_path: Path) -> None:
    rows = "[{x: 1}, {x: 2, overrides: {turns: [{user: one}, {user: two}]}}]"
    text = f'turns: [{{user: "hello {{{{ x }}}}"}}]\ninputs: {rows}\n'
    plain, own = planned(tmp_path, text)
    assert said(plain, "a") == [user("hello 1")]
    assert said(own, "a", "b")[-1] == user("two")


# ---------------------------------------------------------------- planning


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('turns: [{user: one}, {user: "{{ misspelt }}"}]\n', "`misspelt` is not a column"),
        ('turns: [{user: one}, {user: "{{ replies[-1].text }} {{ misspelt }}"}]\n', "`misspelt` is not a column"),
        ('turns: [{user: one}, {user: "{{ replies[-1].txt }}"}]\n', "`txt` is not a key"),
        ('turns: [{user: one}, {user: two, when: "misspelt"}]\n', "`misspelt` is not a column"),
        ('turns: [{user: one}, {user: "{{ x }}"}]\ninputs: [{x: " "}]\n', "`turns[1]` renders to nothing"),
        ('turns: [{user: one}, {user: "{{ replies[1].text }}"}]\n', "at most 1 before it"),
        ('turns: [{user: one}, {user: two, when: "replies[1].text"}]\n', "at most 1 before it"),
        ('turns: [{user: one, when: "false"}]\n', "`when` skips every turn"),
        ('turns: "{{ x }}"\ninputs: [{x: 3}]\n', "no list of turns"),
        ('turns: "{{ x }}"\ninputs: [{x: [{user: a, when: "true"}]}]\n', "`when` is for the spec"),
        ('turns: "{{ x }}"\ninputs: [{x: [{role: user}]}]\n', "`turns[0]` is no turn"),
        ('turns: "{{ x }}"\ninputs: [{x: [{user: " "}]}]\n', "`turns[0].user` is no text"),
        ("turns: [{user: hi}]\ninputs: [{overrides: {turns: [{user: a, when: x}]}}]\n", "`when` is for the spec"),
        ("turns: [{user: one}, {system: end}]\n", "a system message goes with the user turn behind it"),
        ('turns: [{user: one}, {user: two, when: "a b"}]\n', "the expression cannot be read"),
        ('turns: [{user: one}, {user: " "}]\n', "the text is empty"),
        ("turns: [{user: one}]\nprompt: hi\n", "`prompt` and `turns` stand beside each other"),
    ],
)
def test_what_is_surely_wrong_is_found_before_anything_is_sent(tmp_path: Path, text: str, what: str) -> None:
    assert what in problem(tmp_path, text)


@pytest.mark.parametrize(
    "turn",
    [
        "{{ replies[0].output.findings[0].severity }}",
        "{{ replies[-1].text.split(',')[3] }}",
        "{% if replies[-1].text == 'yes' %}{{ replies[-1].text }}{% endif %}",
        "{{ replies[-1].text | int + 1 }}",
        "{{ nothing is defined and replies[-1].text }}",
    ],
)
def test_what_only_a_reply_can_tell_is_no_problem_yet(tmp_path: Path, turn: str) -> None:
    assert len(planned(tmp_path, f"turns:\n- user: one\n- user: |-\n    {turn}\n")) == 1


def test_a_turn_may_ask_whether_there_are_enough_replies(tmp_path: Path) -> None:
    first = '{user: one, when: "deep"}, {user: two}'
    last = '{user: "{{ replies[1].text }}", when: "replies | length > 1"}'
    assert len(planned(tmp_path, f"turns: [{first}, {last}]\ninputs: [{{deep: true}}, {{deep: false}}]\n")) == 2


def test_a_turn_that_a_reply_makes_impossible_fails_its_request(tmp_path: Path) -> None:
    (request,) = planned(tmp_path, "turns:\n- user: one\n- user: \"{{ replies[-1].text.split(',')[3] }}\"\n")
    calls = [call(message("a,b"))]
    assert follow(request, calls) is None
    verdict = judge(request, calls)
    assert (verdict.status, verdict.good, verdict.failure.kind) == ("failed", False, "bad_row")
    assert "turn 2: " in verdict.failure.message


# ---------------------------------------------------------------- keys

SCRIPT = 'turns: [{user: "one {{ a }}"}, {user: "{{ replies[-1].text }} {{ b }}"}]\n'


def key(folder: Path, row: str, script: str = SCRIPT) -> str:
    (request,) = planned(folder, f"{script}inputs: [{row}]\n")
    return request.key


def test_the_key_is_of_the_templates_and_the_variables_they_use(tmp_path: Path) -> None:
    usual = key(tmp_path, "{a: 1, b: 2, c: 3}")
    assert key(tmp_path, "{a: 1, b: 2, c: 4}") == usual
    assert len({usual, key(tmp_path, "{a: 9, b: 2, c: 3}"), key(tmp_path, "{a: 1, b: 9, c: 3}")}) == 3
    assert key(tmp_path, "{a: 1, b: 2, c: 3}", SCRIPT.replace("text }} {{", "text }}, {{")) != usual
    assert key(tmp_path, "{a: 1, b: 2, c: 3}", SCRIPT.replace("}]", "}, {user: on}]")) != usual


def test_what_is_not_part_of_a_key_never_is(tmp_path: Path) -> None:
    assert key(tmp_path, "{a: 1, b: 2}", SCRIPT + "output: {on_truncated: double}\n") == key(tmp_path, "{a: 1, b: 2}")


def test_a_later_turns_file_is_part_of_the_key(tmp_path: Path) -> None:
    keys = set()
    for content in ("two", "2"):
        (tmp_path / "two.md").write_text(content, encoding="utf-8")
        keys.add(key(tmp_path, "{a: 1}", "turns: [{user: one}, {user: \"{{ file('two.md') }}\"}]\n"))
        keys.add(key(tmp_path, "{a: 1}", "turns: [{user: one}, {user: {file: two.md}}]\n"))
    assert len(keys) == 2
