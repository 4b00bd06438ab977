"""Where the figures come from: machine, builds, runs, what was voided and why, and how to make them again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import median

from fuselab.records.plan import VariantPlan
from fuselab.records.run import RunRecord
from fuselab.report import counts, tables, words
from fuselab.report.context import Fact, Link, Provenance, Table
from fuselab.report.embed import Carrier
from fuselab.report.origin import distinct, environments, hardware, hosts, when
from fuselab.report.page import verdicts
from fuselab.report.page.nodes import nodes_table
from fuselab.report.reading import Results
from fuselab.words import duration


def provenance(results: Results, carrier: Carrier) -> Provenance:
    return Provenance(
        facts=tuple(_facts(results)),
        variants=_variants(results),
        builds=_builds(results, carrier),
        nodes=nodes_table(results),
        voided=_voided(results),
        voided_text=_voided_text(results),
        runs=_runs(results, carrier),
        verifies=_verifies(results),
        commands=tuple(_commands(results)),
        files=tuple(_files(results)),
    )


def _facts(results: Results) -> Iterable[Fact]:
    plan, known = results.plan, environments(results)
    facts = {
        "machine": ", ".join(hosts(results)),
        "kernel": ", ".join(distinct(e.kernel for e in known)),
        **hardware(results),
        "state folder": ", ".join(distinct(f"{e.state_fstype} on device {e.state_device}" for e in known)),
        "mounted as": ", ".join(distinct(r.record.mount.fstype for r in results.runs if r.record.mount)),
        "governor": ", ".join(distinct(e.governor or "unavailable" for e in known)),
        "measured": words.period(*when(results)),
        "network": ", ".join(distinct(r.record.network for r in results.runs)) or plan.network,
        "kept on CPUs": plan.cpus,
        "seed": str(plan.seed),
        "blocks asked for": f"{plan.blocks}{' of each workload' if len(plan.workloads) > 1 else ''}",
        "threshold": f"±{words.percent(plan.threshold)}",
        "primary metrics": ", ".join(plan.primary),
        "instrumented builds": plan.instrumentation,
        "experiment file": plan.path,
    }
    return [Fact(label, value) for label, value in facts.items() if value]


def _variants(results: Results) -> Table:
    plan = results.plan
    rows = [
        {
            "variant": variant.name + (" (A/A control)" if variant.control else ""),
            "target": variant.target,
            "backend": variant.backend,
            "revision": variant.rev[:12],
            "build": variant.timed_build or "none",
            "mount options": _settings(variant.options),
            "environment": _settings(variant.env),
            "way to services": _ways(results, variant),
            "drained when": _drains(results, variant),
            "fio options": _settings(variant.fio),
        }
        for variant in plan.variants
    ]
    return _table("variants", "The variants, the baseline first.", rows)


def _ways(results: Results, variant: VariantPlan) -> str:
    """How far off each service was to be, and the round trip that was measured."""
    runs = [r.record for r in results.runs if r.record.variant == variant.name]
    found = []
    for name, asked in variant.links.items():
        trips = [s for record in runs for s in record.round_trips_s.get(name, ())]
        measured = f" (round trip {duration(median(trips))})" if trips else ""
        whose = f"{name.removeprefix('service.')}: " if len(variant.links) > 1 else ""
        found.append(f"{whose}{asked}{measured}")
    return "; ".join(found)


def _drains(results: Results, variant: VariantPlan) -> str:
    """The sign that it has drained, how long that took to come, and what was on its way before."""
    found = [r.record.drained for r in results.runs if r.record.variant == variant.name and r.record.drained]
    if not found:
        return variant.drain
    typical = replace(
        found[0],
        left=None if found[0].left is None else median(each.left or 0 for each in found),
        waited_s=median(each.waited_s for each in found),
    )
    were = f", {typical.words} were on their way" if typical.words else ""
    return f"{variant.drain} (after {duration(typical.waited_s)}{were})"


def _settings(given: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in given.items())


def _table(
    key: str, caption: str, rows: Sequence[Mapping[str, object]], links: tuple[Link, ...] = ()
) -> Table:
    """Of rows with the same columns, of which there is one at least."""
    cells = [list(row.values()) for row in rows]
    return _without_empty(tables.from_records(key, caption, list(rows[0]), cells, links))


def _without_empty(table: Table) -> Table:
    """Columns in which no row says anything are left out; the one workload of them all is said in the caption."""
    said = [{row[i].text for row in table.rows} for i in range(len(table.columns))]
    alike = [i for i, c in enumerate(table.columns) if c.label == "workload" and len(said[i]) == 1]
    kept = [i for i, texts in enumerate(said) if texts != {""} and i not in alike]
    return replace(
        table,
        caption=" ".join([table.caption, *(f"Workload: {table.rows[0][i].text}." for i in alike)]),
        columns=tuple(table.columns[i] for i in kept),
        rows=tuple(tuple(row[i] for i in kept) for row in table.rows),
    )


def _builds(results: Results, carrier: Carrier) -> Table | None:
    rows = [
        {
            "build": f"{build.target}/{build.build}",
            "revision": build.revision[:12] + (" with uncommitted changes" if build.dirty else "")
            if build.revision
            else "",
            "features": " ".join(build.features),
            "rustflags": " ".join(build.rustflags),
            "profile": build.profile,
            "toolchain": build.toolchain,
            "version": build.version or "",
            "sha256": build.sha256[:16],
            "build id": (build.build_id or "")[:16],
        }
        for build in results.builds
    ]
    caption = "What was run. Timed runs use the plain build; profilers that need it have an instrumented one."
    if not rows:
        return None
    table = _table("builds", caption, rows)
    linked = (
        (replace(first, href=carrier.href(path)), *others)
        for path, (first, *others) in zip(results.inputs.builds, table.rows, strict=True)
    )
    return replace(table, rows=tuple(linked))


def _voided(results: Results) -> Table | None:
    rows = [
        {
            "workload": workload,
            "block": block.block,
            "attempt": void.attempt,
            "variant": void.variant,
            "cause": void.cause,
            "reason": words.percents(void.reason),
        }
        for workload, blocks in results.blocks.items()
        for block in blocks
        for void in block.voided
    ]
    caption = (
        "What does not count. A busy machine voids an attempt at a whole block, and the block is run again; a run that "
        "a variant (`target`) did not complete is repeated by itself, or leaves the variant out of the block."
    )
    return _table("voided", caption, rows) if rows else None


def _voided_text(results: Results) -> str:
    noisy = sum(block.noisy for blocks in results.blocks.values() for block in blocks)
    said = f"{counts.total(results) or 'No record of a block is there'}."
    if noisy:
        said += f" For {noisy} of the blocks the machine never was quiet enough: kept, and marked."
    return said


def _runs(results: Results, carrier: Carrier) -> Table | None:
    rows = [_run(run.record) for run in results.runs]
    links = (Link(carrier.href(results.inputs.metrics), "metrics.csv"),)
    caption = "Every timed run: the durations of its phases, and what else the machine did meanwhile."
    return _table("timed-runs", caption, rows, links) if rows else None


def _run(record: RunRecord) -> dict[str, object]:
    phases, machine, target = record.phases, record.environment, record.target
    return {
        "workload": record.workload,
        "block": record.block,
        "variant": record.variant,
        **{name: getattr(phases, name, None) for name in ("load_s", "mount_s", "drain_s", "stop_s")},
        "on its way": record.drained.words if record.drained else "",
        "cpu pressure_us": machine and machine.psi_cpu_us,
        "io pressure_us": machine and machine.psi_io_us,
        "steal_share": machine and machine.steal_share,
        "other users' CPU_share": machine and machine.other_user_cpu_share,
        "target CPU_s": target and target.cpu_s,
        "peak memory_bytes": target and target.rss_peak_bytes,
        "marks": words.percents("; ".join(record.marks)),
    }


def _verifies(results: Results) -> Table | None:
    of_some = any(results.plan.verified_under(run) for run in results.verifies)
    rows = [
        {
            "variant": verified.variant,
            **({"mounted as under": ", ".join(results.plan.verified_under(run))} if of_some else {}),
            "status": verified.status,
            "reason": words.percents(verdicts.first_line(verified.reason or "; ".join(verified.found))),
        }
        for run, verified in results.verifies.items()
    ]
    caption = (
        "Correct before fast: each of these wrote data with checksums and read it back before it was timed."
    )
    return _table("verifies", caption, rows) if rows else None


def _commands(results: Results) -> Iterator[Fact]:
    plan = results.plan
    if plan.commands:
        yield Fact("This report, at the root of a checkout", "\n".join(plan.commands))
    alike: dict[str, list[str]] = {}
    for variant in plan.variants:
        if variant.argv:
            alike.setdefault(shlex.join(variant.argv), []).append(f"`{variant.name}`")
    for argv, names in alike.items():
        yield Fact(f"The mount of {', '.join(names)}, as the rig makes it", argv)
    for build in results.builds:
        if build.command:
            env = " ".join(f"{name}={shlex.quote(value)}" for name, value in build.env.items())
            yield Fact(f"The build `{build.build}`", f"{env} {shlex.join(build.command)}".strip())


def _files(results: Results) -> Iterator[Fact]:
    yaml = results.inputs.experiment
    yield Fact(results.plan.path or yaml.name, yaml.read_text(errors="replace"))
    for workload in results.plan.workloads:
        if workload.job:
            yield Fact(f"{workload.kind} job of `{workload.name}`", workload.job)
