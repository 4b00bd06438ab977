"""What a pull request is told: nothing where nothing has changed for sure."""

from __future__ import annotations

from fuselab.records.comparison import BROKEN, FAILED, FASTER, SLOWER
from fuselab.records.summary import Summary, SummaryRow
from fuselab.report.summary import summary_markdown
from fuselab.report.templating import rendered


def changed(summary: Summary) -> list[SummaryRow]:
    """Primary comparisons that failed, or surely differ by what matters: the whole interval lies beyond the threshold.

    A verdict alone is wrong in one experiment of twenty, and a pull request is measured every day.
    """
    rows = [row for row in summary.comparisons if not row.control and not row.accepted]
    return [row for row in rows if row.verdict == FAILED or _beyond(row, summary.threshold)]


def _guarded(summary: Summary, row: SummaryRow) -> bool:
    """Whether a guard says the same already."""
    of = {(g.workload, g.baseline, g.variant, g.metric) for g in summary.guards if g.outcome == BROKEN}
    return (row.workload, row.baseline, row.variant, row.metric) in of


def _beyond(row: SummaryRow, threshold: float) -> bool:
    if row.verdict not in (FASTER, SLOWER) or row.ratio_low is None or row.ratio_high is None:
        return False
    return row.ratio_high < 1 - threshold or row.ratio_low > 1 + threshold


def comment(summary: Summary) -> str:
    """Markdown; empty where nothing has changed that is not accepted."""
    guards, rows = [guard for guard in summary.guards if guard.broken], changed(summary)
    if not guards and not rows:
        return ""
    known = [guard for guard in summary.guards if guard.outcome == BROKEN and guard.accepted]
    known_rows = [row for row in summary.comparisons if row.accepted and not _guarded(summary, row)]
    return rendered(
        "comment.md.j2",
        summary=summary,
        guards=guards,
        rows=rows,
        accepted=[each.sentence for each in known]
        + [f"{row.sentence.removesuffix('.')}; {row.accepted}." for row in known_rows],
        whole=summary_markdown(summary),
    )
