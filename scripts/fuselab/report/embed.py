"""What a page carries inside itself: figures, data behind a link, pictures for frames, within a budget of bytes."""

from __future__ import annotations

import base64
import gzip
import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from markupsafe import Markup

from fuselab import foreign
from fuselab.report import flame, words
from fuselab.report.context import Embed, FigureView, Link, Picture
from fuselab.report.figures.base import NARROW_IN, WIDE_IN
from fuselab.report.figures.drawing import Drawing, inline

if TYPE_CHECKING:
    import pandas as pd

BUDGET_BYTES = 10_000_000
"""For all pictures of a page, encoded: with the data behind its tables the page stays under 15 MB."""
TABLES_BYTES = 2_500_000
"""For the data behind all tables of a page, encoded."""
LARGEST_BYTES = 2_500_000
"""For one picture, encoded. A larger one takes a browser seconds to draw: it is a link."""
LARGEST_STACKS_BYTES = 4_000_000
"""For the stacks of one flamegraph, encoded: some 150,000 of them, of which what can be seen is drawn."""
_INFERNO = b"github.com/jonhoo/inferno"
_DATA_ROWS = 20_000
_TABLE_BYTES = 120_000
"""For the CSV of one table. What is beyond lies in the file beside the page."""


def csv_text(data: pd.DataFrame) -> str:
    """`data` as CSV with six digits; a spreadsheet calculates nothing in it, whatever things are called."""
    safe = data.map(lambda value: foreign.cell(value) if isinstance(value, str) else value)
    return safe.to_csv(index=False, float_format="%.6g")


def data_link(data: pd.DataFrame, name: str) -> Link | None:
    """A link that saves `data` as `<name>.csv`, carried by the page so that it works wherever the file goes."""
    if len(data) > _DATA_ROWS:
        return None
    return _link(csv_text(data), "data (CSV)", name)


def _link(text: str, label: str, name: str) -> Link:
    packed = base64.b64encode(text.encode()).decode()
    return Link(f"data:text/csv;charset=utf-8;base64,{packed}", label, f"{name}.csv")


class Draws(Protocol):
    """Draws a figure that is called `name`, in a width."""

    def __call__(self, name: str, *, width_in: float) -> Drawing: ...


def in_both_widths(name: str, draws: Draws) -> FigureView:
    """The figure for the page and for a phone."""
    return view(draws(name, width_in=WIDE_IN), draws(f"{name}-narrow", width_in=NARROW_IN))


def view(drawing: Drawing, narrow: Drawing | None = None) -> FigureView:
    """`drawing` for the page: its SVG, its caption, its data."""
    link = data_link(drawing.data, drawing.name)
    small = Markup(inline(narrow, narrow.name)) if narrow is not None else None
    links = (link,) if link else ()
    return FigureView(drawing.name, Markup(inline(drawing, drawing.name)), small, drawing.caption, links)


def is_flamegraph(path: Path) -> bool:
    """Whether inferno drew it: what else is an SVG has no stacks, whatever lies beside it under its name."""
    with path.open("rb") as file:
        return _INFERNO in file.read(1000)


class Carrier:
    """Collects what the page at `page` carries."""

    def __init__(self, page: Path) -> None:
        self._folder = page.parent
        self._left = BUDGET_BYTES
        self._left_for_tables = TABLES_BYTES
        self._embeds: list[Embed] = []

    @property
    def embeds(self) -> tuple[Embed, ...]:
        return tuple(self._embeds)

    def href(self, path: Path) -> str:
        """`path` as a link from the page."""
        return quote(os.path.relpath(path, self._folder))

    def flame(
        self, path: Path, stacks: Path, unit: str, programs: Collection[str], title: str, caption: str
    ) -> Picture:
        """A flamegraph of the folded `stacks`, which are carried if they fit; `path` is the same as inferno drew it.

        `programs`: what the programs looked at are called.
        """
        content = flame.packed(stacks, unit, programs).encode()
        key, size = self._carried(content, LARGEST_STACKS_BYTES)
        links = (*self._prints(path, "picture (SVG)"), Link(self.href(stacks), "its stacks (text)"))
        return Picture(title, "flame", key, size, links, caption=caption, still=self.href(path))

    def picture(self, path: Path, title: str, caption: str = "") -> Picture:
        """The SVG at `path`, carried if it fits. Its PDF is linked if there is one."""
        content = path.read_bytes()
        key, size = self._carried(content, LARGEST_BYTES)
        return Picture(title, "graph", key, size, self._prints(path, "open alone"), caption=caption)

    def _carried(self, content: bytes, most: int) -> tuple[str | None, str]:
        """Its key, if it fits and has no more than so many bytes encoded, and how large it is in words."""
        payload = base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
        key = None
        if len(payload) <= min(self._left, most):
            key = f"embed-{len(self._embeds)}"
            self._embeds.append(Embed(key, payload))
            self._left -= len(payload)
        return key, words.quantity(len(content), "bytes")

    def _prints(self, path: Path, label: str) -> tuple[Link, ...]:
        """`path` as it lies beside the page, and its PDF if there is one."""
        pdf = path.with_suffix(".pdf")
        return (Link(self.href(path), label), *([Link(self.href(pdf), "PDF")] if pdf.is_file() else []))

    def table(
        self, data: pd.DataFrame, name: str, total: int, beside: Path | None = None
    ) -> tuple[Link, ...]:
        """Links to the data of a table of `total` rows: what of `data` fits the page, which says how many rows that
        is, and the file `beside` it."""
        text = csv_text(data)
        kept = text[: text.rindex("\n", 0, _TABLE_BYTES) + 1] if len(text) > _TABLE_BYTES else text
        others = () if beside is None else (Link(self.href(beside), beside.name),)
        rows = len(data) if kept == text else max(1, round(len(data) * len(kept) / len(text)))
        label = "data (CSV)" if kept == text and rows == total else f"data (CSV, about the first {rows} rows)"
        link = _link(kept, label, name)
        if len(link.href) > self._left_for_tables:
            return others
        self._left_for_tables -= len(link.href)
        return (link, *others)
