"""Tables of the page as LaTeX and CSV: the same cells, for booktabs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

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
    "[": "{[}",  # behind the end of a row it would begin an argument, and so would *
    "]": "{]}",
    "*": "{*}",
    "--": "-{}-",  # no dash
    "`": r"\textasciigrave{}",
    "\N{MINUS SIGN}": "$-$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{NO-BREAK SPACE}": "~",
    "\N{NARROW NO-BREAK SPACE}": r"\,",
    "\N{MICRO SIGN}": r"$\mu$",  # as outlines whatever fonts are there
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{LEFTWARDS ARROW}": r"$\leftarrow$",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``",
    "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
    "\N{MIDDLE DOT}": r"$\cdot$",
    "\N{DEGREE SIGN}": r"$^\circ$",
}
_SIGN = re.compile("|".join(map(re.escape, _SIGNS)) + r"|[^\x00-\x7f]")


def escaped(text: str) -> str:
    """`text` as text in LaTeX, in ASCII: a sign that no engine is sure to know is its number (`U+4E2D`). Code between
    backticks is set in typewriter."""
    safe = (
        (
            _SIGN.sub(lambda sign: _SIGNS.get(sign[0]) or f"U+{ord(sign[0]):04X}", part).replace("\n", " "),
            code,
        )
        for part, code in pieces(text)
    )
    return "".join(rf"\texttt{{{part}}}" if is_code else part for part, is_code in safe)


PACKAGES = ("array", "booktabs", "graphicx", "longtable", "pdflscape")
"""What a document loads that takes a table in."""
LONGEST = 40
"""Rows up to which a table floats on one page."""
WIDEST = 100
"""Characters up to which a row is made to fit the width of a page; of a wider one the page is turned."""
_TURNED = 122
"""Characters in small type that fit beside each other on a page that is turned."""
_SENTENCES = 5
"""How many times as wide a column of sentences may stay as others when they wrap."""
_BETWEEN = 2
"""Characters between two columns."""
_PROSE = 27
"""Characters of a column of 5 cm."""
_FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def latex(table: Table) -> str:
    """A table, to `\\input` where `PACKAGES` are loaded. One somewhat wider than the text is made smaller, one that is
    much wider is set on a page that is turned, in columns that wrap; one that is longer than a page goes on over the
    next."""
    wide = _is_wide(table)
    columns = _turned(table) if wide else [_layout(column) for column in table.columns]
    head = _row([column.label for column in table.columns])
    rows = [_row([cell.text for cell in row]) for row in table.rows]
    caption = rf"\caption{{{escaped(table.caption)}}}" + rf"\label{{tab:{table.key}}}"
    if wide:
        lines = [r"\begin{landscape}", *_long("scriptsize", columns, caption, head, rows), r"\end{landscape}"]
    elif len(rows) > LONGEST:
        lines = _long("tiny", columns, caption, head, rows)
    else:
        body = [r"\toprule", head, r"\midrule", *rows, r"\bottomrule"]
        begin = rf"\begin{{tabular}}{{{''.join(columns)}}}"
        lines = [
            r"\begin{table}", r"\centering", caption, r"\medskip", _FIT, begin, *body,
            r"\end{tabular}}", r"\end{table}",
        ]  # fmt: skip
    return "\n".join([*lines, ""])


def _row(texts: Sequence[str]) -> str:
    return _IN_NAMES.sub(r"\1\\allowbreak{}", " & ".join(map(escaped, texts))) + r" \\"


def _long(size: str, columns: Sequence[str], caption: str, head: str, rows: Sequence[str]) -> list[str]:
    top = [r"\toprule", head, r"\midrule"]
    return [
        rf"{{\{size}\setlength{{\tabcolsep}}{{2pt}}\setlength{{\LTcapwidth}}{{\linewidth}}",
        rf"\begin{{longtable}}{{{''.join(columns)}}}", caption + r"\\",
        *top, r"\endfirsthead", *top, r"\endhead", r"\bottomrule", r"\endfoot", *rows, r"\end{longtable}}",
    ]  # fmt: skip


def _layout(column: Column) -> str:
    return "r" if column.numeric else r"p{5cm}" if column.wide else "l"


def _texts(table: Table, number: int) -> list[str]:
    """Label and cells of one column."""
    return [table.columns[number].label, *(row[number].text for row in table.rows)]


def _is_wide(table: Table) -> bool:
    longest = [max(map(len, _texts(table, number))) for number in range(len(table.columns))]
    widths = [
        min(width, _PROSE) if column.wide else width
        for width, column in zip(longest, table.columns, strict=True)
    ]
    return sum(widths) + _BETWEEN * len(widths) > WIDEST


def _turned(table: Table) -> list[str]:
    """Columns that share the width of a page that is turned: each at least as wide as the longest word in it, and the
    longest are the first to wrap, sentences the last."""
    texts = [_texts(table, number) for number in range(len(table.columns))]
    least = [max(len(word) for text in column for word in _WORD.split(text)) for column in texts]
    longest = [max(map(len, column)) for column in texts]

    def widths(cap: int) -> list[int]:
        caps = [cap * _SENTENCES if column.wide else cap for column in table.columns]
        return [max(low, min(high, most)) + 1 for low, high, most in zip(least, longest, caps, strict=True)]

    fits = (each for cap in range(max(longest), 0, -1) if sum(each := widths(cap)) <= _TURNED)
    shared = next(fits, None) or widths(0)
    scale = 0.998 / max(sum(shared), _TURNED)  # shares are rounded
    return [_wrapped(column, width * scale) for column, width in zip(table.columns, shared, strict=True)]


_IN_NAMES = re.compile(r"((?<=[A-Za-z])(?:\.|\\_|=|,)(?=[A-Za-z])|(?<=[a-z])/(?=[a-z]))")
"""Where a name such as `metadata.stat.rate` may be broken, and no number."""
_WORD = re.compile(r"(?<=-)|(?<=[A-Za-z][._=,])(?=[A-Za-z])|(?<=[a-z]/)(?=[a-z])|[ \n]")
"""Where a line is broken, in the text before it is escaped."""


def _wrapped(column: Column, share: float) -> str:
    """As wide as `share` of a line, with the space to the next one in it."""
    side = r"\raggedleft" if column.numeric else r"\raggedright"
    return rf">{{{side}\arraybackslash}}p{{\dimexpr{share:.4f}\linewidth-2\tabcolsep\relax}}"


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
