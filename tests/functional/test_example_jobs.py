"""Each example job runs on the simulator; its prompts, ids and order are worked out here from the data alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import CHECKOUT, SPECS, Command, json_lines, read_lines
from jsonschema import Draft202012Validator

Asked = tuple[str, dict[str, Any], int, str]
"""(id, cell, repeat, text of the last user turn) of one request."""


def triage() -> list[Asked]:
    with (SPECS / "data" / "tickets.csv").open(encoding="utf-8", newline="") as file:
        return [
            (
                row["ticket"],
                {},
                0,
                f"Ticket from a customer on the {row['plan']} plan, by {row['channel']}:\n\n"
                f"Subject: {row['subject']}\n\n{row['text']}\n",
            )
            for row in csv.DictReader(file)
        ]


def review() -> list[Asked]:
    # By path as text, the order of a listing that any tool shows.
    modules = sorted(path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "runner").rglob("*.py"))
    texts = {module: (CHECKOUT / module).read_text(encoding="utf-8") for module in modules}
    return [
        (module, {}, 0, f"The module is {module}:\n\n<module>\n{text}\n</module>\n")
        for module, text in texts.items()
        if len(text) > 200
    ]


def styles() -> list[Asked]:
    spec = yaml.safe_load((SPECS / "styles.yaml").read_text(encoding="utf-8"))
    cells = [{"model": model, "style": style} for model, style in product(*spec["matrix"].values())]
    return [(row["id"], cell, 0, row["question"]) for row in spec["inputs"] for cell in cells]


def conversation() -> list[Asked]:
    return [(row["id"], {}, 0, row["sentence"]) for row in read_lines(SPECS / "data" / "officialese.jsonl")]


def capitals() -> list[Asked]:
    rows = yaml.safe_load((SPECS / "capitals.yaml").read_text(encoding="utf-8"))["inputs"]
    question = "Name the capital of {}, and its river if it has one. One line, no sentence."
    return [(row["id"], {}, repeat, question.format(row["country"])) for row in rows for repeat in range(3)]


def extraction() -> list[Asked]:
    rows = read_lines(SPECS / "data" / "announcements.jsonl")
    return [(row["id"], {}, 0, f"<announcement>\n{row['text']}\n</announcement>\n") for row in rows]


def replies() -> list[Asked]:
    ask = "What does this customer need? If the ticket does not say it, begin with the word UNCLEAR."
    with (SPECS / "data" / "tickets.csv").open(encoding="utf-8", newline="") as file:
        return [
            (row["ticket"], {}, 0, f"Subject: {row['subject']}\n\n{row['text']}\n\n{ask}\n")
            for row in csv.DictReader(file)
        ]


def shapes() -> list[Asked]:
    pictures = sorted(path.stem for path in (SPECS / "data" / "shapes").glob("*.png"))
    ask = "Which shape is this, and which colour has it? Two words, no sentence."
    return [(picture, {}, 0, ask) for picture in pictures]


def manuals() -> list[Asked]:
    with (SPECS / "data" / "manual-questions.csv").open(encoding="utf-8", newline="") as file:
        answer = "Answer from the manual, in one sentence."
        return [(row["id"], {}, 0, f"{row['question']} {answer}") for row in csv.DictReader(file)]


def captions() -> list[Asked]:
    spec = yaml.safe_load((SPECS / "captions.yaml").read_text(encoding="utf-8"))
    return [
        (row["id"], {"language": language}, 0, f"Describe this picture in {language}, in two sentences.")
        for row in spec["inputs"]
        for language in spec["matrix"]["language"]
    ]


def citations() -> list[Asked]:
    with (SPECS / "data" / "questions.csv").open(encoding="utf-8", newline="") as file:
        return [(row["id"], {}, 0, row["question"]) for row in csv.DictReader(file)]


def judge() -> list[Asked]:
    lines = read_lines(SPECS / "data" / "triage-results.jsonl")
    return [
        (
            line["id"],
            {},
            0,
            f"<ticket>\n{line['row']['subject']}\n\n{line['row']['text']}\n</ticket>\n"
            f"<answer>\n{line['text']}\n</answer>\n",
        )
        for line in lines
        if line["good"]
    ]


def efforts() -> list[Asked]:
    spec = yaml.safe_load((SPECS / "efforts.yaml").read_text(encoding="utf-8"))
    matrix = spec["matrix"]
    cells = [{"model": model, "effort": effort} for model, effort in product(matrix["model"], matrix["effort"])]
    cells = [cell for cell in cells if cell not in matrix["exclude"]] + matrix["include"]
    return [(row["id"], cell, 0, row["question"]) for row in spec["inputs"] for cell in cells]


EXAMPLES = [
    *(triage, review, styles, conversation, capitals, replies, extraction, shapes, manuals, captions, citations),
    *(judge, efforts),
]


def test_every_example_is_tested() -> None:
    assert {path.stem for path in SPECS.glob("*.yaml")} == {example.__name__ for example in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_render_says_what_the_data_says(example: Callable[[], list[Asked]], promptrun: Command) -> None:
    expected = example()
    rendered = json_lines(promptrun.ok("render", SPECS / f"{example.__name__}.yaml"))

    assert len(rendered) >= 20
    assert [asked(line) for line in rendered] == expected
    assert all(line["body"]["model"] == line["cell"].get("model", line["body"]["model"]) for line in rendered)


def asked(line: dict[str, Any]) -> Asked:
    turn = line["body"]["messages"][-1]
    assert turn["role"] == "user"
    return line["id"], line["cell"], line["repeat"], text_of(turn["content"])


def text_of(content: str | list[dict[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "".join(block["text"] for block in content if block["type"] == "text")


@pytest.mark.parametrize(
    "name",
    ["triage", "styles", "conversation", "capitals", "shapes", "manuals", "captions", "citations"],
)
def test_first_and_last_body(name: str, promptrun: Command, snapshot: Any) -> None:
    lines = promptrun.ok("render", SPECS / f"{name}.yaml").splitlines()
    shown = [json.dumps(json.loads(lines[at])["body"], indent=2, ensure_ascii=False) for at in (0, -1)]
    assert "\n\n".join(shown) == snapshot


def test_prompt_files_are_system_prompts(promptrun: Command) -> None:
    rendered = {name: json_lines(promptrun.ok("render", SPECS / f"{name}.yaml")) for name in ("review", "styles")}

    assert {text_of(line["body"]["system"]) for line in rendered["review"]} == {prompt_file("review")}
    assert {line["body"]["output_config"]["effort"] for line in rendered["review"]} == {"high"}
    for line in rendered["styles"]:
        assert text_of(line["body"]["system"]) == prompt_file(f"style-{line['cell']['style']}")


def prompt_file(name: str) -> str:
    return (SPECS / "prompts" / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_run_answers_every_request_in_order(
    example: Callable[[], list[Asked]], promptrun: Command, tmp_path: Path
) -> None:
    name, expected = example.__name__, example()
    ran = promptrun(SPECS / f"{name}.yaml", "--simulate", "--format", "json", "--output-dir", tmp_path)
    assert ran.returncode == 0, ran.stderr

    folder = only_run(tmp_path / "simulated" / name)
    results = read_lines(folder / "results.jsonl")
    assert [(line["id"], line["cell"], line["repeat"]) for line in results] == [request[:3] for request in expected]
    assert [line["n"] for line in results] == list(range(len(expected)))
    assert all(line["status"] == "ok" and line["good"] and line["simulated"] and line["text"] for line in results)
    check_files(folder, results)


def only_run(job: Path) -> Path:
    (folder,) = [path.parent for path in job.glob("*/run.json") if not path.parent.is_symlink()]
    return folder


def check_files(folder: Path, results: list[dict[str, Any]]) -> None:
    """Everything a run writes fits the schema that promises it."""
    for line in results:
        validator("result").validate(line)
    for name in ("run", "usage"):
        validator(name).validate(json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((CHECKOUT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    return Draft202012Validator(schema)
