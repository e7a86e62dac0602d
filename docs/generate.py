"""Writes docs/spec.md, the reference of the spec language, from schemas/job.schema.json.

`python docs/generate.py` writes it, `--check` only says whether it is up to date (exit code 1 when not).
The texts are the schema's own descriptions and examples: mend them there. It knows nothing of the runner.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
SCHEMA = HERE.parent / "schemas" / "job.schema.json"
PAGE = HERE / "spec.md"

HEAD = """\
# The spec language

<!-- Generated from schemas/job.schema.json by `make docs`; change the schema, not this page. -->

A job spec is one YAML file. Every key that works today is below; any other key is an error, never ignored.
Editors complete and explain the keys when a spec begins with the line `promptrun init` writes:
`# yaml-language-server: $schema=../schemas/job.schema.json`.
"""

DEEPEST = 3
"""The level of the deepest heading; what lies below is in a table only, or explained elsewhere."""

Schema = dict[str, Any]


class Readable(yaml.SafeDumper):
    """YAML as a person would write it: text of several lines as a block, lists indented."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


Readable.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def page(schema: Schema) -> str:
    """The whole page: the keys at a glance, then a section for each."""
    reference = Reference(schema)
    keys = schema["properties"]
    parts = [HEAD, "## Keys\n", reference.table(schema, link=True)]
    for name, key in keys.items():
        parts += reference.section(name, key, level=2)
    return "\n".join(parts).rstrip("\n") + "\n"


class Reference:
    """A schema whose `$ref`s, all local, can be followed; remembers the maps it has explained already."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.explained: dict[str, str] = {}

    def follow(self, part: Schema) -> Schema:
        """The part itself, or what it refers to with its own words (description, examples) on top."""
        if "$ref" not in part:
            return part
        found: Any = self.schema
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return {**self.follow(found), **{key: value for key, value in part.items() if key != "$ref"}}

    def branches(self, part: Schema) -> Iterator[Schema]:
        """The alternatives of a part, itself when it has none."""
        part = self.follow(part)
        alternatives = [] if "properties" in part else part.get("anyOf") or part.get("oneOf") or []
        if not alternatives:
            yield part
        for alternative in alternatives:
            yield from self.branches(alternative)

    def maps(self, key: Schema) -> Iterator[Schema]:
        """The alternatives of a key that are maps with known keys, whether alone or in a list."""
        for branch in self.branches(key):
            items = branch.get("items")
            for form in self.branches(items) if isinstance(items, dict) else [branch]:
                if known_keys(form):
                    yield form

    def section(self, path: str, written: Schema, *, level: int) -> list[str]:
        """A key's own section, with the keys of each map it can hold and sections for the maps in those."""
        key = self.follow(written)
        parts = [f"{'#' * level} {path}\n", f"{key.get('description', '')}\n"]
        parts.append(f"Takes {self.takes(key)}.{default(key)}\n")
        parts += example(path, key)
        for form in self.maps(key):
            parts += self.map_of(path, form, level=level)
        return parts

    def map_of(self, path: str, form: Schema, *, level: int) -> list[str]:
        name = json.dumps(form, sort_keys=True)
        if place := self.explained.get(name):
            return [f"The keys of {title(form)} are those under [{place}](#{anchor(place)}).\n"]
        self.explained[name] = path
        parts = [f"Keys of {title(form)}:\n", self.table(form)]
        for key, inner in known_keys(form).items():
            new = (json.dumps(inside, sort_keys=True) not in self.explained for inside in self.maps(inner))
            if level < DEEPEST and any(new):
                parts += self.section(f"{path}.{key}", inner, level=level + 1)
        return parts

    def table(self, form: Schema, *, link: bool = False) -> str:
        lines = ["| key | takes | what it is |", "|---|---|---|"]
        for name, written in known_keys(form).items():
            key = self.follow(written)
            shown = f"[`{name}`](#{anchor(name)})" if link else f"`{name}`"
            need = " (required)" if name in form.get("required", ()) else ""
            what = key.get("description", "") + ("" if link else default(key))
            lines.append(f"| {shown}{need} | {cell(self.takes(key))} | {cell(what)} |")
        return "\n".join(lines) + "\n"

    def takes(self, key: Schema) -> str:
        """What a key accepts, in the words of the titles of its alternatives: `a string or a list of blocks`."""
        words = dict.fromkeys(values(branch) or title(branch) for branch in self.branches(key))
        return " or ".join(word for word in words if not any(word != other and word in other for other in words))


def known_keys(form: Schema) -> dict[str, Schema]:
    """The keys that a map may have; `false` in a schema forbids one."""
    return {name: key for name, key in form.get("properties", {}).items() if isinstance(key, dict)}


def title(part: Schema) -> str:
    """What a part is called, by its type when it has no title."""
    by_type = {"string": "a string", "boolean": "`true` or `false`", "object": "a map", "array": "a list"}
    return part.get("title") or by_type.get(part.get("type", ""), "any value")


def values(part: Schema) -> str:
    """`low` · `high`, where the schema lists what may stand there."""
    listed = [part["const"]] if "const" in part else part.get("enum", [])
    return " · ".join(f"`{literal(value)}`" for value in listed)


def default(key: Schema) -> str:
    return f" Default: `{literal(key['default'])}`." if "default" in key else ""


def example(path: str, key: Schema) -> list[str]:
    """The key's examples as YAML, one block, as they would stand in a spec."""
    name = path.rsplit(".", 1)[-1]
    texts = [
        yaml.dump({name: value}, Dumper=Readable, sort_keys=False, allow_unicode=True, width=100).rstrip("\n")
        for value in key.get("examples", [])
    ]
    return ["```yaml\n" + "\n# or\n".join(texts) + "\n```\n"] if texts else []


def literal(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def anchor(heading: str) -> str:
    """The link target that a heading gets: lower case, without punctuation."""
    return heading.lower().replace(".", "")


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(arguments: list[str]) -> int:
    text = page(json.loads(SCHEMA.read_text(encoding="utf-8")))
    if "--check" not in arguments:
        PAGE.write_text(text, encoding="utf-8", newline="\n")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write("docs/spec.md is out of date; run `make docs`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
