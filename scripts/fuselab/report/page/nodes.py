"""What each machine says of a ratio, where blocks were measured on several."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fuselab.compare.nodes import Nodes, compare_nodes
from fuselab.compare.schedule import level_of
from fuselab.records.comparison import Comparison
from fuselab.report import origin, words
from fuselab.report.context import Table
from fuselab.report.page import verdicts
from fuselab.report.reading import Results
from fuselab.report.tables import from_records


def nodes_table(results: Results) -> Table | None:
    """Each machine's ratio beside the pooled one; None where there is one machine."""
    rows = [
        [
            row.workload,
            f"{row.variant} / {row.baseline}",
            row.metric,
            one.node,
            one.blocks,
            _change(one.ratio),
            pooled,
        ]
        for row, nodes in judged(results)
        for one in nodes.by_node
        for pooled in [_change(row.ratio) if row.ratio is not None else ""]
    ]
    if not rows:
        return None
    caption = (
        "What each machine by itself says: the mean of its blocks, beside the ratio that the verdict goes by."
    )
    names = ["workload", "contrast", "metric", "machine", "blocks", "change", "pooled"]
    return from_records("nodes", caption, names, rows)


def disagreements(results: Results) -> Iterator[str]:
    """A sentence for each contrast on which machines disagree."""
    for row, nodes in judged(results):
        if not nodes.disagree:
            continue
        said = ", ".join(f"`{one.node}` {_change(one.ratio)}" for one in nodes.by_node)
        of = f"{row.metric} of `{row.variant}` against `{row.baseline}` in `{row.workload}`"
        sentence = f"Machines disagree on {of}: {said}."
        if nodes.out_of_line:
            sentence += f" `{nodes.out_of_line}` is out of line, and the others agree."
        if nodes.across is not None:
            middle, low, high = map(_change, nodes.across)
            sentence += f" With each machine counted as one it is {middle} ({low} to {high})."
        yield sentence


def judged(results: Results) -> Iterator[tuple[Comparison, Nodes]]:
    """Primary comparisons, as the machines that measured their blocks see them."""
    if len(origin.hosts(results)) < 2:
        return
    where = {(run.record.workload, run.record.block): run.record.hostname for run in results.runs}
    values = {
        (sample.workload, sample.metric, sample.variant, sample.block): sample.value
        for sample in results.samples
    }
    level = level_of(results.plan.blocks)
    for row in verdicts.primary_rows(results):
        by_node: dict[str, list[float]] = {}
        for (workload, block), node in where.items():
            key = (row.workload, row.metric)
            sides = [values.get((*key, name, block or 0), math.nan) for name in (row.baseline, row.variant)]
            if workload == row.workload and node and min(sides) > 0:
                by_node.setdefault(node, []).append(math.log(sides[1] / sides[0]))
        if len(by_node) > 1:
            yield row, compare_nodes(by_node, level)


def _change(ratio: float) -> str:
    return words.percent(ratio - 1, signed=True)
