"""Many runs over one axis: a line for each, or what a variant's have in common where no eye could follow them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from fuselab.report.figures.base import FEW_NAMED, Places, colours, named, style_of

_SPREAD = (
    "Of so many runs the spread is drawn: a line is the median of a variant's runs, its band holds the middle "
    "80 %."
)
_MEDIANS = "Of so many runs of so many variants the medians are drawn: one line for each variant."
_MOST_LINES = 40
"""That an eye can follow."""
_MOST_BANDS = 8
"""Variants, as many as there are colours: of more, bands would cover each other."""
SHARES = (10, 25, 50, 75, 90)


def spread(values: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Columns p10, p25, p50, p75 and p90 of `value`, and how many runs they are of."""
    groups = values.groupby(by, sort=False)["value"]
    shares = {f"p{share}": groups.quantile(share / 100) for share in SHARES}
    return pd.DataFrame({**shares, "runs": groups.size()})


@dataclass(frozen=True)
class Lines:
    """Runs as lines over `x`; of too many, what their variant's have in common at each `x`."""

    table: pd.DataFrame
    """variant, run, x, value; of a spread also p10 and p90."""
    runs: int
    bands: bool = False

    @classmethod
    def of(cls, shown: pd.DataFrame, step_s: float | None = None) -> Lines:
        """`shown`: variant, run, x, value. With `step_s`, `x` of a spread is rounded to it."""
        lines = shown[["variant", "run"]].drop_duplicates()
        if len(lines) <= _MOST_LINES:
            return cls(shown[["variant", "run", "x", "value"]], len(lines))
        places = shown if step_s is None else shown.assign(x=(shown["x"] / step_s).round() * step_s)
        common = spread(places, ["variant", "x"]).rename(columns={"p50": "value"}).reset_index().assign(run=0)
        columns = ["variant", "run", "x", "value", "p10", "p90"]
        return cls(common[columns], len(lines), bands=shown["variant"].nunique() <= _MOST_BANDS)

    @property
    def each(self) -> bool:
        return "p10" not in self.table

    def over(self, x: pd.Series[float]) -> Lines:
        """The same over another axis."""
        return replace(self, table=self.table.assign(x=x))

    def divided(self, divisor: float) -> Lines:
        figures = self.table.columns.intersection(["value", "p10", "p90"])
        return replace(
            self, table=self.table.assign(**{name: self.table[name] / divisor for name in figures})
        )

    @property
    def words(self) -> str:
        return "one line per run" if self.each else f"medians of {self.runs} runs"

    def caption(self, each: str) -> str:
        """`each` is that of a figure with a line for each run."""
        words = each if self.each else _SPREAD if self.bands else _MEDIANS
        names = list(dict.fromkeys(self.table["variant"]))
        return words if named(names, self.table) == names else f"{words} {FEW_NAMED}"

    def data(self, x: str, value: str, unit: str) -> pd.DataFrame:
        """Of a spread, with the columns' proper names."""
        names = {
            "x": x,
            "p10": f"{value}_p10{unit}",
            "value": f"{value}_p50{unit}",
            "p90": f"{value}_p90{unit}",
        }
        return self.table[["variant", *names]].rename(columns=names)

    def draw(self, axes: Axes, variants: Places, names: list[str], **style: Any) -> None:
        """The lines of a variant are one path: a page of thousands of paths is slow to write and to open."""
        told = named(names, self.table)
        for name in names:
            own = self.table[self.table["variant"] == name].sort_values(["run", "x"], kind="stable")
            starts = np.flatnonzero(own["run"].ne(own["run"].shift()))[1:]
            x, y = (np.insert(own[column].to_numpy(float), starts, np.nan) for column in ("x", "value"))
            look = style_of(name, variants, told)
            axes.plot(x, y, **look, **style | ({} if self.each else {"alpha": 1}))
            if self.bands:
                axes.fill_between(
                    own["x"], own["p10"], own["p90"], color=colours(variants)[name], alpha=0.15, lw=0
                )
