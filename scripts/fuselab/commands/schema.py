"""`fuselab schema`: the schemas of the YAML files, for editors and for reading."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fuselab.schema import schemas


@click.command("schema")
@click.argument("name", type=click.Choice(schemas.NAMES), required=False)
@click.option("--docs", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Write the reference pages of all schemas into FOLDER instead.")  # fmt: skip
def command(name: str | None, docs: Path | None) -> None:
    """Print the JSON Schema of an experiment, a target or a service in one piece; without a name, of all three."""
    if docs is None:
        found = schemas.bundled(name) if name else {each: schemas.bundled(each) for each in schemas.NAMES}
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    from fuselab.schema.reference import pages

    docs.mkdir(parents=True, exist_ok=True)
    for page, text in pages().items():
        (docs / page).write_text(text, encoding="utf-8")
        click.echo(docs / page)
