"""The paper bundle, `bundle.zip`: everything to cite, to check and to repeat an experiment with."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import matplotlib
import msgspec

from fuselab.files import write_atomically
from fuselab.report import blindspots, crate, latex, provenance, verdict_table
from fuselab.report.context import Table
from fuselab.report.drawing import RC, Drawing, svg
from fuselab.report.embed import Carrier
from fuselab.report.gallery import gallery
from fuselab.report.inputs import ReportInputs
from fuselab.report.methods import methods
from fuselab.report.reading import Results
from fuselab.report.render import templates
from fuselab.report.summary import summarise, summary_markdown

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""A zip's own first moment: the same files make the same bundle."""


def write_bundle(inputs: ReportInputs, locks: Sequence[Path], out: Path) -> None:
    """Write the bundle. `locks` are files or folders that pin what was installed (`envs/`)."""
    files = dict(_files(inputs, locks, out))
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    files["checksums.sha256"] = "".join(f"{digests[path]}  {path}\n" for path in digests).encode()
    digests["checksums.sha256"] = hashlib.sha256(files["checksums.sha256"]).hexdigest()
    files["ro-crate-metadata.json"] = crate.metadata(summarise(Results(inputs)), files, digests, _version())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for path, content in files.items():
            bundle.writestr(zipfile.ZipInfo(path, _EPOCH), content, zipfile.ZIP_DEFLATED)
    write_atomically(out, buffer.getvalue())


def _files(inputs: ReportInputs, locks: Sequence[Path], out: Path) -> Iterator[tuple[str, bytes]]:
    """(path in the bundle, content), each once."""
    results = Results(inputs)
    drawings, tables = list(gallery(results)), list(_tables(results, Carrier(out)))
    readme = (
        templates().get_template("bundle.md.j2").render(plan=results.plan, drawings=drawings, tables=tables)
    )
    yield "README.md", readme.encode()
    yield "experiment.yaml", inputs.experiment.read_bytes()
    yield "plan.json", inputs.plan_file.read_bytes()
    yield "comparisons.csv", inputs.comparisons.read_bytes()
    yield "metrics.csv", inputs.metrics.read_bytes()
    if inputs.costs is not None:
        yield "costs.csv", inputs.costs.read_bytes()
    summary = summarise(results)
    yield "summary.json", msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"
    yield "summary.md", summary_markdown(summary).encode()
    yield "methods.md", methods(results).encode()
    records = [
        {"folder": str(run.folder.relative_to(inputs.folder)), "run": run.record} for run in results.runs
    ]
    yield "runs.json", msgspec.json.format(msgspec.json.encode(records), indent=1) + b"\n"
    for path in inputs.builds:
        yield f"builds/{path.parents[1].name}/{path.parent.name}.json", path.read_bytes()
    for path in (movers for diff in results.diffs.values() if (movers := diff.movers)):
        yield f"movers/{'.'.join(path.parts[-4:-1])}.csv", path.read_bytes()
    for table in tables:
        yield f"tables/{table.key}.csv", latex.as_csv(table).encode()
        yield f"tables/{table.key}.tex", latex.latex(table).encode()
    for drawing in drawings:
        yield f"figures/{drawing.name}.svg", svg(drawing).encode()
        yield f"figures/{drawing.name}.pdf", pdf(drawing)
        yield f"figures/{drawing.name}.csv", drawing.data.to_csv(index=False, float_format="%.6g").encode()
    for lock in locks:
        for path in sorted(lock.rglob("*.txt")) if lock.is_dir() else [lock]:
            yield (
                f"locks/{path.relative_to(lock.parent if lock.is_file() else lock).as_posix()}",
                path.read_bytes(),
            )


def _tables(results: Results, carrier: Carrier) -> Iterator[Table]:
    origin = provenance.provenance(results, carrier)
    found = [
        verdict_table.comparison_table(results, ()),
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


def _version() -> str:
    try:
        return version("fuselab")
    except PackageNotFoundError:  # run from a copy of the sources
        return "unknown"
