"""The experiment that `fuselab new` writes: runs as it is, and names what else this target can."""

from __future__ import annotations

import re

from fuselab import profilers
from fuselab.schema.diagnostics import flow
from fuselab.targets.loading import NO_BACKEND
from fuselab.targets.model import CargoBuild, CommandBuild, NoBuild, Target, pair_names

_SCHEMA = "# yaml-language-server: $schema=../.fuselab/schema/experiment.schema.json"


def experiment_text(name: str, target: Target) -> str:
    """A whole file for `target`. Its variants are the baseline and an A/A control until the reader adds one."""
    lines = [
        _SCHEMA,
        f"# An experiment on {target.name}. `fuselab check` says what is wrong with it, `fuselab plan {name}` what it",
        "# takes; docs/reference/experiment.md explains every key.",
        f"name: {name}",
        "title: What does this compare?",
        "",
        *_target(target),
        "",
        *_variants(target),
        "",
        *_workloads(target),
        "",
        "# A block is one run of every variant, in random order. Fewer than 6 decide nothing.",
        "blocks: 12",
        "",
        *_profilers(target),
        "",
        "# Decided before the first run: what counts, and from which size on.",
        "compare:",
        f"  primary: [{'command.wall_s' if target.mount.read_only else 'write.bw'}]",
        "  threshold: 5%",
    ]
    return "\n".join(lines) + "\n"


def _target(target: Target) -> list[str]:
    lines = [f"target: {target.name}" + (f" # {target.title}" if target.title else "")]
    first, *others = target.backends
    if first != NO_BACKEND:
        named = [name for name in others if name not in pair_names(target.stores)]
        apart = [f"{store}: {'|'.join(names)}" for store, names in target.stores.items()]
        also = [*named, *([f"{{{', '.join(apart)}}}"] if apart else [])]
        lines.append(f"backend: {first}" + (f" # or {', '.join(also)}" if also else ""))
    return lines


def _workloads(target: Target) -> list[str]:
    lines = [
        "# Loads by name. Any fio job option can stand here; `criterion:`, `command:`, `metadata:` are other kinds.",
        "workloads:",
    ]
    if target.mount.read_only:
        return [
            *lines,
            "  read-all: # every file that is there; its time is the metric",
            '    command: {argv: [sh, -c, "find . -type f -exec cat {} + > /dev/null"]}',
            "  # rand-read: # NAME is a file that the target's `prepare` makes",
            "  #   fio: {rw: randread, bs: 4k, size: 64m, runtime: 3s, filename: NAME}",
        ]
    return [
        *lines,
        "  seq-write:",
        "    fio: {rw: write, bs: 128k, size: 64m, runtime: 3s}",
        "  # rand-read:",
        "  #   fio: {rw: randread, bs: 4k, size: 64m, runtime: 3s}",
        "  # names: # create, stat, readdir, rename, unlink, small files: operations per second and latencies of each",
        "  #   metadata: {files: 2000}",
        "  # tails: # for claims about p99: writes that arrive at a rate below what the slowest variant can do",
        "  #   fio: {rw: randwrite, bs: 4k, size: 4m, runtime: 5s, numjobs: 8, rate_iops: 50, rate_process: poisson}",
    ]


def _variants(target: Target) -> list[str]:
    """The baseline, and in comments what may differ for this target."""
    lines = [
        "# The first variant is the baseline: as written above, nothing else.",
        "variants:",
        "  baseline: {}",
        "  # What another variant may say, one or several of these:",
    ]
    if isinstance(target.build, CargoBuild | CommandBuild):
        lines.append("  # older: {rev: HEAD~1} # a git revision of the source")
    if isinstance(target.build, CargoBuild):
        lines.append("  # tuned: {rustflags: [-C, target-cpu=native]}")
    for name, option in target.options.items():
        about = f" # {option.description}" if option.description else ""
        value = _sample(option.description)
        lines.append(f"  # with-{name}: {{options: {{{name}: {value}}}}}{about}")
    for other in list(target.backends)[1:]:
        if other not in pair_names(target.stores):
            lines.append(f"  # on-{other}: {{backend: {other}}}")
    for store, names in target.stores.items():
        apart = [name for name in names[1:] if name not in target.backends]
        lines += [f"  # {store}-on-{name}: {{backend: {{{store}: {name}}}}}" for name in apart]
    if not isinstance(target.build, NoBuild):
        if not target.mount.read_only:  # the bare disk would not have what `prepare` has made
            lines.append("  # disk: {target: directory} # the bare disk, as the floor")
        lines.append("  # env: {env: {NAME: value}}")
    lines += ["# Adds `control`, identical to the baseline: it must not be found different.", "control: true"]
    return lines


def _sample(description: str) -> str:
    """A value that the option's description names, to begin with."""
    value = re.search(r"\b[\w-]+=[\w.%-]+|\b\d+[a-z%]*\b", description)
    return flow(value[0]) if value else "..."


def _profilers(target: Target) -> list[str]:
    able = [n for n, p in profilers.REGISTRY.items() if p.capability(target).level != "unavailable"]
    able = [name for name in able if "mount" in profilers.REGISTRY[name].looks_at]
    if not able:
        return ["# No profiler: there is no program to look at."]
    # Without being asked for: what costs no build of its own.
    outside = [profiler.name for profiler in profilers.from_outside()]
    first = [name for name in outside if name in able and _free(target, name)] or able[:1]
    others = [name for name in able if name not in first]
    more = [f"# Also possible: {', '.join(others)}."] if others else []
    lines = ["# Ways to look: each gets a run of its own, which is never timed.", *more]
    return [*lines, f"profilers: {flow(first)}"]


def _free(target: Target, name: str) -> bool:
    """Whether it needs no build of its own."""
    support = target.profilers.get(name)
    return support is None or not (support.features or support.rustflags)
