"""From what the file says to its contrasts: by hand, along the matrix, or all against the first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fuselab.experiment.variants import CONTROL, Draft
from fuselab.records.contrast import Contrast
from fuselab.schema.diagnostics import Diagnostics
from fuselab.schema.yaml_source import Key


def matrix_contrasts(drafts: list[Draft], along: str) -> list[Contrast]:
    """Along one axis: in each combination of the other axes, every value against the first."""
    rows: dict[tuple[tuple[str, str], ...], list[Draft]] = {}
    for draft in drafts:
        if draft.cell:
            others = tuple((axis, label) for axis, label in draft.cell.items() if axis != along)
            rows.setdefault(others, []).append(draft)
    return [Contrast(row[0].name, other.name) for row in rows.values() for other in row[1:]]


def read_contrasts(
    diagnostics: Diagnostics, data: Mapping[str, Any], drafts: list[Draft]
) -> tuple[Contrast, ...]:
    """By hand, along the matrix, or all against the first; the control always against the baseline."""
    names = [draft.name for draft in drafts]
    if "contrasts" in data:
        contrasts = _by_hand(diagnostics, data["contrasts"], names)
    elif "matrix" in data:
        contrasts = matrix_contrasts(drafts, data["matrix"].get("along", ""))
    else:
        contrasts = [Contrast(names[0], name) for name in names[1:]]
    for draft in drafts[1:]:
        pair = Contrast(names[0], draft.name)
        if draft.values.get(CONTROL) and pair not in contrasts:
            contrasts.append(pair)
    return tuple(contrasts)


def check_compared(
    diagnostics: Diagnostics, data: Mapping[str, Any], contrasts: tuple[Contrast, ...]
) -> None:
    """A `compare` where no two variants are compared."""
    if "compare" not in data or contrasts:
        return
    if any(diagnostics.broken_below((key,)) for key in ("variants", "matrix", "contrasts")):
        return
    mend = "add a second variant, or 'control: true', or leave 'compare' out"
    if "matrix" in data:
        mend = "have two values on the axis of 'along', or leave 'compare' out"
    diagnostics.add(("compare",), f"'compare' has nothing to compare with one variant: {mend}", of_key=True)


def _by_hand(diagnostics: Diagnostics, pairs: list[Mapping[str, str]], names: list[str]) -> list[Contrast]:
    contrasts: list[Contrast] = []
    for i, pair in enumerate(pairs):
        at: Key = ("contrasts", i)
        if "baseline" not in pair or "variant" not in pair:
            continue
        for side in ("baseline", "variant"):
            if pair[side] not in names:
                diagnostics.unknown((*at, side), "variant", names)
        contrast = Contrast(pair["baseline"], pair["variant"])
        if contrast.baseline == contrast.variant:
            message = f"a contrast of '{contrast.variant}' with itself"
            diagnostics.add((*at, "variant"), message, allowed=[n for n in names if n != contrast.baseline])
        elif contrast in contrasts:
            diagnostics.add(at, f"'{contrast.variant}' against '{contrast.baseline}' is in the list already")
        elif not diagnostics.broken_below(at):
            contrasts.append(contrast)
    return contrasts
