"""The methods paragraph: what was actually done, in the words of a paper."""

from __future__ import annotations

from collections.abc import Sequence

from fuselab.compare.counting import LEVEL
from fuselab.records.plan import PlanFile, Verifying, WorkloadPlan
from fuselab.records.request import NOT_FRESH
from fuselab.report import counts, origin, words
from fuselab.report.paper.machine import programs as programs_of
from fuselab.report.reading import Results
from fuselab.workloads import REGISTRY


def methods(results: Results) -> str:
    """Markdown, one paragraph each on what was compared, how it was run, how it was judged, how it was profiled."""
    paragraphs = [_compared(results), _run(results), _judged(results), _counted(results), _profiled(results)]
    return "\n\n".join(" ".join(sentences) for sentences in paragraphs if sentences) + "\n"


def _compared(results: Results) -> list[str]:
    plan = results.plan
    targets = words.listing(list(dict.fromkeys(v.target for v in plan.variants if v.target)))
    names = words.names(plan.names())
    loads = words.names(plan.judged)
    said = [
        f"We compared {words.plural(len(plan.variants), 'variant')} of {targets} ({names}; baseline "
        f"`{plan.baseline}`) under {loads}."
    ]
    if plan.controls:
        named = words.names(sorted(plan.controls))
        said.append(f"The A/A control {named} is identical to the baseline.")
    said += [*_loads(results), _built(results), _machine(results)]
    return [sentence for sentence in said if sentence]


def _loads(results: Results) -> list[str]:
    """Each in the words of its kind."""
    plan = results.plan
    firsts = {points[0].name: points for points in plan.curves.values()}
    said: list[str] = []
    for w in plan.workloads:
        if w.point is None or w.name in firsts:
            said += REGISTRY[w.kind].described(w.name, w.settings)
        if w.name in firsts:
            said.append(_swept(w.judged_as, firsts[w.name]))
    return said


def _swept(curve: str, points: Sequence[WorkloadPlan]) -> str:
    """`write` is that at iodepth 1, 2 and 4."""
    axes: dict[str, dict[str, None]] = {}
    for point in (w.point for w in points if w.point):
        for one in point.at:
            axes.setdefault(one.over, {})[one.text] = None
    at = " and ".join(f"`{over}` {words.listing(list(texts))}" for over, texts in axes.items())
    return (
        f"`{curve}` is that at {at}; it is judged by the geometric mean over these "
        f"{words.plural(len(points), 'point')} of each block."
    )


def _built(results: Results) -> str:
    built = [
        f"`{build.target}/{build.build}` from {words.revision(build.revision, build.dirty)}"
        for build in results.builds
        if build.revision
    ]
    installed = [build.version for build in results.builds if build.version and not build.revision]
    others = [f"{name} {version}" for name, version in programs_of(results).items() if name != "toolchain"]
    programs = list(dict.fromkeys((*installed, *others)))
    compilers = list(dict.fromkeys(build.toolchain for build in results.builds if build.toolchain))
    said = (
        f"Builds: {words.listing(built)}{f', by {words.listing(compilers)}' if compilers else ''}. "
        if built
        else ""
    )
    return (said + (f"Programs: {words.listing(programs)}." if programs else "")).strip()


def _machine(results: Results) -> str:
    kernels = {environment.kernel for environment in origin.environments(results)}
    mounts = {run.record.mount.fstype for run in results.runs if run.record.mount}
    if not kernels:
        return ""
    hosts = words.listing(origin.hosts(results)) or "one machine"
    hardware = ", ".join(filter(None, origin.hardware(results).values()))
    where = (
        f"Runs were made on {hosts} ({hardware or 'hardware not recorded'}), {words.listing(sorted(kernels))}"
    )
    return where + (f", mounted as {words.listing(sorted(mounts))}." if mounts else ".")


def _mounted(plan: PlanFile, run: Verifying) -> str:
    under = plan.verified_under(run)
    return f" as mounted under {words.names(under)}" if under else ""


def _run(results: Results) -> list[str]:
    plan = results.plan
    said = []
    if results.verifies:
        names = {run: f"`{run.variant}`{_mounted(plan, run)}" for run in results.verifies}
        failed = [names[run] for run, v in results.verifies.items() if v.status != "ok"]
        written = {run.variant for run in plan.verified}
        unwritten = [f"`{v.name}`" for v in plan.variants if v.name not in written]
        who = f"Each variant but {words.listing(unwritten)} (read-only)" if unwritten else "Each variant"
        if any(plan.verified_under(run) for run in names):
            who += ", in each way in which it was mounted,"
        outcome = f"{words.listing(failed)} did not pass and was not timed." if failed else "all passed."
        outcome += "".join(
            f" {names[run]} failed in {len(v.failures)} of its {v.tries} verifying runs."
            for run, v in results.verifies.items()
            if v.status == "ok" and v.failures
        )
        said.append(f"{who} first wrote data with checksums and read it back in an untimed run; {outcome}")
    caches = words.listing(list(dict.fromkeys(workload.cache for workload in plan.workloads)))
    turns = sorted({w.slice_s for w in plan.workloads if w.slice_s is not None})
    lengths = words.listing([f"{slice_s * 1000:g} ms" for slice_s in turns])
    together = (
        f"all mounted at once, with loads that took turns of {lengths},"
        if turns
        else "next to each other in time,"
    )
    said.append(
        f"Timed runs carried no profiler. They were made in blocks: one run of every variant, {together} in "
        f"balanced random order (seed {plan.seed}) and with the same random seed of the load; each run began from a "
        f"fresh backend, fresh data and a fresh mount, with {caches} caches."
    )
    stale = dict.fromkeys(run.record.variant for run in results.runs if NOT_FRESH in run.record.marks)
    if stale:
        whose = words.names(stale)
        said.append(
            f"Not so the data of {whose}: unless kept in memory, it lies where earlier runs left theirs."
        )
    alike: dict[tuple[int, int, int], list[str]] = {}
    for workload, blocks in results.blocks.items():
        figures = (*counts.block_counts(blocks), sum(block.noisy for block in blocks))
        alike.setdefault(figures, []).append(workload)
    for (count, voided, noisy), workloads in alike.items():
        each = " each" if len(workloads) > 1 else ""
        measured, lost = words.plural(count, "block"), words.plural(voided, "attempt")
        kept = f" {noisy} of them{each} were kept although the machine never was quiet." if noisy else ""
        of = words.names(workloads)
        said.append(f"Of {of}, {measured}{each} were measured, {lost}{each} voided and made again.{kept}")
    if plan.blocks == "auto":
        said.append("How many blocks there are was decided by looks after 12, 20 and 32 of them.")
    return said


def _judged(results: Results) -> list[str]:
    plan = results.plan
    timed = [row for row in results.comparisons if row.family != "work"]
    levels = sorted({words.level(row.level) for row in timed if row.level is not None})
    said = [
        "For each metric we took the logarithm of variant / baseline in each block, and report the Hodges-Lehmann "
        "estimate with its exact signed-rank interval" + (f" at {words.listing(levels)}." if levels else "."),
        f"A change of ±{words.percent(plan.threshold)} was stated beforehand as the smallest that matters.",
    ]
    if plan.primary:
        said.append(f"Primary metrics: {words.names(plan.primary)}.")
    families = (("primary", "Primary"), ("point", "Single points'"), ("exploratory", "Exploratory"))
    for family, name in families:
        corrections = {row.correction for row in results.comparisons if row.family == family}
        used = sorted(corrections - {"", "none"})
        if used:
            said.append(f"{name} verdicts are corrected for multiplicity ({words.listing(used)}).")
    return said


def _counted(results: Results) -> list[str]:
    """About runs of fixed work, where there are any."""
    rows = [row for row in results.comparisons if row.family == "work"]
    if not rows:
        return []
    runs, scattering = (
        max(row.blocks for row in rows),
        sorted({row.correction for row in rows} - {"", "none"}),
    )
    others = f"; the others by the signed-rank test at {words.level(LEVEL)} ({words.listing(scattering)})"
    return [
        f"In {words.plural(runs, 'block')} of fixed work, apart from every timed run, we counted what each variant "
        "does per operation. Two counts are called different where more lies between the runs of the two sides than "
        f"within either{others if scattering else ''}."
    ]


def _profiled(results: Results) -> list[str]:
    plan = results.plan
    if not plan.captures:
        return []
    repeats = max(capture.repeats for capture in plan.captures)
    names = words.names(profiler.name for profiler in plan.profilers)
    said = [
        f"Profiles come from captures of their own, apart from every timed run: {names}, "
        f"{words.plural(repeats, 'capture')} each."
    ]
    refused = [
        f"`{name}` of `{variant}`"
        for (variant, _, name), found in results.profiles.items()
        if found.profile.status == "refused"
    ]
    if refused:
        said.append(f"Refused as saying nothing: {words.listing(refused)}.")
    return said
