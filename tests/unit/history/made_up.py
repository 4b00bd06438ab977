"""Nights made up in the exact form, for the tests of the history and to look at by eye."""

from __future__ import annotations

from dataclasses import replace

from fuselab.history.nights import Night
from fuselab.records.contrast import Contrast
from fuselab.records.plan import Capture, PlanFile, ProfilerPlan, VariantPlan, WorkloadPlan
from fuselab.records.summary import Summary, SummaryRow, SummaryVariant

HEAD = "<head>"
WIGGLE = (0.0, 0.004, -0.003, 0.006, -0.005, 0.002, -0.001)


def night(
    day: int,
    ratio: float | None,
    revision: str = "a" * 40,
    reference: str = "demofs/v1",
    program: str = "1" * 64,
) -> Night:
    name = f"2026-03-{day:02d}"
    plan = PlanFile(
        "nightly",
        "Does main stay as fast as the last release?",
        variants=(
            VariantPlan("release", builds={"none": reference}, argv=(f"results/builds/{reference}/demofs",)),
            VariantPlan(
                HEAD,
                rev=revision,
                builds={"none": f"demofs/{revision}"},
                argv=(f"results/builds/{revision}/x",),
            ),
        ),
        workloads=(WorkloadPlan("seq", spec=f"spec of {name}", settings={"rw": "write"}),),
        contrasts=(Contrast("release", HEAD),),
        primary=("write.bw",),
        night=name,
    )
    row = SummaryRow(
        "seq", "release", HEAD, "write.bw", "B/s", "higher", "inconclusive" if ratio else "failed", ratio,
        ratio and ratio * 0.97, ratio and ratio * 1.03, 0.95, 12, False, "",
    )  # fmt: skip
    control = replace(row, variant="control", control=True)
    variants = (
        SummaryVariant("release", reference, "f" * 40),
        SummaryVariant(HEAD, "b", revision, sha256=program),
    )
    summary = Summary(
        "nightly",
        plan.title,
        f"{name} 03:00",
        f"{name} 03:20",
        ("bench-1",),
        0.05,
        12,
        0,
        (),
        (row, control),
        variants,
    )
    return Night(name, plan, summary)


def steady(first: int, last: int, level: float, **more: str) -> list[Night]:
    return [night(day, level + WIGGLE[day % len(WIGGLE)], **more) for day in range(first, last + 1)]


def slowed_nights() -> tuple[Night, ...]:
    """Slower by a tenth from the 21st on, with a commit of that day."""
    return (*steady(1, 20, 1.0), *steady(21, 28, 0.9, revision="b" * 40))


def captured(nights: tuple[Night, ...], profiler: ProfilerPlan) -> tuple[Night, ...]:
    """The same with `profiler` having looked at both variants."""
    captures = tuple(Capture(variant, "seq", (profiler.name,), "0" * 12, 1) for variant in ("release", HEAD))
    return tuple(
        replace(each, plan=replace(each.plan, profilers=(profiler,), captures=captures)) for each in nights
    )
