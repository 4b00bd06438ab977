"""The methods paragraph: what was actually done, in the words of a paper."""

from __future__ import annotations

from fuselab.records.request import NOT_FRESH
from fuselab.report import counts, origin, words
from fuselab.report.paper.machine import programs as programs_of
from fuselab.report.reading import Results
from fuselab.workloads import REGISTRY


def methods(results: Results) -> str:
    """Markdown, one paragraph each on what was compared, how it was run, how it was judged, how it was profiled."""
    paragraphs = [_compared(results), _run(results), _judged(results), _profiled(results)]
    return "\n\n".join(" ".join(sentences) for sentences in paragraphs if sentences) + "\n"


def _compared(results: Results) -> list[str]:
    plan = results.plan
    targets = words.listing(list(dict.fromkeys(v.target for v in plan.variants if v.target)))
    names = words.names(plan.names())
    loads = words.names(w.name for w in plan.workloads)
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
    loads = results.plan.workloads
    return [said for w in loads for said in REGISTRY[w.kind].described(w.name, w.settings)]


def _built(results: Results) -> str:
    built = [
        f"`{build.target}/{build.build}` from {words.revision(build.revision, build.dirty)}"
        for build in results.builds
        if build.revision
    ]
    programs = [f"{name} {version}" for name, version in programs_of(results).items() if name != "toolchain"]
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


def _run(results: Results) -> list[str]:
    plan = results.plan
    said = []
    if results.verifies:
        failed = [f"`{v.variant}`" for v in results.verifies.values() if v.status != "ok"]
        unwritten = [f"`{v.name}`" for v in plan.variants if not v.verify_spec]
        who = f"Each variant but {words.listing(unwritten)} (read-only)" if unwritten else "Each variant"
        outcome = f"{words.listing(failed)} did not pass and was not timed." if failed else "all passed."
        outcome += "".join(
            f" `{v.variant}` failed in {len(v.failures)} of its {v.tries} verifying runs."
            for v in results.verifies.values()
            if v.status == "ok" and v.failures
        )
        said.append(f"{who} first wrote data with checksums and read it back in an untimed run; {outcome}")
    caches = words.listing(list(dict.fromkeys(workload.cache for workload in plan.workloads)))
    said.append(
        "Timed runs carried no profiler. They were made in blocks: one run of every variant, next to each other in "
        f"time, in balanced random order (seed {plan.seed}) and with the same random seed of the load; each run began "
        f"from a fresh backend, fresh data and a fresh mount, with {caches} caches."
    )
    stale = dict.fromkeys(run.record.variant for run in results.runs if NOT_FRESH in run.record.marks)
    if stale:
        whose = words.names(stale)
        said.append(
            f"Not so the data of {whose}: unless kept in memory, it lies where earlier runs left theirs."
        )
    for workload, blocks in results.blocks.items():
        count, voided = counts.block_counts(blocks)
        measured, lost = words.plural(count, "block"), words.plural(voided, "attempt")
        noisy = sum(block.noisy for block in blocks)
        kept = f" {noisy} of the blocks were kept although the machine never was quiet." if noisy else ""
        said.append(f"Of `{workload}`, {measured} were measured, {lost} voided and made again.{kept}")
    if plan.blocks == "auto":
        said.append("How many blocks there are was decided by looks after 12, 20 and 32 of them.")
    return said


def _judged(results: Results) -> list[str]:
    plan = results.plan
    levels = sorted({words.level(row.level) for row in results.comparisons if row.level is not None})
    said = [
        "For each metric we took the logarithm of variant / baseline in each block, and report the Hodges-Lehmann "
        "estimate with its exact signed-rank interval" + (f" at {words.listing(levels)}." if levels else "."),
        f"A change of ±{words.percent(plan.threshold)} was stated beforehand as the smallest that matters.",
    ]
    if plan.primary:
        said.append(f"Primary metrics: {words.names(plan.primary)}.")
    for family, name in (("primary", "Primary"), ("exploratory", "Exploratory")):
        corrections = {row.correction for row in results.comparisons if row.family == family}
        used = sorted(corrections - {"", "none"})
        if used:
            said.append(f"{name} verdicts are corrected for multiplicity ({words.listing(used)}).")
    return said


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
