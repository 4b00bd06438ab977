"""Tables of the page as LaTeX and CSV: the same cells, for booktabs."""

from __future__ import annotations

import csv
import io
import re

from fuselab import foreign
from fuselab.report.context import Column, Table
from fuselab.report.words import pieces

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
    safe = (
        (_SIGN.sub(lambda sign: _SIGNS[sign[0]], part).replace("\n", " "), code)
        for part, code in pieces(text)
    )
    return "".join(rf"\texttt{{{part}}}" if is_code else part for part, is_code in safe)


LONGEST = 40
"""Rows up to which a table floats on one page."""
_FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def latex(table: Table) -> str:
    """A table, to `\\input` where booktabs, graphicx and longtable are loaded. One wider than the text is made smaller;
    one that is longer than a page goes on over the next."""
    layout = "".join(_layout(column) for column in table.columns)
    head = " & ".join(escaped(column.label) for column in table.columns) + r" \\"
    rows = [" & ".join(escaped(cell.text) for cell in row) + r" \\" for row in table.rows]
    caption = rf"\caption{{{escaped(table.caption)}}}"
    label = rf"\label{{tab:{table.key}}}"
    if len(table.rows) <= LONGEST:
        body = [rf"\begin{{tabular}}{{{layout}}}", r"\toprule", head, r"\midrule", *rows, r"\bottomrule"]
        lines = [
            r"\begin{table}",
            r"\centering",
            caption,
            label,
            r"\medskip",
            _FIT,
            *body,
            r"\end{tabular}}",
            r"\end{table}",
        ]
    else:
        top = [r"\toprule", head, r"\midrule"]
        lines = [
            r"{\tiny\setlength{\tabcolsep}{2pt}", rf"\begin{{longtable}}{{{layout}}}", caption + label + r"\\",
            *top, r"\endfirsthead", *top, r"\endhead", r"\bottomrule", r"\endfoot", *rows, r"\end{longtable}}",
        ]  # fmt: skip
    return "\n".join([*lines, ""])


def _layout(column: Column) -> str:
    return "r" if column.numeric else r"p{5cm}" if column.wide else "l"


def as_csv(table: Table) -> str:
    """The cells as they are read, with their units."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.label for column in table.columns])
    numeric = [column.numeric for column in table.columns]
    writer.writerows(
        [cell.text if number else foreign.cell(cell.text) for cell, number in zip(row, numeric, strict=True)]
        for row in table.rows
    )
    return text.getvalue()
