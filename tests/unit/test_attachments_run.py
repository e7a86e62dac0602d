"""Jobs with attachments over a socket: the server gets the files' own bytes, uploads happen once, citations arrive."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from runner.engine.live import Stop
from runner.pipeline import run_job
from runner.planning import PlanOptions, plan_job
from runner.simulator import Simulator, SimulatorConfig
from runner.sitting import RunOptions, World
from runner.store import read_results

DATA = Path(__file__).resolve().parents[2] / "specs" / "data"
MODEL = "model: claude-sonnet-5-5\nmax_tokens: 4000\nfallbacks: off\ncache: off\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(DATA / "shapes" / "red-circle.png", tmp_path / "shape.png")
    shutil.copy(DATA / "manuals" / "lamp.pdf", tmp_path / "lamp.pdf")
    shutil.copy(DATA / "rules" / "library.txt", tmp_path / "rules.txt")
    return tmp_path


def run(project: Path, spec: str, *, sittings: int = 1) -> tuple[list[dict[str, Any]], Any]:
    """(result lines of the last sitting, the simulator's log)."""
    (project / "job.yaml").write_text(MODEL + spec, encoding="utf-8")

    async def go() -> tuple[list[dict[str, Any]], Any]:
        async with Simulator(SimulatorConfig()) as simulator:
            for _ in range(sittings):
                with plan_job(project / "job.yaml", PlanOptions(), env={}, stdin=io.BytesIO()) as planned:
                    options = RunOptions(outputs=project / "out", simulate=True)
                    finished = await run_job(planned, options, Stop(), World(env={}), simulator.url)
            return list(read_results(Path(finished.summary.folder))), simulator.log

    return asyncio.run(go())


def sent_blocks(line: dict[str, Any]) -> list[dict[str, Any]]:
    """What the simulator got, which it says in its reply."""
    blocks: list[dict[str, Any]] = json.loads(line["text"])["messages"][0]["content"]
    return blocks


def test_the_server_gets_the_very_bytes_of_the_files(project: Path) -> None:
    (line,), _ = run(
        project,
        'prompt: "[[simulate:body]]"\nattachments: [shape.png, {path: lamp.pdf, title: Lamp}, rules.txt]\n',
    )
    image, pdf, text, _ = sent_blocks(line)
    assert base64.b64decode(image["source"]["data"]) == (project / "shape.png").read_bytes()
    assert base64.b64decode(pdf["source"]["data"]) == (project / "lamp.pdf").read_bytes()
    assert (image["source"]["media_type"], pdf["source"]["media_type"]) == ("image/png", "application/pdf")
    assert text["source"]["data"] == (project / "rules.txt").read_text(encoding="utf-8")
    assert pdf["title"] == "Lamp"


def answers(log: Any) -> int:
    return sum(entry.path == "/v1/messages" and entry.status == 200 for entry in log.entries)


def uploads(log: Any) -> int:
    return sum(entry.path == "/v1/files" and entry.method == "POST" for entry in log.entries)


UPLOADED = """\
prompt: "{{ question }} [[simulate:body]]"
attachments: {path: lamp.pdf, upload: true}
inputs: [{question: How old?}, {question: How long?}, {question: How much?}]
"""


def test_a_file_that_many_requests_name_is_uploaded_once(project: Path) -> None:
    lines, log = run(project, UPLOADED)
    ids = {sent_blocks(line)[0]["source"]["file_id"] for line in lines}
    assert len(ids) == uploads(log) == 1
    assert [line["status"] for line in lines] == ["ok"] * 3


ENDS_EARLY = UPLOADED.replace("How much?", "'How much? [[simulate:401]]'")
"""The third request's failure ends the run, which is taken up again by the next sitting."""


def test_a_run_that_goes_on_uploads_nothing_again(project: Path) -> None:
    lines, log = run(project, ENDS_EARLY, sittings=2)
    assert (uploads(log), answers(log)) == (1, 2)
    assert [line["status"] for line in lines] == ["ok", "ok"]


def test_a_run_that_goes_on_replaces_ids_that_the_server_has_forgotten(project: Path) -> None:
    """The second sitting meets another simulator, which knows none of the first one's files."""
    run(project, ENDS_EARLY)
    _, log = run(project, ENDS_EARLY)
    assert [entry.path for entry in log.entries if entry.status == 404] == ["/v1/messages"]
    assert uploads(log) == 1


def test_citations_come_into_the_result_with_the_text_that_rests_on_them(project: Path) -> None:
    (line,), _ = run(
        project, "prompt: When does it open?\nattachments: {path: rules.txt, title: Rules, citations: true}\n"
    )
    (citation,) = line["citations"]
    whole = (project / "rules.txt").read_text(encoding="utf-8")
    assert whole[citation["start_char_index"] : citation["end_char_index"]] == citation["cited_text"]
    assert (citation["document_title"], citation["document_index"]) == ("Rules", 0)
    assert citation["type"] == "char_location"
    assert citation["text"] in line["text"]


def test_attachments_stand_before_the_first_turn_of_a_dialogue(project: Path) -> None:
    (line,), _ = run(
        project,
        "turns: [{user: What is this?}, {user: '[[simulate:body]]'}]\nattachments: shape.png\n",
    )
    messages = json.loads(line["text"])["messages"]
    assert [block["type"] for block in messages[0]["content"]] == ["image", "text"]
    assert messages[0]["content"][0]["source"]["type"] == "base64"
    assert messages[2]["content"] == "[[simulate:body]]"
