"""The rows of `comparisons.csv`: single comparisons, corrected together, put into words. No pandas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fuselab.compare import gates
from fuselab.compare.attrition import Attrition
from fuselab.compare.estimate import Interval, Spread
from fuselab.compare.families import benjamini_hochberg
from fuselab.compare.schedule import level_of, looks_of, minimum_blocks
from fuselab.compare.verdict import Claim, differs, judge_family, verdict
from fuselab.records.comparison import FAILED, INCONCLUSIVE, Comparison, Family
from fuselab.records.design import Design, Pair
from fuselab.records.metrics import Better


@dataclass(frozen=True)
class Draft:
    """One comparison before the correction for the others."""

    pair: Pair
    workload: str
    metric: str
    unit: str = ""
    better: Better | Literal[""] = ""
    """Unit and direction are empty where nothing was measured."""
    blocks: int = 0
    interval: Interval | None = None
    spread: Spread | None = None
    gated: str | None = None
    """The verdict, where a gate and not the figures decides it."""
    notes: tuple[str, ...] = ()

    def gate(self, verdict: str, reason: str) -> Draft:
        return replace(self, gated=self.gated or verdict, notes=(*self.notes, reason))


def finish(
    drafts: Sequence[Draft], design: Design, attrition: Attrition, family_size: int
) -> list[Comparison]:
    """Verdicts for all drafts of an experiment: Holm over the primary ones, a family of `family_size`;
    Benjamini-Hochberg over the exploratory ones; each control by itself. Primary rows come first."""
    by_family: dict[Family, list[Draft]] = {"primary": [], "control": [], "exploratory": []}
    for draft in drafts:
        by_family[_family(draft, design)].append(draft)
    rows = []
    for family, members in by_family.items():
        if family == "exploratory":
            # That a variant failed is said once, where it is judged.
            members = [draft for draft in members if draft.gated != FAILED]
        judged = _judge(family, [draft for draft in members if _claim(draft)], design, family_size)
        for draft in members:
            word, p_adjusted, correction = judged.get(id(draft), (draft.gated or INCONCLUSIVE, None, "none"))
            rows.append(_row(draft, design, attrition, family, word, p_adjusted, correction))
    return rows


def _family(draft: Draft, design: Design) -> Family:
    if design.is_control(draft.pair):
        return "control"
    return "primary" if draft.metric in design.primary else "exploratory"


def _claim(draft: Draft) -> Claim | None:
    if draft.gated or draft.interval is None or not draft.better:
        return None
    return Claim(draft.interval, draft.better, gates.floor_of(draft.metric))


def _judge(
    family: Family, drafts: Sequence[Draft], design: Design, family_size: int
) -> dict[int, tuple[str, float, str]]:
    """id(draft) -> verdict, adjusted p, correction; for the drafts that have a claim."""
    claims = [claim for claim in map(_claim, drafts) if claim]
    if family == "primary":
        correction = f"Holm over {family_size}"
        found = judge_family(
            claims, family=family_size, looks=len(looks_of(design.blocks)), threshold=design.threshold
        )
    elif family == "exploratory":
        correction = f"Benjamini-Hochberg over {len(claims)}, exploratory"
        adjusted = benjamini_hochberg([claim.interval.p for claim in claims])
        found = [
            (verdict(claim, p, design.threshold), p)
            for claim, p in zip(claims, adjusted, strict=True)
            if p is not None
        ]
    else:
        correction = "none"
        found = [(verdict(c, c.interval.p, design.threshold), c.interval.p) for c in claims]
    return {id(draft): (*pair, correction) for draft, pair in zip(drafts, found, strict=True)}


def _row(
    draft: Draft,
    design: Design,
    attrition: Attrition,
    family: Family,
    word: str,
    p_adjusted: float | None,
    correction: str,
) -> Comparison:
    found, beside = draft.interval, draft.spread
    return Comparison(
        experiment=design.experiment,
        workload=draft.workload,
        baseline=draft.pair[0],
        variant=draft.pair[1],
        metric=draft.metric,
        unit=draft.unit,
        better=draft.better,
        blocks=draft.blocks,
        ratio=found.ratio if found else None,
        ratio_low=found.ratio_low if found else None,
        ratio_high=found.ratio_high if found else None,
        verdict=word,
        family=family,
        level=level_of(design.blocks),
        p=found.p if found else None,
        p_adjusted=p_adjusted,
        correction=correction,
        mean_ratio=beside.mean_ratio if beside else None,
        min_ratio=beside.min_ratio if beside else None,
        max_ratio=beside.max_ratio if beside else None,
        stall_rate=beside.stall_rate if beside else None,
        stall_rate_baseline=beside.stall_rate_baseline if beside else None,
        voided=attrition.voided.get(draft.workload, 0),
        gated=draft.gated is not None,
        note="; ".join((*draft.notes, *_remarks(draft, design, p_adjusted, correction))),
    )


def _remarks(draft: Draft, design: Design, p_adjusted: float | None, correction: str) -> list[str]:
    """What a reader must know to understand the verdict beside its interval."""
    found, remarks = draft.interval, []
    if found and p_adjusted is not None and differs(found, found.p):
        floor = gates.floor_of(draft.metric)
        if not differs(found, p_adjusted):
            remarks.append(
                f"the interval leaves out 0 by itself, but not after the correction ({correction})"
            )
        elif abs(found.ratio - 1) < floor:
            remarks.append(f"no difference below {floor:.0%} is claimed on a percentile")
    if found and found.ratio_low is None:
        needed = minimum_blocks(level_of(design.blocks))
        remarks.append(f"{found.blocks} blocks: an interval of {level_of(design.blocks):.1%} needs {needed}")
    elif found and isinstance(design.blocks, int) and found.blocks < design.blocks:
        remarks.append(f"{found.blocks} of {design.blocks} blocks")
    warning = gates.closed_loop_warning(draft.metric, draft.workload in design.closed_loop)
    return remarks + ([warning] if warning and draft.gated != FAILED else [])
