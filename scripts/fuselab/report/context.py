"""What the templates place: every string computed, every number worded. Templates decide nothing else.

Text is plain, with names between backticks as in Markdown; the filter `ticks` escapes it and makes them code.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from markupsafe import Markup

_SHORT_TEXT = 16


@dataclass(frozen=True)
class Link:
    href: str
    label: str
    download: str | None = None
    """File name to save under, for data that the page carries itself."""


@dataclass(frozen=True)
class Fact:
    label: str
    value: str


@dataclass(frozen=True)
class Column:
    label: str
    numeric: bool = False
    wide: bool = False
    """Holds sentences or stacks: it must not be squeezed."""


@dataclass(frozen=True)
class Cell:
    text: str
    sort: str = ""
    """What to sort by where the text does not sort as it should: a bare number."""
    href: str | None = None
    strong: bool = False
    stack: tuple[str, ...] = ()
    """Frames, the innermost first, of which `text` names a few: unfolded on demand."""
    whole: str = ""
    """What `text` is only the beginning of: unfolded on demand."""


@dataclass(frozen=True)
class Table:
    key: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    links: tuple[Link, ...] = ()
    more: str = ""
    """Said below the table, where rows were left out."""

    @cached_property
    def short(self) -> tuple[bool, ...]:
        """Of each column: whether it holds a word or two, which need not be broken."""
        return tuple(
            all(len(row[i].text) <= _SHORT_TEXT for row in self.rows) for i in range(len(self.columns))
        )


@dataclass(frozen=True)
class FigureView:
    key: str
    svg: Markup
    narrow: Markup | None
    """The same figure for a phone, where one drawing does not serve both."""
    caption: str
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class VerdictView:
    """One contrast under one workload."""

    kind: str
    """CSS class: faster, slower, none, open, failed."""
    mark: str
    word: str
    sentence: str
    clauses: tuple[tuple[str, Link], ...] = ()
    """What goes on behind the sentence: each what stands before it (` and `), and what was found with where it is."""
    tail: str = "."
    show: Link | None = None
    """Where the largest reason is seen."""
    others: tuple[str, ...] = ()
    differing: int = 0
    """So many of the others, from the first on, say that something differs."""
    notes: tuple[str, ...] = ()
    log: str = ""
    by_hand: str = ""
    """What gives a shell beside the mount of a variant that failed."""
    control: bool = False
    cell: tuple[str, str, str] = ("", "", "")
    """Baseline, variant, workload."""
    key: str = ""
    """Of its place on the page."""
    change: str = ""
    interval: str = ""
    """Of variant / baseline; empty where there is none."""
    noun: str = ""
    """Of which figure they are."""

    @property
    def said(self) -> str:
        """The whole sentence, and what stands behind it."""
        clauses = "".join(before + link.label for before, link in self.clauses)
        return f"{self.sentence}{clauses}{self.tail}"


@dataclass(frozen=True)
class MatrixRow:
    """One contrast."""

    label: str
    cells: tuple[VerdictView | None, ...]
    """In the order of the columns; None where nothing was judged."""


@dataclass(frozen=True)
class MatrixView:
    """All verdicts at one look."""

    workloads: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    noun: str = ""
    """The figure that all cells are of; empty where each says its own."""


@dataclass(frozen=True)
class BecauseView:
    """Why one variant differs, under one load."""

    cell: tuple[str, str, str]
    """Baseline, variant, workload."""
    figure: FigureView
    places: tuple[str, ...] = ()
    """In sentences: where the function of the largest change stands."""


@dataclass(frozen=True)
class GuardView:
    """One guard in one contrast under one load."""

    kind: str
    """CSS class, of the verdict that is coloured alike."""
    mark: str
    word: str
    sentence: str


@dataclass(frozen=True)
class FigureGroup:
    title: str
    figures: tuple[FigureView, ...]


@dataclass(frozen=True)
class CurveView:
    """One swept load."""

    title: str
    sentences: tuple[str, ...]
    figures: tuple[FigureView, ...]
    table: Table


@dataclass(frozen=True)
class Embed:
    """A file carried by the page: gzip, base64."""

    key: str
    payload: str


@dataclass(frozen=True)
class Picture:
    """Shown in a frame of its own. Without `embed` it was too large: the link stays."""

    title: str
    kind: Literal["flame", "graph"]
    """Stacks, drawn by flame.js; or an SVG."""
    embed: str | None
    size: str
    links: tuple[Link, ...]
    """The picture alone, and the data behind it."""
    caption: str = ""
    """What to see."""
    still: str = ""
    """Where it lies drawn, beside the page: shown where no script runs."""


@dataclass(frozen=True)
class Tab:
    """One side of a profiler's view: a variant, or the difference of two."""

    key: str
    label: str
    badge: str
    """What the tab says beside its name: empty, `refused`, `limited`, ..."""
    pictures: tuple[Picture, ...]
    reason: str = ""
    """Why there is no picture."""
    fix: str = ""
    quality: tuple[Fact, ...] = ()
    notes: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    opens: bool = False
    """Whether it is the one to see first."""


@dataclass(frozen=True)
class ProfilerWorkload:
    key: str
    workload: str
    tabs: tuple[Tab, ...]
    findings: tuple[str, ...] = ()
    """What was seen of each variant, in sentences."""
    tables: tuple[Table, ...] = ()
    """All variants side by side."""
    figures: tuple[FigureView, ...] = ()


@dataclass(frozen=True)
class ProfilerView:
    key: str
    title: str
    sees: str
    blind_to: str
    workloads: tuple[ProfilerWorkload, ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class QueryView:
    title: str
    sql: str
    joined: tuple[Table, ...]
    """Of each workload: the answers of all variants side by side, where their rows can be told to belong together."""
    answers: tuple[Answer, ...]
    """Those that are not in `joined`."""


@dataclass(frozen=True)
class Answer:
    """What a query gave for one variant under one workload."""

    label: str
    table: Table | None
    error: str | None


@dataclass(frozen=True)
class BlindSpotView:
    workload: str
    headlines: tuple[str, ...]
    figures: tuple[FigureView, ...]
    tables: tuple[Table, ...]
    hints: tuple[str, ...] = ()
    """What to change in the program so that its trace tells more."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class WorkView:
    """What was counted in runs of fixed work."""

    notes: tuple[str, ...]
    table: Table | None


@dataclass(frozen=True)
class Provenance:
    facts: tuple[Fact, ...]
    variants: Table
    builds: Table | None
    nodes: Table | None
    """What each machine says, where there were several."""
    voided: Table | None
    voided_text: str
    runs: Table | None
    verifies: Table | None
    commands: tuple[Fact, ...]
    files: tuple[Fact, ...]
    """Texts to read: the experiment's YAML, job files."""


@dataclass(frozen=True)
class Section:
    key: str
    title: str


@dataclass(frozen=True)
class Page:
    name: str
    title: str
    lead: tuple[str, ...]
    """Where, when, how much: short phrases in one line."""
    alarms: tuple[str, ...]
    failures: tuple[str, ...]
    """Of variants that no verdict is about."""
    warnings: tuple[str, ...]
    verdicts: tuple[VerdictView, ...]
    matrix: MatrixView | None
    """Before the sentences, where they are many."""
    guards: tuple[GuardView, ...]
    many: bool
    """So many verdicts that each is one short line."""
    ratios: FigureView | None
    because: tuple[BecauseView, ...]
    comparisons: Table | None
    reading: tuple[Fact, ...]
    """How to read it: words and what they mean."""
    work: WorkView | None
    curves: tuple[CurveView, ...]
    distributions: tuple[FigureGroup, ...]
    blindspots: tuple[BlindSpotView, ...]
    sight: Table | None
    account_recorders: tuple[str, str]
    """What an experiment says below `profilers` to be accounted: by operation, and by request."""
    account_asked: bool
    """Whether it says that."""
    profilers: tuple[ProfilerView, ...]
    queries: tuple[QueryView, ...]
    costs: FigureView | None
    cost_table: Table | None
    cost_text: str
    provenance: Provenance
    sections: tuple[Section, ...]
    embeds: tuple[Embed, ...]
    overview: Link | None = None
    night: str = ""
    """`YYYY-MM-DD` where it was measured as one night of many."""
    history: str | None = None
    """Where all of its nights are, if that page is there."""
