"""Tables of the page as LaTeX and CSV: the same cells, for booktabs."""

from __future__ import annotations

import csv
import io
import re

from fuselab.report.context import Table

_SIGNS = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\N{MINUS SIGN}": "$-$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{NO-BREAK SPACE}": "~",
    "\N{NARROW NO-BREAK SPACE}": r"\,",
    "\N{MICRO SIGN}": r"\textmu{}",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
}
_SIGN = re.compile("|".join(map(re.escape, _SIGNS)))


def escaped(text: str) -> str:
    """`text` as text in LaTeX. Code between backticks is set in typewriter."""
    parts = re.split(r"`([^`]+)`", text)
    safe = [_SIGN.sub(lambda sign: _SIGNS[sign[0]], part).replace("\n", " ") for part in parts]
    return "".join(rf"\texttt{{{part}}}" if i % 2 else part for i, part in enumerate(safe))


def latex(table: Table) -> str:
    """A table environment, to `\\input` where booktabs is loaded."""
    layout = "".join("r" if column.numeric else "l" for column in table.columns)
    head = " & ".join(escaped(column.label) for column in table.columns)
    rows = [" & ".join(escaped(cell.text) for cell in row) + r" \\" for row in table.rows]
    return "\n".join([
        r"\begin{table}",
        rf"\caption{{{escaped(table.caption)}}}",
        rf"\label{{tab:{table.key}}}",
        rf"\begin{{tabular}}{{{layout}}}",
        r"\toprule",
        head + r" \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
        "",
    ])  # fmt: skip


def as_csv(table: Table) -> str:
    """The cells as they are read, with their units."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.label for column in table.columns])
    writer.writerows([cell.text for cell in row] for row in table.rows)
    return text.getvalue()
