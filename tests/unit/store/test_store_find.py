"""Run references, lists of runs and results in a run; every miss says what there is instead."""

from __future__ import annotations

from dataclasses import replace

import pytest
from store_job import Job, ok, request

from runner.errors import OutputError, SpecError
from runner.store import Earlier, find_result, find_run, list_runs, read_results, read_run, read_usage
from runner.store.files import to_json
from runner.store.prune import fates
from runner.store.run_id import is_run_id, new_run_id, run_ids


@pytest.fixture
def three(job):
    """Newest first: unfinished, limited, finished, finished."""
    folders = []
    for total, options in ((1, {}), (1, {}), (1, {"limited": True}), (2, {"end": "interrupted"})):
        limited = options.pop("limited", False)
        with job.open(total, fresh=True, limited=limited) as run:
            run.done(ok(0))
            run.finish(**options)
            folders.append(run.folder)
    return folders[::-1]


def test_references_name_runs(job, three):
    newest, limited, finished, oldest = three
    assert find_run(job.outputs, "triage@latest") == finished
    assert find_run(job.outputs, "triage@1") == newest
    assert find_run(job.outputs, "triage@2") == limited
    assert find_run(job.outputs, oldest.name) == oldest
    assert find_run(job.outputs, str(oldest)) == oldest


def test_latest_links_to_the_newest_finished_unlimited_run(job, three):
    link, text = job.folder / "latest", job.folder / "latest.txt"
    if link.exists():
        assert str(link.readlink()) == three[2].name
        assert read_run(link)["run"] == three[2].name
    else:
        assert text.read_text(encoding="utf-8").strip() == three[2].name


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("triaeg@latest", "did you mean `triage`"),
        ("triage@9", "has 4 runs"),
        ("triage@0", "not a place"),
        ("triage@first", "not a place"),
        ("triage", "Say which run: `triage@latest`"),
        ("triag", "did you mean `triage`"),
        ("20200101T000000.000Z-0000", "there is no run"),
        ("nowhere/at/all", "there is no run"),
        ("../triage@1", "there are no runs"),
        ("@latest", "there are no runs"),
    ],
)
def test_a_reference_to_nothing_says_what_there_is(job, three, ref, message):
    with pytest.raises(SpecError) as caught:
        find_run(job.outputs, ref)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_latest_without_a_finished_run_names_the_newest(job):
    job.run(ok(0), total=2, end="interrupted")
    with pytest.raises(SpecError, match=r"no finished run of all its rows yet\n +`triage@1`"):
        find_run(job.outputs, "triage@latest")


def test_simulated_runs_are_found_when_there_are_no_real_ones(tmp_path, job):
    class Simulated(Job):
        @property
        def folder(self):
            return self.outputs / "simulated" / "triage"

    simulated, _ = Simulated(tmp_path).run(ok(0))
    assert find_run(job.outputs, "triage@latest") == simulated
    real, _ = job.run(ok(0))
    assert find_run(job.outputs, "triage@latest") == real
    assert find_run(job.outputs, "simulated/triage@latest") == simulated
    assert find_run(job.outputs, simulated.name).samefile(simulated if simulated.name != real.name else real)
    assert {run["folder"] for run in list_runs(job.outputs)} == {str(real), str(simulated)}


def test_runs_are_listed_newest_first(job, three):
    assert [run["folder"] for run in list_runs(job.outputs, "triage")] == [str(folder) for folder in three]


def test_results_are_found_by_id_row_number_and_source_line(job):
    with job.open(4, rows=2, cells=2) as run:
        for n in (3, 1, 0, 2):
            run.done(replace(ok(n), request=request(n, id=f"row-{n // 2}", cell={"style": n % 2})))
        assert [one["n"] for one in find_result(run.folder, "row-1")] == [2, 3]
        run.finish()
    assert [one["n"] for one in find_result(run.folder, "row-1")] == [2, 3]
    assert [one["n"] for one in find_result(run.folder, "#1")] == [0, 1]
    assert [one["n"] for one in find_result(run.folder, "L3")] == [1]
    with pytest.raises(SpecError, match="did you mean `row-1`"):
        find_result(run.folder, "rwo-1")
    with pytest.raises(SpecError, match="no result of `#3`"):
        find_result(run.folder, "#3")


def test_an_id_that_looks_like_a_number_wins(job):
    folder, _ = job.run(replace(ok(0), request=request(0, id="#2")), ok(1))
    assert [one["n"] for one in find_result(folder, "#2")] == [0]


def test_a_newer_format_is_refused_with_what_to_do(job):
    folder, _ = job.run(ok(0))
    line = next(iter(read_results(folder)))
    (folder / "results.jsonl").write_bytes(to_json(line | {"v": 2}) + b"\n")
    with pytest.raises(OutputError, match="pip install --upgrade promptrun"):
        list(read_results(folder))


def test_a_folder_without_a_run_says_so(tmp_path):
    with pytest.raises(SpecError, match="is not a run"):
        read_run(tmp_path)


@pytest.mark.parametrize("content", ["", '{"v": 1, "job": "tri', "[]", '{"v": 1}', None], ids=repr)
def test_a_run_whose_manifest_is_damaged_is_passed_over(job, content):
    """Its answers are used all the same: they are in its results."""
    folder, _ = job.run(ok(0), total=2, end="interrupted")
    other, _ = job.run(ok(0), fresh=True)
    (other / "run.json").unlink()
    if content is None:
        (other / "run.json").mkdir()
    else:
        (other / "run.json").write_text(content, encoding="utf-8")
    assert [run["run"] for run in list_runs(job.outputs, "triage")] == [folder.name]
    assert find_run(job.outputs, "triage@1") == folder
    with pytest.raises(SpecError, match="Run the job again: answers"):
        read_run(other)
    assert [fate.run for fate in fates(job.folder, keep=0)] == [folder.name]
    with Earlier(job.folder, simulated=False, max_age=None, now="2026-11-22T12:00:00.000Z") as earlier:
        assert earlier.answer(request(0).key)["run"] == other.name
    with job.open(2) as run:
        assert run.folder == folder


def test_results_that_were_taken_away_are_missed(job):
    folder, _ = job.run(ok(0), ok(1), total=3, end="interrupted")
    (folder / "results.jsonl").unlink()
    with job.open(3) as run:
        assert run.finish(end="interrupted").notes == ("results.jsonl: 2 of 2 results are gone since the last sitting",)


def test_run_ids_sort_by_time_even_when_the_clock_goes_back():
    first = new_run_id("2026-11-22T09:28:11.123Z", [], suffix="7f3a")
    assert first == "20261122T092811.123Z-7f3a"
    earlier = new_run_id("2020-01-01T00:00:00.000Z", [first], suffix="0000")
    assert earlier == "20261122T092811.124Z-0000"
    same = new_run_id("2026-11-22T09:28:11.123Z", [first, earlier], suffix="0000")
    assert same > earlier > first
    assert all(map(is_run_id, (first, earlier, same)))
    assert new_run_id("2026-12-31T23:59:59.999+00:00", [same], suffix="abcd") == "20261231T235959.999Z-abcd"


def test_other_folders_are_no_runs(job):
    folder, _ = job.run(ok(0))
    (job.folder / "notes").mkdir()
    assert run_ids(job.folder) == [folder.name]


def test_usage_is_read_once_there_is_some(job):
    with job.open(1) as run:
        assert read_usage(run.folder) is None
        run.done(ok(0))
        run.finish()
    assert read_usage(run.folder)["tokens"]["input"] == 1000
    (run.folder / "usage.json").write_bytes(b'{"v":2}')
    with pytest.raises(OutputError, match="newer promptrun"):
        read_usage(run.folder)
