"""`fuselab schema`: the schemas of the YAML files, for editors and for reading."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fuselab.commands.common import repository
from fuselab.schema import schemas


@click.command("schema")
@click.argument("name", type=click.Choice(schemas.NAMES), required=False)
@click.option("--docs", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Write the reference pages of all schemas into FOLDER instead.")  # fmt: skip
@click.option(
    "--here", is_flag=True, help="Write them with this project's names to .fuselab/schema/, for editors."
)
def command(name: str | None, docs: Path | None, here: bool) -> None:
    """Print the JSON Schema of an experiment, a target or a service in one piece; without a name, of all three."""
    if here:
        from fuselab.commands.editors import write

        write(repository())
        return
    if docs is None:
        printed = schemas.bundled(name) if name else {each: schemas.bundled(each) for each in schemas.NAMES}
        click.echo(json.dumps(printed, indent=2, ensure_ascii=False))
        return
    from fuselab.schema.reference import pages

    docs.mkdir(parents=True, exist_ok=True)
    for page, text in {**pages(), "sql.md": _sql_page()}.items():
        (docs / page).write_text(text, encoding="utf-8")
        click.echo(docs / page)


def _sql_page() -> str:
    from fuselab.queries.catalogue import TABLES

    lines = [
        "# SQL: every table",
        "",
        "<!-- Written by `fuselab schema --docs docs/reference` from scripts/fuselab/queries/catalogue.py: change it "
        "there. -->",
        "",
        "Queries are one SELECT in DuckDB's SQL. In an experiment's `queries` they are answered for each variant and "
        "workload and shown side by side; with `fuselab query` for all at once, so group by `variant` and `workload`.",
        "",
        "Of several captures of one variant, `spans`, `tasks` and `heap` hold the first; `stacks` adds all of them up.",
    ]
    for name, table in TABLES.items():
        source = f" From the captures of `{table.profiler}`." if table.profiler else ""
        lines += ["", f"## `{name}`", "", f"{table.about[0].upper()}{table.about[1:]}.{source}", ""]
        lines += ["| column | type |", "|---|---|"]
        lines += [f"| `{column}` | {kind} |" for column, kind in table.columns.items()]
    return "\n".join(lines) + "\n"
