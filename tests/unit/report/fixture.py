# ruff: noqa: E501
"""A results tree in the exact formats, made up but lifelike, for the tests of the report and to look at by eye.

`python tests/unit/report/fixture.py FOLDER` writes the trees of all shapes and their reports.
"""

from __future__ import annotations

import csv
import hashlib
import math
import random
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pandas as pd

from fuselab.compare.comparisons import frame, judge
from fuselab.programs import tool
from fuselab.records.build import BuildRecord
from fuselab.records.contrast import Contrast
from fuselab.records.design import Design
from fuselab.records.metrics import Sample
from fuselab.records.plan import Capture, PlanFile, ProfilerPlan, SkippedPlan, VariantPlan, WorkloadPlan
from fuselab.records.profile import Profile
from fuselab.records.run import Drained, Environment, FileRecord, Phases, RunRecord, TargetUse
from fuselab.system.mountinfo import MountRecord
from fuselab.workloads import quantity

STARTED_UNIX_S = 1_763_960_000.0
PERCENTILES = (
    "1",
    "5",
    "10",
    "20",
    "30",
    "40",
    "50",
    "60",
    "70",
    "80",
    "90",
    "95",
    "99",
    "99.5",
    "99.9",
    "99.95",
    "99.99",
)

PROFILERS = {
    "trace-chrome": ProfilerPlan(
        "trace-chrome", "Spans (tracing-chrome)", "ns of span wall time",
        "Every instrumented span from its creation to its close, waits at an await included.",
        "Code that carries no span, and whether a span was running or waiting.",
    ),
    "trace-flame": ProfilerPlan(
        "trace-flame", "Poll time (tracing-flame)", "ns of poll time",
        "The time that threads spend inside each span.",
        "Time suspended at an await, and everything without a span.",
    ),
    "perf-oncpu": ProfilerPlan(
        "perf-oncpu", "On CPU (perf)", "ns on CPU",
        "Which functions use the processor, inlined ones included.",
        "Every kind of waiting.",
    ),
    "perf-offcpu": ProfilerPlan(
        "perf-offcpu", "Off CPU (perf)", "ns off CPU",
        "Where threads block in the kernel: disk, locks, sleeps.",
        "A task that is suspended at an await while its thread goes on to other work.",
    ),
    "tokio-console": ProfilerPlan(
        "tokio-console", "Tasks (tokio-console)", "ns of task time",
        "How long each task was busy, scheduled and idle.", "The call stack below a task.",
    ),
    "jemalloc-heap": ProfilerPlan(
        "jemalloc-heap", "Heap (jemalloc)", "bytes", "Which call stacks hold live memory.", "Time, and memory that is not on the heap.",
    ),
}  # fmt: skip

STACKS = {
    "perf-oncpu": {
        "demofs;tokio::runtime::task::raw::poll;fuse3::raw::session::Session::dispatch;demofs::fs::Fs::write;demofs::chunks::Chunks::write_at;core::ptr::copy_nonoverlapping": 410,
        "demofs;tokio::runtime::task::raw::poll;fuse3::raw::session::Session::dispatch;demofs::fs::Fs::write;demofs::chunks::Chunks::write_at;libc::writev;entry_SYSCALL_64;vfs_writev;ext4_file_write_iter": 430,
        "demofs;tokio::runtime::task::raw::poll;fuse3::raw::session::Session::dispatch;demofs::fs::Fs::write;demofs::fs::Fs::extend_file_size;demofs::meta::sqlite::Sqlite::set_size;rusqlite::Statement::execute;sqlite3_step;sqlite3VdbeExec": 96,
        "demofs;tokio::runtime::task::raw::poll;fuse3::raw::session::Session::dispatch;demofs::fs::Fs::getattr": 33,
        "demofs;tokio::runtime::scheduler::multi_thread::worker::run;tokio::runtime::io::driver::Driver::turn;epoll_wait": 61,
        "demofs;tokio::runtime::task::raw::poll;fuse3::raw::connection::read;entry_SYSCALL_64;fuse_dev_do_read;fuse_copy_args": 120,
    },
    "perf-offcpu": {
        "demofs;tokio::runtime::blocking::pool::Inner::run;demofs::meta::sqlite::Sqlite::set_size;sqlite3_step;fdatasync;jbd2_log_wait_commit": 640,
        "demofs;tokio::runtime::scheduler::multi_thread::worker::run;park;epoll_wait": 2210,
    },
    "trace-chrome": {
        "write": 220, "write;write_chunks": 610, "write;extend_file_size": 90, "write;extend_file_size;set_size": 310, "getattr": 40, "lookup": 11,
    },
    "trace-flame": {"write": 110, "write;write_chunks": 590, "write;extend_file_size": 20, "write;extend_file_size;set_size": 300, "getattr": 31},
    "tokio-console": {"fuse3::raw::session;busy": 900, "fuse3::raw::session;idle": 2900, "fuse3::raw::session;scheduled": 130, "demofs::flush;idle": 3000},
    "jemalloc-heap": {
        "demofs;main;demofs::chunks::Chunks::buffer;alloc::vec::Vec::with_capacity": 33_554_432,
        "demofs;main;demofs::handles::Handles::insert;hashbrown::raw::RawTable::reserve": 1_200_000,
        "demofs;main;demofs::meta::sqlite::Sqlite::open;sqlite3MemMalloc": 2_400_000,
    },
}  # fmt: skip
WAIT = {"trace-chrome": {"write;extend_file_size": 4000}, "tokio-console": {"fuse3::raw::session;idle": 3900}}


@dataclass(frozen=True)
class Shape:
    """What the made-up experiment looks like. `effects` is each variant's factor on speed."""

    name: str = "hidden-wait"
    title: str = "Does a wait in extend_file_size hide from on-CPU flamegraphs?"
    effects: Mapping[str, float] = field(
        default_factory=lambda: {"baseline": 1.0, "waiting": 0.31, "control": 1.0}
    )
    controls: frozenset[str] = frozenset({"control"})
    workloads: tuple[str, ...] = ("seq-write",)
    profilers: tuple[str, ...] = tuple(PROFILERS)
    blocks: int = 12
    failed: frozenset[str] = frozenset()
    refused: frozenset[tuple[str, str]] = frozenset()
    """(variant, profiler)."""
    skipped: frozenset[tuple[str, str]] = frozenset()
    alarm: bool = False
    """The control's interval excludes 0."""
    cost: bool = False
    extras: bool = True
    """comparisons.csv has the columns that may be added."""
    costly: str = ""
    """The variant that makes one more fdatasync a write; without one nothing was counted."""
    drain: str = ""
    """What tells that a run has drained, beside its unmount."""


SHAPES = {
    "standard": Shape(cost=True, costly="waiting"),
    "awkward": Shape(
        name="awkward",
        title="Names that break pages: </script><script>alert('title')</script> & friends",
        effects={"baseline": 1.0, "<script>alert(1)<b>": 0.8, "broken": 1.0, "control": 1.04},
        workloads=("rand<b>write",),
        failed=frozenset({"broken"}),
        refused=frozenset({("<script>alert(1)<b>", "tokio-console"), ("baseline", "jemalloc-heap")}),
        skipped=frozenset({("control", "jemalloc-heap")}),
        alarm=True,
        drain="counter uploads<i> at 0, within 60 s",
    ),
    "bare": Shape(name="bare", title="Two options, no profiler", effects={"one": 1.0, "two": 1.013}, controls=frozenset(), profilers=(), extras=False),
    "wide": Shape(
        name="wide",
        title="Six metadata stores under two loads",
        effects={"memory": 1.0, "sqlite": 0.92, "sqlite-wal": 0.975, "etcd": 0.43, "redis": 0.81, "postgres": 0.66},
        controls=frozenset(),
        workloads=("seq-write", "rand-write"),
        profilers=("perf-oncpu",),
        blocks=20,
    ),
}  # fmt: skip


def make(results: Path, shape: Shape) -> Path:
    """Write `results/<name>/` and `results/builds/`; return the path of the experiment's YAML file."""
    return Maker(results, shape).make()


class Maker:
    def __init__(self, results: Path, shape: Shape) -> None:
        self.results, self.shape = results, shape
        self.folder = results / shape.name
        self.random = random.Random(shape.name)
        self.metrics: list[dict[str, object]] = []
        self.plan = self._plan()

    def make(self) -> Path:
        self._json(self.folder / "plan.json", self.plan)
        yaml = self.results.parent / "experiments" / f"{self.shape.name}.yaml"
        self._text(yaml, self._yaml())
        self._builds()
        for variant in self.shape.effects:
            self._verify(variant)
        for workload in self.plan.workloads:
            for block in range(1, self.shape.blocks + 1):
                self._block(workload, block)
        self._csv(self.folder / "metrics.csv", self.metrics)
        self._csv(self.folder / "comparisons.csv", [*self._comparisons(), *self._counted()])
        if self.shape.cost:
            self._csv(self.folder / "costs.csv", self._costs())
        for profiler in self.shape.profilers:
            for workload in self.plan.workloads:
                self._captured(profiler, workload.name)
        for workload in self.plan.workloads:
            if "trace-chrome" in self.shape.profilers:
                for variant in self._alive():
                    self._spans(variant, workload.name)
        return yaml

    def _alive(self) -> list[str]:
        return [v for v in self.shape.effects if v not in self.shape.failed]

    def _plan(self) -> PlanFile:
        shape, names = self.shape, list(self.shape.effects)
        variants = tuple(
            VariantPlan(
                name=name, target="demofs", backend="sqlite", rev="worktree",
                options={"inject": "extend-wait=4ms"} if i == 1 else {}, control=name in shape.controls,
                argv=("{binary}", "mount", "{mountpoint}", "--state", "{state}", "--meta-backend", "sqlite")
                + (("--inject", "extend-wait=4ms") if i == 1 else ()),
                builds={"none": "demofs/release-5f2c1e", **dict.fromkeys(shape.profilers, "demofs/profiling-a07be1")},
                verify_spec="0123456789ab", drain=shape.drain,
            )
            for i, name in enumerate(names)
        )  # fmt: skip
        job = "[global]\nioengine=psync\nrw=write\nbs=128k\nsize=64m\nruntime=3s\ntime_based=1\n\n[job]\n"
        return PlanFile(
            experiment=shape.name, title=shape.title, path=f"experiments/{shape.name}.yaml",
            variants=variants,
            workloads=tuple(
                WorkloadPlan(w, "fio", f"{i:012x}", "cold", job, {"jobs": {w: {"rw": "write", "bs": "128k"}}, "global": {}})
                for i, w in enumerate(shape.workloads)
            ),
            contrasts=tuple(Contrast(names[0], name) for name in names[1:]),
            primary=("write.bw", "write.p99"), threshold=0.05, blocks=shape.blocks,
            captures=tuple(Capture(v, w, (p,), "abcdef012345", 3) for v in names for w in shape.workloads for p in shape.profilers),
            skipped=tuple(
                SkippedPlan(v, p, "unavailable", "the target is linked statically: LD_PRELOAD cannot replace its allocator")
                for v, p in sorted(shape.skipped)
            ),
            profilers=tuple(PROFILERS[p] for p in shape.profilers),
            commands=(f"snakemake --cores 4 results/{shape.name}/report.html",),
        )  # fmt: skip

    def _yaml(self) -> str:
        return (
            "# yaml-language-server: $schema=../scripts/fuselab/schema/experiment.schema.json\n"
            f"name: {self.shape.name}\ntitle: {self.shape.title!r}\ntarget: demofs\nbackend: sqlite\nvariants:\n"
            + "".join(f"  {name!r}: {{}}\n" for name in self.shape.effects)
            + f"blocks: {self.shape.blocks}\n"
        )

    def _builds(self) -> None:
        for build, features in (
            ("release-5f2c1e", ()),
            ("profiling-a07be1", ("profiling", "jemalloc-profiling")),
        ):
            record = BuildRecord(
                target="demofs", build=build, kind="cargo",
                command=("cargo", "build", "--release", "--locked", *(("--features", ",".join(features)) if features else ())),
                env={"RUSTFLAGS": "-C force-frame-pointers=yes"}, source="targets/demofs",
                revision="5164a43bd1e0c2f1f9a4c53c0f6ad8d4b6a0f3aa", dirty=bool(features), features=features,
                rustflags=("-C", "force-frame-pointers=yes"), profile="release", toolchain="rustc 1.91.0 (2025-10-28)",
                binary="demofs", sha256=hashlib.sha256(build.encode()).hexdigest(), build_id="9a" * 20, version=None,
            )  # fmt: skip
            self._json(self.results / "builds" / "demofs" / build / "build.json", record)

    def _verify(self, variant: str) -> None:
        failed = variant in self.shape.failed
        self._json(
            self.folder / "verify" / variant / "0123456789ab" / "verify.json",
            {
                "variant": variant,
                "status": "failed" if failed else "ok",
                "reason": "fio: verify: bad header rand_seed 4242, wanted 1337 at offset 131072\n\n"
                "ERROR demofs::chunks: chunk 2 is short: 65536 of 131072 bytes\nERROR demofs: <b>EIO</b>\n"
                if failed
                else None,
            },
        )

    def _block(self, workload: WorkloadPlan, block: int) -> None:
        order = self._alive()
        self.random.shuffle(order)
        folder = self.folder / "blocks" / workload.name / workload.spec / f"{block:03d}"
        drift = 1 + 0.1 * math.sin(block / 3) + self.random.gauss(0, 0.03)
        for position, variant in enumerate(order):
            speed = self.shape.effects[variant] * drift * self.random.lognormvariate(0, 0.02)
            self._run(folder / variant, workload.name, variant, block, position, speed)
        voided = [
            {
                "attempt": 1,
                "variant": order[0],
                "cause": "environment",
                "reason": "other user processes used 22 % of a core (limit 5 %)",
            }
        ]
        self._json(
            folder / "block.json",
            {
                "block": block,
                "workload": workload.name,
                "purpose": "timed",
                "order": order,
                "randseed": 1000 + block,
                "variants": {v: {"status": "ok", "reason": None} for v in order}
                | {
                    v: {"status": "failed", "reason": "did not pass its verifying run"}
                    for v in self.shape.failed
                },
                "attempts": 2 if block == 4 else 1,
                "voided": voided if block == 4 else [],
                "noisy": False,
            },
        )

    def _run(
        self, folder: Path, workload: str, variant: str, block: int, position: int, speed: float
    ) -> None:
        bandwidth = 412 * 2**20 * speed
        ios = int(bandwidth * 3 / 131072)
        percentiles = {
            f"{float(p):.6f}": int(
                240_000 / speed * (1 + 3.2 * (-math.log10(max(1e-4, 1 - float(p) / 100))) ** 1.6)
            )
            for p in PERCENTILES
        }
        fio = {
            "fio version": "fio-3.33",
            "jobs": [
                {
                    "jobname": "job",
                    "read": {"io_bytes": 0, "bw_bytes": 0, "iops": 0.0, "runtime": 0, "total_ios": 0},
                    "write": {
                        "io_bytes": ios * 131072,
                        "bw_bytes": int(bandwidth),
                        "iops": ios / 3,
                        "runtime": 3000,
                        "total_ios": ios,
                        "lat_ns": {
                            "mean": percentiles["50.000000"] * 1.1,
                            "N": ios,
                            "percentile": percentiles,
                        },
                    },
                }
            ],
        }
        self._json(folder / "fio.json", fio)
        log = "".join(
            f"{int((STARTED_UNIX_S + block * 40 + position * 11 + 0.6 + t) * 1000)}, {int(bandwidth / 1024 * self.random.gauss(1, 0.03) * (1.3 if t == 1 else 1))}, 1, 131072, 0, 0\n"
            for t in range(1, 9)
        )
        self._text(folder / "fio_bw.log", log)
        self._json(folder / "run.json", self._record(workload, variant, block, position))
        values = {
            ("write.bw", "B/s"): bandwidth,
            ("write.drained_bw", "B/s"): bandwidth * 0.93,
            ("write.p50", "ns"): percentiles["50.000000"],
            ("write.p99", "ns"): percentiles["99.000000"],
            ("target.cpu_s", "s"): 1.1 + self.random.gauss(0, 0.03),
            ("target.rss_peak_bytes", "bytes"): 41e6 * self.random.gauss(1, 0.01),
        }
        for (metric, unit), value in values.items():
            self.metrics.append(
                {"experiment": self.shape.name, "workload": workload, "block": block, "variant": variant, "metric": metric, "unit": unit, "value": value}
            )  # fmt: skip

    def _record(self, workload: str, variant: str, block: int, position: int) -> RunRecord:
        started = STARTED_UNIX_S + block * 40 + position * 11
        return RunRecord(
            purpose="timed", experiment=self.shape.name, workload=workload, variant=variant, profiler="none",
            block=block, repeat=None, status="ok", reason=None,
            argv=("results/builds/demofs/release-5f2c1e/demofs", "mount", "/run/fuselab/mnt"), env={"RUST_LOG": "warn", "PATH": "/usr/bin"},
            pids={"target": 7, "fio": 19}, mount=MountRecord("fuse.demofs", "demofs", "rw,nosuid,nodev,relatime,user_id=0"),
            phases=Phases(0.5, 0.02, 0.05, 0.0, 3.02, 0.21, 0.09, 0.03),
            load_window_s=(1000.0 + started % 1000, 1003.0 + started % 1000), load_started_unix_s=started + 0.6,
            exit_codes={"target": 0, "fio": 0}, binary_sha256="e3b0c442" * 8, build="demofs/release-5f2c1e",
            network="private", randseed=1000 + block,
            environment=Environment(
                psi_cpu_us=120_000, psi_io_us=410_000, psi_memory_us=0, steal_share=0.001 * self.random.random(),
                other_user_cpu_share=0.01 * self.random.random(), loadavg_1m=0.6, dirty_before_bytes=2**20,
                dirty_after_bytes=2**26, writeback_before_bytes=0, writeback_after_bytes=2**22,
                disk_free_bytes=81 * 2**30, state_device="8:1", state_fstype="ext4", frequency_hz=None,
                governor=None, temperature_c=None, kernel="Linux 6.18.2 x86_64",
                gate={"waited_s": 0.5, "passed": True}, cpu_model="EPYC 9355P", cpus=4, memory_bytes=16 * 2**30,
            ),
            target=TargetUse(1.1, 41_000_000, 2048, 2048),
            files=(FileRecord("fio.json", 2048, "ab" * 32),), started_unix_s=started, rig_version=1, hostname="bench-01",
            drained=Drained("uploads<i>", 12.0, 0.75) if self.shape.drain else None,
            marks=("the gate was given up after 30 s: io pressure stayed at 14 %",) if block == 7 and position == 0 else (),
        )  # fmt: skip

    def _comparisons(self) -> list[dict[str, object]]:
        table = pd.DataFrame(self.metrics)
        rows = []
        for workload in self.shape.workloads:
            for contrast in self.plan.contrasts:
                for metric, unit, better in (
                    ("write.bw", "B/s", "higher"), ("write.p99", "ns", "lower"), ("write.p50", "ns", "lower"),
                    ("write.drained_bw", "B/s", "higher"), ("target.cpu_s", "s", "lower"), ("target.rss_peak_bytes", "bytes", "lower"),
                ):  # fmt: skip
                    rows.append(self._comparison(table, workload, contrast, metric, unit, better))
        return rows

    def _counted(self) -> list[dict[str, object]]:
        """Judged as real counts are: of eight runs of fixed work."""
        if not self.shape.costly:
            return []
        samples = [
            Sample(self.shape.name, workload, block, variant, metric, quantity(metric).unit, value, "lower")
            for workload in self.shape.workloads
            for block in range(1, 9)
            for variant in self._alive()
            for metric, value in self._counts(variant).items()
        ]
        pairs = tuple((c.baseline, c.variant) for c in self.plan.contrasts)
        design = Design(
            self.shape.name, pairs[0][0], pairs, self.shape.workloads, (), controls=tuple(self.shape.controls)
        )
        return [{**vars(row)} for row in judge(frame(samples), design)]

    def _noisy(self, value: float) -> float:
        return round(value * 128 * self.random.gauss(1, 0.05)) / 128

    def _counts(self, variant: str) -> dict[str, float]:
        more = int(variant == self.shape.costly)
        return {
            "work.syscalls_per_op": 19.5 + 2 * more + self.random.choice((0, 1, 2, 3)) / 128,
            "work.pwrite64_per_op": 388 / 128, "work.fdatasync_per_op": 0.0 + more, "work.writev_per_op": 1.0,
            "work.futex_per_op": self._noisy(0.4), "work.epoll_wait_per_op": self._noisy(2.1), "work.write_per_op": self._noisy(1.3),
            "work.fuse_requests_per_op": 1.0 + more / 128, "work.fuse_requests.WRITE_per_op": 1.0,
            "work.fuse_requests.FSYNC_per_op": more / 128, "work.fuse_requests.GETATTR_per_op": 1 / 128,
            "work.context_switches_voluntary_per_op": self._noisy(1.8), "work.context_switches_involuntary_per_op": self._noisy(0.3),
            "work.page_faults_per_op": self._noisy(0.9), "work.disk_read_bytes_per_op": 0.0,
            "work.disk_write_bytes_per_op": 139264.0 + 8192 * more + 4096 * self.random.choice((0, 1)) / 128,
            "work.write_amplification": 1.0625 + 0.0625 * more, "work.cpu_ns_per_op": self._noisy(193_000),
            "work.peak_memory_bytes": 41e6 * self.random.gauss(1, 0.01),
        }  # fmt: skip

    def _comparison(
        self, table: pd.DataFrame, workload: str, contrast: Contrast, metric: str, unit: str, better: str
    ) -> dict[str, object]:
        family = (
            "control"
            if contrast.variant in self.shape.controls
            else "primary"
            if metric in self.plan.primary
            else "exploratory"
        )
        row: dict[str, object] = {
            "experiment": self.shape.name, "workload": workload, "baseline": contrast.baseline, "variant": contrast.variant,
            "metric": metric, "unit": unit, "better": better, "blocks": self.shape.blocks, "ratio": "", "ratio_low": "", "ratio_high": "",
            "verdict": "failed",
        }  # fmt: skip
        if contrast.variant not in self.shape.failed:
            cells = table[(table.workload == workload) & (table.metric == metric)].pivot(
                index="block", columns="variant", values="value"
            )
            logs = (cells[contrast.variant] / cells[contrast.baseline]).map(math.log)
            ratio = math.exp(logs.median())
            half = 1.6 * logs.std() / math.sqrt(len(logs))
            low, high = math.exp(logs.median() - half), math.exp(logs.median() + half)
            if family == "control" and not self.shape.alarm:
                low, high = min(low, 0.996), max(high, 1.004)
            row |= {
                "ratio": ratio,
                "ratio_low": low,
                "ratio_high": high,
                "verdict": _verdict(low, high, better),
            }
        if self.shape.extras:
            decided = str(row["verdict"]).startswith(("slower", "faster"))
            row |= {
                "level": 0.95, "p": 0.0005 if decided else 0.41, "p_adjusted": 0.002 if decided else 0.82, "family": family,
                "mean_ratio": row["ratio"], "max_ratio": 1.21 if row["ratio"] else "", "stall_rate": 0.0 if row["ratio"] else "",
                "note": "failed its verifying run: fio: verify: bad header rand_seed 4242" if row["verdict"] == "failed"
                else "closed-loop load: a tail found here hides queueing" if metric.endswith("p99") else "",
            }  # fmt: skip
        return row

    def _costs(self) -> list[dict[str, object]]:
        rows = []
        for i, profiler in enumerate(self.shape.profilers):
            for step, ratio in (("compiled in", 0.995 - 0.01 * (i % 2)), ("switched on", 0.97 - 0.09 * i)):
                rows.append(
                    {"experiment": self.shape.name, "workload": self.shape.workloads[0], "profiler": profiler, "step": step, "baseline": "plain",
                     "variant": f"{profiler} {step}", "metric": "write.bw", "unit": "B/s", "better": "higher", "blocks": 12, "ratio": ratio,
                     "ratio_low": ratio * 0.985, "ratio_high": ratio * 1.014, "verdict": _verdict(ratio * 0.985, ratio * 1.014, "higher")}
                )  # fmt: skip
        return rows

    def _captured(self, profiler: str, workload: str) -> None:
        folded = {}
        for variant in self._alive():
            if (variant, profiler) in self.shape.skipped:
                continue
            stacks = {
                s: int(v * self.random.gauss(1, 0.02) * (1 if profiler == "jemalloc-heap" else 2e6))
                for s, v in STACKS[profiler].items()
            }
            if variant == "waiting":
                stacks |= {s: int(v * 2e6) for s, v in WAIT.get(profiler, {}).items()}
            folder = self.folder / "processed" / variant / workload / profiler
            if (variant, profiler) in self.shape.refused:
                self._refused(folder, profiler)
            else:
                folded[variant] = self._processed(folder, profiler, variant, stacks)
        for contrast in self.plan.contrasts:
            if contrast.baseline in folded and contrast.variant in folded:
                folder = (
                    self.folder / "diffs" / f"{contrast.variant}-vs-{contrast.baseline}" / workload / profiler
                )
                self._diff(folder, profiler, folded[contrast.baseline], folded[contrast.variant])

    def _processed(self, folder: Path, profiler: str, variant: str, stacks: dict[str, int]) -> Path:
        text = "".join(f"{stack} {value}\n" for stack, value in stacks.items())
        self._text(folder / "folded.txt", text)
        unit = PROFILERS[profiler].unit
        svg = _flamegraph(
            ["--title", f"{variant}: {unit}", "--countname", unit.split()[0], str(folder / "folded.txt")]
        )
        self._text(folder / "flamegraph.svg", svg)
        leaves = pd.DataFrame([{"frame": s.split(";")[-1], "stack": s, "self": v} for s, v in stacks.items()])
        leaves.to_parquet(folder / "table.parquet")
        pictures, tables = {}, {}
        if profiler == "jemalloc-heap":
            pictures, tables = {"jeprof graph": "jeprof.svg"}, {"Live heap over time": "timeline.parquet"}
            self._text(folder / "jeprof.svg", _graph())
            self._text(folder / "jeprof.txt", "Total: 35.4 B\n")
            pd.DataFrame(
                {
                    "capture": 1,
                    "time_s": [i / 2 for i in range(8)],
                    "live_bytes": [2e6 + 4.6e6 * i for i in range(8)],
                }
            ).to_parquet(folder / "timeline.parquet")
        self._json(
            folder / "profile.json",
            Profile(
                profiler=profiler, status="limited" if (profiler, variant) == ("perf-offcpu", "control") else "ok", unit=unit,
                total=sum(stacks.values()), captures=3, operations=9800, bytes=9800 * 131072, source_files=("001/perf.data" if profiler.startswith("perf") else "001/trace.json",),
                tool_versions={"perf": "6.1.158", "inferno": "0.12.4"},
                notes=("38 % of the stacks are cut short: the C library was built without frame pointers",) if (profiler, variant) == ("perf-offcpu", "control") else (),
                figures={"whole_stack_share": 0.992, "named_frame_share": 0.981, "samples": 12_345} if profiler.startswith("perf") else {"sampling_error": 0.014},
                pictures=pictures, tables=tables,
            ),
        )  # fmt: skip
        return folder / "folded.txt"

    def _refused(self, folder: Path, profiler: str) -> None:
        self._json(
            folder / "profile.json",
            Profile(
                profiler=profiler, status="refused", unit=PROFILERS[profiler].unit, total=0, captures=3, operations=9800, bytes=0,
                source_files=("001/console.ndjson",),
                notes=("the recording holds 0 events: the filter `demofs=info` keeps the console layer from seeing any task",),
                fix="set log_filter to `RUST_LOG=demofs=info,tokio=trace,runtime=trace` in targets/demofs/target.yaml",
            ),
        )  # fmt: skip

    def _diff(self, folder: Path, profiler: str, left: Path, right: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        diff = subprocess.run(
            [tool("inferno-diff-folded"), "-n", str(left), str(right)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        self._text(folder / "diff.folded", diff)
        self._text(folder / "diff.svg", _flamegraph(["--title", "difference", str(folder / "diff.folded")]))
        sides = [
            dict(line.rsplit(" ", 1) for line in path.read_text().splitlines()) for path in (left, right)
        ]
        unit = "bytes" if profiler == "jemalloc-heap" else f"{PROFILERS[profiler].unit} per operation"
        found = {stack: [int(side.get(stack, 0)) / 9800 for side in sides] for stack in sides[0]}
        rows: list[dict[str, object]] = [
            {
                "function": stack.split(";")[-1],
                "moved": "both" if "extend_file_size" in stack else "no",
                "baseline_self": before,
                "variant_self": after,
                "difference_self": after - before,
                "noise_self": 0.02 * before,
                "unit": unit,
            }
            for stack, (before, after) in found.items()
        ]
        self._csv(folder / "movers.csv", rows)
        self._json(folder / "diff.json", {"note": "normalised per I/O operation"})

    def _spans(self, variant: str, workload: str) -> None:
        cell = self.folder / "processed" / variant / workload
        wait = 4e9 if variant == "waiting" else 2e7
        rows = [
            ("demofs::fs", "write", 9800, 0.44e9, 0.4e9, 0.21e9, 0.0, 0.01e9, 0.04e9),
            ("demofs::fs", "write_chunks", 9800, 1.26e9, 1.2e9, 1.1e9, 0.06e9, 0.02e9, 0.06e9),
            ("demofs::fs", "extend_file_size", 980, wait + 0.02e9, 0.02e9, 0.01e9, 0.0, 0.0, wait),
            ("demofs::meta::sqlite", "set_size", 980, 0.62e9, 0.6e9, 0.19e9, 0.4e9, 0.0, 0.02e9),
            ("demofs::fs", "getattr", 40, 0.08e9, 0.07e9, 0.09e9, 0.0, 0.0, 0.01e9),
            ("", "(outside the target)", 9800, 1.1e9, 0.0, 0.0, 0.0, 0.0, 0.0),
        ]
        names = [
            "target",
            "name",
            "calls",
            "wall_ns",
            "poll_ns",
            "oncpu_ns",
            "blocked_ns",
            "preempted_ns",
            "awaiting_ns",
        ]
        table = pd.DataFrame(rows, columns=names)
        table["unexplained_ns"] = table.poll_ns - table.oncpu_ns - table.blocked_ns - table.preempted_ns
        table["place"] = [f"src/fs.rs:{100 + 20 * i}" for i in range(5)] + [None]
        table.to_parquet(cell / "blindspots.parquet")
        headline = "63 % of the wall time of `write` is a wait in `extend_file_size` that the on-CPU flamegraph does not show; it shows `write_chunks` in its place."
        hint = "29 % of `set_size` is in no child span; its blocked stacks name `Transaction::commit`: a span there would show it."
        said = {
            "headline": headline if variant == "waiting" else "",
            "notes": [],
            "hints": [hint],
            "operations": 9800,
        }
        self._json(cell / "blindspots.json", said)
        self._json(
            cell / "queries.json",
            [
                {"title": "Where writes wait", "sql": "select name, count(*) n, sum(dur_us)/1e6 s from spans group by name order by s desc limit 10",
                 "columns": ["name", "n", "s"], "rows": [[r[1], r[2], r[3] / 1e9] for r in rows[:5]] + [["<script>alert('sql')</script>", 1, None]], "error": None},
                {"title": "A query that fails", "sql": "select nothing from spans", "columns": [], "rows": [], "error": 'Binder Error: column "nothing" not found'},
            ],
        )  # fmt: skip

    def _json(self, path: Path, value: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2))

    def _text(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def _csv(self, path: Path, rows: list[dict[str, object]]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
            writer.writeheader()
            writer.writerows(rows)


def _verdict(low: float, high: float, better: str) -> str:
    if high < 1 or low > 1:
        word = "faster" if (low > 1) == (better == "higher") else "slower"
        return f"{word}, below threshold" if low >= 0.95 and high <= 1.05 else word
    return "no difference shown" if low >= 0.95 and high <= 1.05 else "inconclusive"


def _flamegraph(argv: list[str]) -> str:
    return subprocess.run(
        [tool("inferno-flamegraph"), *argv], check=True, capture_output=True, text=True
    ).stdout


def _graph() -> str:
    """As graphviz writes it: y goes up from the bottom, so a caller's is the more negative. The root stands far right."""
    return (
        '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="3000pt" height="200pt" viewBox="0.00 0.00 3000.00 200.00">'
        '<g transform="translate(4 196)"><polygon fill="white" stroke="transparent" points="-4,4 -4,-196 2996,-196 2996,4 -4,4"/>'
        '<polygon fill="none" stroke="black" points="2670,-190 2530,-190 2530,-150 2670,-150"/><text x="2540" y="-165">main 35.4 MiB</text>'
        '<path d="M2600 -150 L300 -80" stroke="black"/><polygon fill="none" stroke="black" points="410,-80 190,-80 190,-40 410,-40"/>'
        '<text x="200" y="-55">Chunks::buffer 32.0 MiB (90 %)</text></g></svg>'
    )


def shaped(name: str, **changes: object) -> Shape:
    return replace(SHAPES[name], **changes)  # type: ignore[arg-type]


def main() -> None:
    from fuselab.report.inputs import find
    from fuselab.report.overview import write_overview
    from fuselab.report.page.render import write_report
    from fuselab.report.summary import write_summary

    root = Path(sys.argv[1])
    for name, shape in SHAPES.items():
        yaml = make(root / "results", shape)
        out = root / "results" / shape.name / "report.html"
        inputs = find(root / "results", yaml, shape.name)
        write_report(inputs, out)
        write_summary(inputs, out.with_name("summary.md"), out.with_name("summary.json"))
        print(name, out, out.stat().st_size)
    broken = {
        "misspelt": "experiments/misspelt.yaml:7:1: unknown key `blokcs`\n  did you mean `blocks`?\n\n  7 | blocks: 12"
    }
    listed = [shape.name for shape in SHAPES.values()]
    write_overview(root / "results", listed[:2], broken, root / "results" / "report.html", by_hand=listed[2:])


if __name__ == "__main__":
    main()
