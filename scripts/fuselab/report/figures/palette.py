"""The colours of the report, light and dark: chosen to be told apart without red-green vision (Okabe and Ito's set).

A variant has one colour on the whole page. Figures are drawn in the light colours; `css` names every colour as a
variable, so that the same figure follows the reader's scheme.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Colour:
    variable: str
    light: str
    dark: str


INK = Colour("ink", "#1d1d1b", "#e8e6e1")
MUTED = Colour("muted", "#5e5c57", "#a9a69f")
LINE = Colour("line", "#d8d5cd", "#3d3c39")
BAND = Colour("band", "#ece8dd", "#33322e")
PAPER = Colour("paper", "#fdfcf9", "#1a1a18")

VARIANTS = (
    Colour("v0", "#6b6964", "#b3b0a8"),
    Colour("v1", "#d55e00", "#f08a3c"),
    Colour("v2", "#0072b2", "#4aa8e0"),
    Colour("v3", "#009e73", "#2fc79b"),
    Colour("v4", "#c0609a", "#dd92c2"),
    Colour("v5", "#b58900", "#e0b93f"),
    Colour("v6", "#46a2d8", "#86cbf2"),
    Colour("v7", "#7a5195", "#b392cc"),
)
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")

ON_CPU = Colour("oncpu", "#cf5b00", "#ec8a45")
BLOCKED = Colour("blocked", "#0d6ea8", "#4f9fd0")
PREEMPTED = Colour("preempted", "#7fb9dd", "#8fc4e4")
AWAITING = Colour("awaiting", "#e4b83a", "#d6ad3c")
QUEUED = Colour("queued", "#8a5a9e", "#b088c4")
UNEXPLAINED = Colour("unexplained", "#b9b5ab", "#6b6963")

ALL = (INK, MUTED, LINE, BAND, PAPER, *VARIANTS, ON_CPU, BLOCKED, PREEMPTED, AWAITING, QUEUED, UNEXPLAINED)


def of_variant(position: int) -> Colour:
    return VARIANTS[position % len(VARIANTS)]


def marker(position: int) -> str:
    return MARKERS[position % len(MARKERS)]


def css(dark: bool) -> str:
    """Declarations of every variable, for one scheme."""
    return "".join(f"--{colour.variable}:{colour.dark if dark else colour.light};" for colour in ALL)
