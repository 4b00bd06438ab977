"""The reference pages, written from the schemas: `fuselab schema --docs docs/reference`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fuselab.schema import schemas
from fuselab.schema.diagnostics import flow

Part = Mapping[str, Any]


def pages() -> dict[str, str]:
    """File name -> text of the page of each schema."""
    return {f"{name}.md": _page(name) for name in schemas.NAMES}


def _page(name: str) -> str:
    whole = schemas.schema(name)
    lines = [
        f"# {whole['title']}: every key",
        "",
        "<!-- Written by `fuselab schema --docs docs/reference` from scripts/fuselab/schema: change it there. -->",
        "",
        whole["description"],
        "",
    ]
    body = [line for section in _sections(whole, name) for line in section]
    lines += [*_contents(body), "", *body]
    return "\n".join(lines).rstrip() + "\n"


def _contents(body: list[str]) -> Iterator[str]:
    """A line for each section with its keys, linked as GitHub calls headings: of those alike the second is `...-1`."""
    taken: dict[str, int] = {}
    section = ""
    for line in body:
        if not line.startswith(("## ", "### ")):
            continue
        depth, _, title = line.partition(" ")
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        again = taken[slug] = taken.get(slug, -1) + 1
        link = f"(#{slug}-{again})" if again else f"(#{slug})"
        if depth == "##":
            if section:
                yield section
            section = f"- [{title}]{link}"
        else:
            key = title.strip("`").rpartition(".")[2]
            section += f"{', ' if section.count('](') > 1 else ': '}[`{key}`]{link}"
    yield section


def _sections(whole: Part, name: str) -> Iterator[list[str]]:
    """The top level, then every mapping below it with keys of its own, each once."""
    queue: list[tuple[str, Part, str]] = [("", whole, name)]
    seen: set[int] = set()
    while queue:
        at, part, file = queue.pop(0)
        keys = [(key, inner, f) for key, inner, f in schemas.properties(part, file) if key != "<name>"]
        if keys:
            what = f": {part['title']}" if "x-shown-as" in part else ""
            yield [
                f"## `{at}`{what}" if at else "## Top level",
                "",
                *_intro(at, part),
                *_table(at, part, keys),
            ]
        for key, inner, inner_file in schemas.properties(part, file):
            place = f"{at}.{key}" if at else key
            for below, shown in _mappings(inner, inner_file, place):
                mark = id(below[0].get("properties"))
                if below[0].get("properties") and mark in seen:
                    continue
                seen.add(mark)
                queue.append((below[0].get("x-shown-as", shown), *below))


def _mappings(part: Part, file: str, at: str) -> Iterator[tuple[tuple[Part, str], str]]:
    """`part` itself, and what its items are, where these have keys."""
    if part.get("properties") or isinstance(part.get("additionalProperties"), Mapping):
        yield (part, file), at
    if isinstance(part.get("items"), Mapping):
        inner, inner_file = schemas.resolve(part["items"], file)
        if inner.get("properties"):
            yield (inner, inner_file), f"{at}[]"


def _intro(at: str, part: Part) -> list[str]:
    about = part.get("x-about", part.get("description"))
    return [about, ""] if at and about else []


def _table(at: str, part: Part, keys: list[tuple[str, Part, str]]) -> list[str]:
    lines = []
    required = set(part.get("required", ()))
    for key, inner, _ in keys:
        facts = "; ".join(_facts(key, inner, required))
        lines += [f"### `{f'{at}.' if at else ''}{key}`", "", inner["description"], "", f"*{facts}*", ""]
        lines += ["```yaml", _yaml({key: inner["examples"][0]}), "```", ""]
    return lines


def _facts(key: str, part: Part, required: set[str]) -> Iterator[str]:
    if "enum" in part:
        yield "one of " + ", ".join(f"`{flow(choice)}`" for choice in part["enum"])
    elif "x-allowed" in part:
        yield str(part["x-allowed"])
    elif "type" in part:
        yield schemas.type_words(part)
    if key in required:
        yield "must be there"
    elif "default" in part:
        yield f"default: `{flow(part['default'])}`" if part["default"] != "" else "default: empty"
    else:
        yield "may be left out"


def _yaml(part: Mapping[str, Any]) -> str:
    """One key with its example, as people write it: the outermost in lines, what is inside on one line."""
    lines = []
    for key, value in part.items():
        if (
            isinstance(value, dict)
            and value
            and any(isinstance(inner, dict | list) for inner in value.values())
        ):
            lines += [f"{key}:", *(f"  {name}: {flow(inner)}" for name, inner in value.items())]
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            lines += [f"{key}:", *(f"  - {flow(item)}" for item in value)]
        else:
            lines.append(f"{key}: {flow(value)}")
    return "\n".join(lines)
