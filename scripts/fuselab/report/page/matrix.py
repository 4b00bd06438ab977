"""All verdicts at one look, where there are too many to read: a row for each contrast, a column for each load."""

from __future__ import annotations

from collections.abc import Sequence

from fuselab.report.context import MatrixRow, MatrixView, VerdictView

FROM = 8
"""Verdicts."""


def matrix(views: Sequence[VerdictView]) -> MatrixView | None:
    """None where the sentences are few enough to be read. In the order of the sentences, to which its cells lead."""
    if len(views) < FROM:
        return None
    found: dict[tuple[str, str], dict[str, VerdictView]] = {}
    for view in views:
        baseline, variant, workload = view.cell
        found.setdefault((baseline, variant), {}).setdefault(workload, view)
    workloads = tuple(dict.fromkeys(view.cell[2] for view in views))
    several = len({baseline for baseline, _ in found}) > 1
    nouns = {view.noun for view in views if view.change}
    return MatrixView(
        workloads,
        tuple(
            MatrixRow(
                f"`{variant}`" + (f" against `{baseline}`" if several else ""),
                tuple(cells.get(workload) for workload in workloads),
            )
            for (baseline, variant), cells in found.items()
        ),
        nouns.pop() if len(nouns) == 1 else "",
    )
