"""The paper bundle, `bundle.zip`: everything to cite, to check and to repeat an experiment with."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib

from fuselab.files import as_json, write_atomically
from fuselab.project import CHECKOUT, find
from fuselab.records.summary import Summary
from fuselab.report.context import Table
from fuselab.report.embed import Carrier, csv_text
from fuselab.report.figures.drawing import RC, Drawing, svg
from fuselab.report.inputs import ReportInputs
from fuselab.report.page import blindspots, curves, provenance, verdict_table
from fuselab.report.paper import crate, latex
from fuselab.report.paper.gallery import as_pdf, gallery, pictures
from fuselab.report.paper.machine import environment, fuselab_version
from fuselab.report.paper.methods import methods
from fuselab.report.paper.uncommitted import Wanted, uncommitted
from fuselab.report.reading import Results
from fuselab.report.summary import summarise, summary_markdown
from fuselab.report.templating import rendered

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""A zip's own first moment: the same files make the same bundle."""


def write_bundle(
    inputs: ReportInputs, project: Path, out: Path, diffs: Wanted = "safe", *, checkout: Path = CHECKOUT
) -> None:
    """Write the bundle. `project` has what the experiment refers to, `checkout` (fuselab's own folder) the locks.
    `diffs` chooses the uncommitted changes that go into it.

    Raises FileNotFoundError, naming the mend, if the program that turns SVG into PDF is not installed.
    """
    results = Results(inputs)
    summary = summarise(results)
    files = dict(_files(results, summary, project, out, diffs, checkout))
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    files["checksums.sha256"] = "".join(f"{digests[path]}  {path}\n" for path in digests).encode()
    digests["checksums.sha256"] = hashlib.sha256(files["checksums.sha256"]).hexdigest()
    files["ro-crate-metadata.json"] = crate.metadata(summary, files, digests, fuselab_version())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for path, content in files.items():
            bundle.writestr(zipfile.ZipInfo(path, _EPOCH), content, zipfile.ZIP_DEFLATED)
    write_atomically(out, buffer.getvalue())


def _files(
    results: Results, summary: Summary, project: Path, out: Path, diffs: Wanted, checkout: Path
) -> Iterator[tuple[str, bytes]]:
    """(path in the bundle, content), each once."""
    inputs = results.inputs
    drawings, tables = list(gallery(results)), list(tables_of(results, Carrier(out)))
    drawn = list(pictures(results))
    changed = [changes for path in inputs.builds if (changes := uncommitted(path))]
    left_out = [changes.build for changes in changed if not changes.packed(diffs)]
    readme = rendered(
        "bundle.md.j2", plan=results.plan, drawings=drawings, pictures=drawn, tables=tables, left_out=left_out,
        packages=",".join(latex.PACKAGES),
    )  # fmt: skip
    yield "README.md", readme.encode()
    yield "experiment.yaml", inputs.experiment.read_bytes()
    yield from _definitions(results, project)
    yield "plan.json", inputs.plan_file.read_bytes()
    yield "environment.json", as_json(environment(results, checkout))
    yield "comparisons.csv", inputs.comparisons.read_bytes()
    yield "metrics.csv", inputs.metrics.read_bytes()
    if inputs.costs is not None:
        yield "costs.csv", inputs.costs.read_bytes()
    yield "summary.json", as_json(summary)
    yield "summary.md", summary_markdown(summary).encode()
    yield "methods.md", methods(results).encode()
    records = [
        {"folder": str(run.folder.relative_to(inputs.folder)), "run": run.record} for run in results.runs
    ]
    yield "runs.json", as_json(records)
    for path in inputs.builds:
        packed = f"builds/{path.parents[1].name}/{path.parent.name}"
        yield f"{packed}.json", path.read_bytes()
        if (changes := uncommitted(path)) and changes.packed(diffs):
            yield f"{packed}.diff", changes.path.read_bytes()
    for path in filter(Path.is_file, (diff.movers for diff in results.diffs.values())):
        yield f"movers/{'.'.join(path.parts[-4:-1])}.csv", path.read_bytes()
    for table in tables:
        yield f"tables/{table.key}.csv", latex.as_csv(table).encode()
        yield f"tables/{table.key}.tex", latex.latex(table).encode()
    for drawing in drawings:
        yield f"figures/{drawing.name}.svg", svg(drawing).encode()
        yield f"figures/{drawing.name}.pdf", pdf(drawing)
        yield f"figures/{drawing.name}.csv", csv_text(drawing.data).encode()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        printed = list(pool.map(as_pdf, (picture.svg for picture in drawn)))
    for picture, content in zip(drawn, printed, strict=True):
        yield f"{picture.name}.svg", picture.svg.read_bytes()
        yield f"{picture.name}.pdf", content
        if picture.stacks is not None:
            yield f"{picture.name}.stacks.txt", picture.stacks.read_bytes()
    for path in sorted((checkout / "envs").rglob("*.txt")):
        yield f"locks/{path.relative_to(checkout / 'envs').as_posix()}", path.read_bytes()


def _definitions(results: Results, project: Path) -> Iterator[tuple[str, bytes]]:
    """The targets and services that the experiment names: it says nothing without them."""
    plan = results.plan
    targets = [f"targets/{v.target}/target.yaml" for v in plan.variants if v.target]
    services = [f"services/{name}.yaml" for v in plan.variants for name in v.services.values()]
    for name in dict.fromkeys((*targets, *services)):
        if (path := find(project, name)).is_file():
            yield name, path.read_bytes()


def tables_of(results: Results, carrier: Carrier) -> Iterator[Table]:
    """In the order of the page."""
    origin = provenance.provenance(results, carrier)
    found = [
        verdict_table.primary_table(results),
        verdict_table.comparison_table(results, ()),
        *curves.tables(results),
        origin.variants,
        origin.builds,
        origin.verifies,
        origin.voided,
        origin.runs,
        *(table for view in blindspots.blind_spots(results) for table in view.tables),
    ]
    yield from (table for table in found if table is not None)


def pdf(drawing: Drawing) -> bytes:
    """The drawing as PDF, text as text, the same bytes each time."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(RC | {"pdf.fonttype": 42}):
        drawing.figure.savefig(buffer, format="pdf", metadata={"CreationDate": None, "Creator": "fuselab"})
    return buffer.getvalue()
