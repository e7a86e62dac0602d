"""A plan that was kept is taken up when nothing changed, and only then; a second reading skips what is answered."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from runner.errors import SpecError
from runner.inputs import Selection
from runner.planning import AT_ONCE, PlannedJob, PlanOptions, a_few_at_once, plan_job
from runner.records import Request
from runner.spec.load import LoadOptions

SPEC = """\
model: claude-haiku-5-5
vars: {tone: {env: TONE}, place: home}
prompt: "Say {{ word }} in {{ tone }} at {{ place }}. {{ file('more.txt') }}"
inputs:
  file: words.csv
"""
ENV = {"TONE": "calm", "OTHER": "1"}


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    (tmp_path / "words.csv").write_text("word\none\ntwo\nthree\n", encoding="utf-8")
    (tmp_path / "more.txt").write_text("More.", encoding="utf-8")
    (tmp_path / "job.yaml").write_text(SPEC, encoding="utf-8")
    return tmp_path / "job.yaml"


@contextmanager
def planned(
    spec: Path, options: PlanOptions | None = None, env: Mapping[str, str] = ENV, stdin: bytes = b""
) -> Iterator[PlannedJob]:
    options = options or PlanOptions(kept=lambda job: [spec.parent / "plan.db"])
    with plan_job(spec, options, env=env, stdin=io.BytesIO(stdin)) as one:
        yield one


def keep(spec: Path, **options: bytes) -> bool:
    with planned(spec, **options) as one:
        return one.save(spec.parent / "plan.db")


def test_a_kept_plan_gives_the_same_requests(spec: Path) -> None:
    assert keep(spec)
    with planned(spec, PlanOptions()) as anew, planned(spec) as kept:
        assert kept.kept_at is not None
        assert kept.plan == anew.plan
        assert list(kept.requests()) == list(anew.requests())


def change_input(spec: Path) -> None:
    (spec.parent / "words.csv").write_text("word\none\ntwo\nthrew\n", encoding="utf-8")


def change_spec(spec: Path) -> None:
    spec.write_text(SPEC + "# a comment\n", encoding="utf-8")


def change_file_of_a_template(spec: Path) -> None:
    (spec.parent / "more.txt").write_text("Less.", encoding="utf-8")


def remove_file_of_a_template(spec: Path) -> None:
    (spec.parent / "more.txt").unlink()
    (spec.parent / "more.txt").mkdir()


@pytest.mark.parametrize("change", [change_input, change_spec, change_file_of_a_template])
def test_a_file_that_changed_means_planning_anew(spec: Path, change: object) -> None:
    keep(spec)
    assert callable(change)
    change(spec)
    with planned(spec) as one:
        assert one.kept_at is None
        assert len(list(one.requests())) == 3


def test_a_file_that_is_gone_is_told_as_ever(spec: Path) -> None:
    keep(spec)
    remove_file_of_a_template(spec)
    with pytest.raises(SpecError, match=r"more\.txt"), planned(spec):
        pass


@pytest.mark.parametrize(
    "options",
    [
        PlanOptions(load=LoadOptions(vars=("place=work",))),
        PlanOptions(load=LoadOptions(sets=("max_tokens=5",))),
        PlanOptions(selection=Selection(limit=2)),
        PlanOptions(service="anthropic http://127.0.0.1:1"),
    ],
)
def test_other_flags_mean_planning_anew(spec: Path, options: PlanOptions) -> None:
    keep(spec)
    with planned(spec, replace(options, kept=lambda job: [spec.parent / "plan.db"])) as one:
        assert one.kept_at is None


@pytest.mark.parametrize(
    ("env", "taken"), [({"TONE": "calm"}, True), ({**ENV, "OTHER": "2"}, True), ({"TONE": "loud"}, False)]
)
def test_of_the_environment_what_was_read_counts(spec: Path, env: Mapping[str, str], taken: bool) -> None:
    keep(spec)
    with planned(spec, env=env) as one:
        assert (one.kept_at is not None) == taken


@pytest.mark.parametrize(("rows", "taken"), [(b"word\na\nb\n", True), (b"word\na\nc\n", False)])
def test_standard_input_counts_by_its_content(spec: Path, rows: bytes, taken: bool) -> None:
    spec.write_text(SPEC.replace("words.csv", '"-"\n  format: csv'), encoding="utf-8")
    assert keep(spec, stdin=b"word\na\nb\n")
    with planned(spec, stdin=rows) as one:
        assert (one.kept_at is not None) == taken
        assert len(list(one.requests())) == 2


def test_what_a_glob_finds_is_planned_anew(spec: Path) -> None:
    spec.write_text("model: claude-haiku-5-5\nprompt: '{{ text }}'\ninputs: {glob: '*.txt'}\n", encoding="utf-8")
    assert not keep(spec)
    assert not (spec.parent / "plan.db").exists()


def test_a_request_with_a_file_is_planned_anew(spec: Path) -> None:
    spec.write_text("model: claude-haiku-5-5\nattachments: [more.txt]\nprompt: Sum up.\n", encoding="utf-8")
    assert not keep(spec)


def test_a_kept_plan_that_gives_other_requests_is_forgotten(spec: Path) -> None:
    """Whatever went wrong: the run stops before it sends what was not planned, and the next one plans for itself."""
    keep(spec)
    with planned(spec) as one:
        one.ledger._db.execute("UPDATE request SET key = zeroblob(32) WHERE n = 1")
        with pytest.raises(SpecError, match="changed between planning and sending at row `2`"):
            list(one.requests())
    with planned(spec) as one:
        assert one.kept_at is None


def test_a_damaged_kept_plan_is_not_used(spec: Path) -> None:
    keep(spec)
    (spec.parent / "plan.db").write_bytes(b"not a database" * 1000)
    with planned(spec) as one:
        assert one.kept_at is None


# ---------------------------------------------------------------- reading again


def test_requests_to_skip_are_left_out(spec: Path) -> None:
    with planned(spec) as one:
        every = list(one.requests())
        assert list(one.requests(lambda n: n != 1)) == [every[1]]
        assert list(one.requests(lambda n: True)) == []


def test_rows_that_are_skipped_whole_are_not_rendered(spec: Path) -> None:
    """Rendering is most of the work of going on with a large run: what rendering would need may even be gone."""
    text = "model: claude-haiku-5-5\nattachments: ['{{ word }}.txt']\nprompt: Sum up.\ninputs: {file: words.csv}\n"
    spec.write_text(text, encoding="utf-8")
    for word in ("one", "two", "three"):
        (spec.parent / f"{word}.txt").write_text(word, encoding="utf-8")
    with planned(spec) as one:
        (spec.parent / "one.txt").unlink()
        assert [request.id for request in one.requests(lambda n: n == 0)] == ["2", "3"]
        with pytest.raises(SpecError, match="changed between planning and sending at row `1`"):
            list(one.requests())


def test_a_row_that_is_skipped_in_part_gives_the_rest(spec: Path) -> None:
    spec.write_text(SPEC + "repeat: 2\nmatrix: {model: [claude-haiku-5-5, claude-opus-5-5]}\n", encoding="utf-8")
    with planned(spec) as one:
        every = list(one.requests())
        assert len(every) == 12
        assert list(one.requests(lambda n: n not in (2, 5, 11))) == [every[2], every[5], every[11]]


def test_rows_that_are_missing_are_noticed_among_those_skipped(spec: Path) -> None:
    table = spec.parent / "words.csv"
    stat = table.stat()
    with planned(spec) as one:
        table.write_text("word\none\n".ljust(stat.st_size, "\n"), encoding="utf-8")
        os.utime(table, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        with pytest.raises(SpecError, match="changed between planning and sending"):
            list(one.requests(lambda n: True))


def test_rows_that_are_more_are_noticed_and_nobody_is_asked_about_them(spec: Path) -> None:
    """As when a line is appended while the file is read: whoever skips knows the numbers of the plan alone."""
    table = spec.parent / "words.csv"
    stat, had = table.stat(), table.read_text(encoding="utf-8")
    with planned(spec) as one:
        known = bytearray(b"\1" * one.plan.requests)
        short = had.replace("three", "3")
        table.write_text(short + "4\n".rjust(stat.st_size - len(short), "\n"), encoding="utf-8")
        os.utime(table, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        with pytest.raises(SpecError, match="changed between planning and sending"):
            list(one.requests(lambda n: bool(known[n])))


def test_what_is_left_out_is_neither_counted_nor_cached(spec: Path) -> None:
    long = "word " * 20_000
    spec.write_text(SPEC + f"system: '{long}'\n", encoding="utf-8")
    with planned(spec) as one:
        assert one.plan.cache is not None
        assert one.plan.cache.reads == 2
        assert len(next(one.requests()).prefixes) == 1
        rest = one.without([0, 2])
        assert rest.plan.cache is None
        assert [model.requests for model in rest.plan.models] == [1]
        assert (rest.plan.hash, rest.plan.requests) == (one.plan.hash, 3)
        (request,) = rest.requests(lambda n: n != 1)
        assert request.prefixes == ()  # nobody would read what it wrote to the cache


def test_reading_ahead_gives_the_same_requests_and_what_came_before_an_error(spec: Path) -> None:
    (spec.parent / "words.csv").write_text("word\n" + "".join(f"w{n}\n" for n in range(40)), encoding="utf-8")
    with planned(spec) as one:
        assert list(a_few_at_once(one.requests())) == list(one.requests())
        rest = one.requests()
        taken = a_few_at_once(rest)
        assert [next(taken).n, next(rest).n] == [0, AT_ONCE]

    def broken() -> Iterator[Request]:
        with planned(spec) as one:
            yield from islice(one.requests(), 3)
        raise SpecError("it changed", rule="source-changed")

    taken = a_few_at_once(broken())
    assert [next(taken).n for _ in range(3)] == [0, 1, 2]
    with pytest.raises(SpecError, match="it changed"):
        next(taken)
