"""From a matplotlib figure to what stands in a page: an SVG that follows the reader's colours, and its data."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fuselab.report.figures import palette

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"

RC: Any = {
    "svg.fonttype": "none",  # text stays text: small, searchable, in the reader's own font
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "axes.edgecolor": palette.MUTED.light,
    "axes.labelcolor": palette.INK.light,
    "axes.titlecolor": palette.INK.light,
    "text.color": palette.INK.light,
    "xtick.color": palette.MUTED.light,
    "ytick.color": palette.MUTED.light,
    "xtick.labelcolor": palette.MUTED.light,
    "ytick.labelcolor": palette.MUTED.light,
    "grid.color": palette.LINE.light,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "text.parse_math": False,  # a variant called `$x$` is text
}

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass(frozen=True)
class Drawing:
    """One figure. `name` is unique in a report: it names the files in the bundle."""

    name: str
    figure: Figure
    data: pd.DataFrame
    """What is drawn, in long form, units in the columns' names or in a column `unit`."""
    alt: str
    """What is there, for those who cannot see it."""
    caption: str = ""
    """What to see."""


def svg(drawing: Drawing) -> str:
    """A standalone SVG document in the light colours."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context(RC | {"svg.hashsalt": drawing.name}):
        drawing.figure.savefig(buffer, format="svg", metadata={"Date": None})
    # What a query answers, say, may hold what XML cannot: matplotlib writes it as it is.
    return _NOT_XML.sub("", buffer.getvalue())


def inline(drawing: Drawing, key: str) -> str:
    """An `<svg>` element for an HTML page: colours by variable, ids that begin with `key`, described for readers."""
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    root = ET.fromstring(svg(drawing))
    for metadata in root.findall(f"{{{SVG}}}metadata"):
        root.remove(metadata)
    _prefix_ids(root, key)
    _shorten_numbers(root)
    width, height = (float(root.attrib[side].removesuffix("pt")) * 96 / 72 for side in ("width", "height"))
    for side in ("width", "height"):
        del root.attrib[side]
    root.attrib |= {
        "role": "img",
        "aria-label": drawing.alt,
        "style": f"max-width:{width:.0f}px;aspect-ratio:{width:.0f}/{height:.0f}",
    }
    text = ET.tostring(root, encoding="unicode")
    # A style element inside an inline SVG would reach the whole page.
    text = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*;?", "", text)
    text = re.sub(r"font: ([\d.]+px) [^;\"]*;?", r"font-size: \1;", text)
    for colour in palette.ALL:
        text = text.replace(colour.light, f"var(--{colour.variable})")
    return re.sub(r"\s*\n\s*", " ", text)


def _shorten_numbers(root: ET.Element) -> None:
    """Places to a hundredth of a point, for a smaller page. What is text stays as it is: a label `0.005` too."""
    for element in root.iter():
        for attribute, value in element.attrib.items():
            element.attrib[attribute] = _LONG_NUMBER.sub(r"\1", value)


_LONG_NUMBER = re.compile(r"(-?\d+\.\d{2})\d+")


def _prefix_ids(root: ET.Element, key: str) -> None:
    """Ids must be unique in the page: keep those something refers to, under `key`."""
    text = ET.tostring(root, encoding="unicode")
    used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text))
    for element in root.iter():
        name = element.attrib.get("id")
        if name is not None and name not in used:
            del element.attrib["id"]
        elif name is not None:
            element.attrib["id"] = f"{key}-{name}"
        for attribute, value in element.attrib.items():
            if attribute.endswith("href") and value.startswith("#"):
                element.attrib[attribute] = f"#{key}-{value[1:]}"
            elif "url(#" in value:
                element.attrib[attribute] = value.replace("url(#", f"url(#{key}-")
