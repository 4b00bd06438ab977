"""Where the figures come from: machine, builds, runs, what was voided and why, and how to make them again."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Iterable
from dataclasses import replace

from fuselab.records.plan import PlanFile
from fuselab.records.run import Environment
from fuselab.report import counts, tables, words
from fuselab.report.context import Cell, Column, CommandView, Fact, Link, Provenance, Table
from fuselab.report.embed import Carrier
from fuselab.report.page import verdicts
from fuselab.report.reading import Results
from fuselab.report.records import Run


def provenance(results: Results, carrier: Carrier) -> Provenance:
    return Provenance(
        facts=tuple(_facts(results)),
        variants=_variants(results.plan),
        builds=_builds(results, carrier),
        voided=_voided(results),
        voided_text=_voided_text(results),
        runs=_runs(results, carrier),
        verifies=_verifies(results),
        commands=tuple(_commands(results)),
        files=tuple(_files(results)),
    )


def when(results: Results) -> tuple[str, str]:
    """(first, last) start of a timed run, in UTC; empty without runs."""
    starts = [run.record.started_unix_s for run in results.runs]
    if not starts:
        return "", ""
    moments = [
        datetime.datetime.fromtimestamp(s, datetime.UTC).strftime("%Y-%m-%d %H:%M")
        for s in (min(starts), max(starts))
    ]
    return moments[0], moments[1]


def hosts(results: Results) -> list[str]:
    return _distinct(run.record.hostname for run in results.runs)


def _facts(results: Results) -> Iterable[Fact]:
    plan, environments = results.plan, [run.record.environment for run in results.runs]
    known = [environment for environment in environments if environment is not None]
    first, last = when(results)
    facts = {
        "machine": ", ".join(hosts(results)),
        "kernel": ", ".join(_distinct(e.kernel for e in known)),
        **hardware(known),
        "state folder": ", ".join(_distinct(f"{e.state_fstype} on device {e.state_device}" for e in known)),
        "mounted as": ", ".join(_distinct(r.record.mount.fstype for r in results.runs if r.record.mount)),
        "governor": ", ".join(_distinct(e.governor or "unavailable" for e in known)),
        "measured": words.period(first, last),
        "network": ", ".join(_distinct(r.record.network for r in results.runs)) or plan.network,
        "seed": str(plan.seed),
        "blocks asked for": f"{plan.blocks}{' of each workload' if len(plan.workloads) > 1 else ''}",
        "threshold": f"±{words.percent(plan.threshold)}",
        "primary metrics": ", ".join(plan.primary),
        "instrumented builds": plan.instrumentation,
        "experiment file": plan.path,
    }
    return [Fact(label, value) for label, value in facts.items() if value]


def hardware(known: list[Environment]) -> dict[str, str]:
    """Its hardware, as far as the kernel tells; records from before this was kept say nothing of it."""
    processors = (f"{e.cpus or 'some'} × {e.cpu_model or 'unknown'}" for e in known if e.cpus or e.cpu_model)
    memory = (words.quantity(float(e.memory_bytes), "bytes") for e in known if e.memory_bytes)
    return {"processors": ", ".join(_distinct(processors)), "memory": ", ".join(_distinct(memory))}


def _variants(plan: PlanFile) -> Table:
    names = [
        "variant",
        "target",
        "backend",
        "revision",
        "build",
        "mount options",
        "environment",
        "fio options",
    ]
    rows = [
        [
            variant.name + (" (A/A control)" if variant.control else ""),
            variant.target,
            variant.backend,
            variant.rev[:12],
            variant.builds.get("none", "none"),
            " ".join(f"{k}={v}" for k, v in variant.options.items()),
            " ".join(f"{k}={v}" for k, v in variant.env.items()),
            " ".join(f"{k}={v}" for k, v in variant.fio.items()),
        ]
        for variant in plan.variants
    ]
    return _without_empty(tables.from_records("variants", "The variants, the baseline first.", names, rows))


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
    names = [
        "build",
        "revision",
        "features",
        "rustflags",
        "profile",
        "toolchain",
        "version",
        "sha256",
        "build id",
    ]
    columns = tuple(Column(name) for name in names)
    rows = []
    for path, build in zip(results.inputs.builds, results.builds, strict=True):
        revision = (
            f"{build.revision[:12]}{' with uncommitted changes' if build.dirty else ''}"
            if build.revision
            else ""
        )
        texts = [
            revision,
            " ".join(build.features),
            " ".join(build.rustflags),
            build.profile,
            build.toolchain,
            build.version or "",
            build.sha256[:16],
            (build.build_id or "")[:16],
        ]
        rows.append(
            (Cell(f"{build.target}/{build.build}", href=carrier.href(path)), *(Cell(text) for text in texts))
        )
    caption = "What was run. Timed runs use the plain build; profilers that need it have an instrumented one."
    return _without_empty(Table("builds", caption, columns, tuple(rows))) if rows else None


def _voided(results: Results) -> Table | None:
    rows = [
        [workload, block.block, void.attempt, void.variant, void.cause, words.percents(void.reason)]
        for workload, blocks in results.blocks.items()
        for block in blocks
        for void in block.voided
    ]
    names = ["workload", "block", "attempt", "variant", "cause", "reason"]
    caption = (
        "What does not count. A busy machine voids an attempt at a whole block, and the block is run again; a run that "
        "a variant (`target`) did not complete is repeated by itself, or leaves the variant out of the block."
    )
    return _without_empty(tables.from_records("voided", caption, names, rows)) if rows else None


def _voided_text(results: Results) -> str:
    blocks = [block for found in results.blocks.values() for block in found]
    noisy = sum(block.noisy for block in blocks)
    said = f"{counts.total(results) or 'No record of a block is there'}."
    if noisy:
        said += f" For {noisy} of the blocks the machine never was quiet enough: kept, and marked."
    return said


def _runs(results: Results, carrier: Carrier) -> Table | None:
    names = [
        "workload", "block", "variant", "load_s", "mount_s", "drain_s", "stop_s", "cpu pressure_us", "io pressure_us",
        "steal_share", "other users' CPU_share", "target CPU_s", "peak memory_bytes", "marks",
    ]  # fmt: skip
    rows = [_run(run) for run in results.runs]
    if not rows:
        return None
    links = (Link(carrier.href(results.inputs.metrics), "metrics.csv"),)
    caption = "Every timed run: the durations of its phases, and what else the machine did meanwhile."
    return _without_empty(tables.from_records("timed-runs", caption, names, rows, links))


def _run(run: Run) -> list[object]:
    record, phases, environment, target = (
        run.record,
        run.record.phases,
        run.record.environment,
        run.record.target,
    )
    times = [phases.load_s, phases.mount_s, phases.drain_s, phases.stop_s] if phases else [None] * 4
    machine = (
        [
            environment.psi_cpu_us,
            environment.psi_io_us,
            environment.steal_share,
            environment.other_user_cpu_share,
        ]
        if environment
        else [None] * 4
    )
    used = [target.cpu_s, target.rss_peak_bytes] if target else [None, None]
    return [
        record.workload,
        record.block,
        record.variant,
        *times,
        *machine,
        *used,
        words.percents("; ".join(record.marks)),
    ]


def _verifies(results: Results) -> Table | None:
    rows = [
        [v.variant, v.status, words.percents(verdicts.first_line(v.reason or ""))]
        for v in results.verifies.values()
    ]
    caption = (
        "Correct before fast: each of these wrote data with checksums and read it back before it was timed."
    )
    return (
        _without_empty(tables.from_records("verifies", caption, ["variant", "status", "reason"], rows))
        if rows
        else None
    )


def _commands(results: Results) -> list[CommandView]:
    plan = results.plan
    found = (
        [CommandView("This report, at the root of a checkout", "\n".join(plan.commands))]
        if plan.commands
        else []
    )
    for variant in plan.variants:
        if variant.argv:
            found.append(
                CommandView(f"The mount of `{variant.name}`, as the rig makes it", shlex.join(variant.argv))
            )
    for path, build in zip(results.inputs.builds, results.builds, strict=True):
        if build.command:
            env = " ".join(f"{name}={shlex.quote(value)}" for name, value in build.env.items())
            found.append(
                CommandView(f"The build `{path.parent.name}`", f"{env} {shlex.join(build.command)}".strip())
            )
    return found


def _files(results: Results) -> list[CommandView]:
    found = [
        CommandView(
            results.plan.path or results.inputs.experiment.name,
            results.inputs.experiment.read_text(errors="replace"),
        )
    ]
    return found + [CommandView(f"fio job of `{w.name}`", w.job) for w in results.plan.workloads if w.job]


def _distinct(values: Iterable[object]) -> list[str]:
    return list(dict.fromkeys(str(value) for value in values if value not in (None, "")))
