"""`ro-crate-metadata.json`: what a bundle holds, in the vocabulary of RO-Crate 1.1 (w3id.org/ro/crate/1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from fuselab.files import as_json
from fuselab.records.summary import Summary

_FORMATS = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".md": "text/markdown",
    ".yaml": "application/yaml",
    ".svg": "image/svg+xml",
    ".pdf": "application/pdf",
    ".tex": "application/x-tex",
    ".txt": "text/plain",
    ".html": "text/html",
    ".sha256": "text/plain",
}
_LICENSE = "#license"


def metadata(summary: Summary, files: Mapping[str, bytes], digests: Mapping[str, str], version: str) -> bytes:
    """JSON-LD for a bundle of `files` (path -> content) with their sha256 `digests`."""
    graph: list[dict[str, Any]] = [
        {
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": f"{summary.experiment}: {summary.title}",
            "description": "A fuselab experiment: its definition, figures and verdicts, and what they were made with.",
            **({"datePublished": summary.measured_last[:10]} if summary.measured_last else {}),
            "license": {"@id": _LICENSE},
            "hasPart": [{"@id": path} for path in files],
            "mentions": {"@id": "#measurement"},
        },
        {
            "@id": _LICENSE,
            "@type": "CreativeWork",
            "name": "Not stated: the authors of the experiment decide.",
        },
        {"@id": "#fuselab", "@type": "SoftwareApplication", "name": "fuselab", "softwareVersion": version},
        {
            "@id": "#measurement",
            "@type": "CreateAction",
            "name": f"The measurement of {summary.experiment}",
            "startTime": _iso(summary.measured_first),
            "endTime": _iso(summary.measured_last),
            "instrument": {"@id": "#fuselab"},
            "object": {"@id": "experiment.yaml"},
            "result": [{"@id": path} for path in files if path.endswith("comparisons.csv")],
            "description": "; ".join(row.sentence for row in summary.comparisons),
        },
    ]
    graph += [_file(path, len(content), digests[path]) for path, content in files.items()]
    # schema.org has `sha256`; the context of RO-Crate 1.1 is older than that.
    context = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "http://schema.org/sha256"}]
    return as_json({"@context": context, "@graph": graph})


def _file(path: str, size: int, digest: str) -> dict[str, Any]:
    return {
        "@id": path,
        "@type": "File",
        "name": PurePosixPath(path).name,
        "encodingFormat": _FORMATS.get(PurePosixPath(path).suffix, "application/octet-stream"),
        "contentSize": str(size),
        "sha256": digest,
    }


def _iso(moment: str) -> str:
    """`2025-11-24 04:54` UTC as ISO 8601."""
    return moment.replace(" ", "T") + ":00Z" if moment else ""
