"""What the Snakefile asks: plans by experiment, and which files a rule reads. Rules hold no logic of their own.

Experiments are read when a rule first asks for one. A broken one ends Snakemake with its errors, and nothing
else: it stops only those who wanted it.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import msgspec

from fuselab import workloads
from fuselab.compare.schedule import LOOKS, block_order, randseed
from fuselab.experiment.errors import ExperimentErrors
from fuselab.experiment.loading import load_experiment
from fuselab.experiment.plan import NONE, Plan
from fuselab.experiment.planning import make_plan
from fuselab.report.plan import describe
from fuselab.rig.namespaces import PARENT
from fuselab.rig.request import Load
from fuselab.takeover import take_over
from fuselab.target.spec import bench_spec

PACKAGE = Path(__file__).parent
COST_BLOCKS = 8
"""Blocks that measure what profiling costs: two more than an interval needs."""


class Workflow:
    """The Snakefile's one object. Every path it returns is relative to the repository."""

    def __init__(self, root: Path, is_main: bool, listed: list[str]) -> None:
        self.root = root
        self.listed = listed
        self._plans: dict[str, Plan] = {}
        os.environ[PARENT] = str(os.getpid())
        if is_main:
            self._guard = take_over(root)

    def plan(self, experiment: str) -> Plan:
        """Of `experiments/<experiment>.yaml`, read once. Ends Snakemake with the file's errors if it is broken."""
        if experiment not in self._plans:
            try:
                self._plans[experiment] = self._read(experiment)
            except ExperimentErrors as errors:
                # SystemExit and not an exception: Snakemake would wrap it in a traceback.
                raise SystemExit(f"\n{errors}") from None
        return self._plans[experiment]

    def _read(self, experiment: str) -> Plan:
        path = self.root / "experiments" / f"{experiment}.yaml"
        loaded = load_experiment(path, self.root)
        return make_plan(loaded.experiment, loaded.targets, loaded.services)

    def build(self, folder: str) -> dict[str, Any]:
        """Build spec of `<target>/<build>` as plain data, from whichever experiment asks for it."""
        for plan in self._plans.values():
            for spec in plan.builds.values():
                for made in (spec, *(bench_spec(spec, bench) for bench in self._benches(plan))):
                    if made.folder == folder:
                        return plain_dict(made)
        raise SystemExit(f"no experiment that was asked for has the build {folder}")

    def _benches(self, plan: Plan) -> list[str]:
        return sorted({str(w.settings["bench"]) for w in plan.experiment.workloads if "bench" in w.settings})

    def mount(self, experiment: str, variant: str, profiler: str) -> dict[str, Any]:
        return plain_dict(self.plan(experiment).mounts[variant, profiler])

    def build_folders(
        self, experiment: str, variants: list[str], profiler: str = NONE, workload: str | None = None
    ) -> list[str]:
        """Folders of the builds that `variants` run; with `workload`, its bench's build too."""
        plan = self.plan(experiment)
        folders = []
        for variant in variants:
            spec = plan.build_of(variant, profiler)
            if spec is None:
                continue
            folders.append(f"results/builds/{spec.folder}")
            bench = plan.experiment.workload(workload).settings.get("bench") if workload else None
            if bench is not None:
                folders.append(f"results/builds/{bench_spec(spec, str(bench)).folder}")
        return sorted(set(folders))

    def timed_builds(self, experiment: str, workload: str) -> list[str]:
        return self.build_folders(experiment, self._variants(experiment), workload=workload)

    def capture_builds(self, experiment: str, variant: str, workload: str, profilers: str) -> list[str]:
        return self.build_folders(experiment, [variant], profilers, workload)

    def profiled_builds(self, experiment: str, variant: str, workload: str, profiler: str) -> list[str]:
        capture = self.plan(experiment).capture_of(variant, workload, profiler)
        return self.capture_builds(experiment, variant, workload, capture.profiler)

    def all_builds(self, experiment: str) -> list[str]:
        plan = self.plan(experiment)
        return sorted(
            {
                folder
                for variant, profiler in plan.mounts
                for folder in self.build_folders(experiment, [variant], profiler)
            }
        )

    def profiled_binary(self, experiment: str, variant: str, workload: str, profiler: str) -> str:
        plan = self.plan(experiment)
        capture = plan.capture_of(variant, workload, profiler)
        return plan.mounts[variant, capture.profiler].binary

    def _variants(self, experiment: str) -> list[str]:
        return [variant.name for variant in self.plan(experiment).experiment.variants]

    def mounts(self, experiment: str) -> list[str]:
        return [f"results/{experiment}/mounts/{v}.{p}.json" for v, p in self.plan(experiment).mounts]

    def jobs(self, experiment: str) -> list[str]:
        return [f"results/{experiment}/loads/{workload}.fio" for workload in self.plan(experiment).jobs]

    def verified(self, experiment: str, variant: str | None = None) -> list[str]:
        plan = self.plan(experiment)
        names = [name for name in plan.verified if variant in (None, name)]
        return [f"results/{experiment}/verify/{name}/{plan.verify_spec(name)}" for name in names]

    def verify(self, experiment: str, variant: str) -> dict[str, Any]:
        return {
            "experiment": experiment,
            "mount": self.mount(experiment, variant, NONE),
            "baseline": variant == self.plan(experiment).experiment.baseline.name,
            "state": self.plan(experiment).experiment.state,
        }

    def block(self, experiment: str, workload: str, number: str) -> dict[str, Any]:
        """What decides a block: its mounts and its load, the order of its runs, and fio's seed."""
        mounts = {name: self.mount(experiment, name, NONE) for name in self._variants(experiment)}
        plan = self.plan(experiment)
        return self._block_task(plan, "timed", mounts, workload, number, plan.own_loads(workload))

    def _block_task(
        self,
        plan: Plan,
        purpose: str,
        mounts: dict[str, Any],
        workload: str,
        number: str,
        own: dict[str, Load],
    ) -> dict[str, Any]:
        seed = plan.experiment.seed
        return {
            "experiment": plan.experiment.name,
            "purpose": purpose,
            "mounts": mounts,
            "order": list(block_order(list(mounts), int(number), seed)),
            "load": plain(plan.loads[workload]),
            "own_loads": plain(own),
            "randseed": randseed(seed, workload, int(number)),
            "state": plan.experiment.state,
        }

    def capture(self, experiment: str, variant: str, workload: str, profilers: str) -> dict[str, Any]:
        plan = self.plan(experiment)
        # Every capture of a workload, of whatever variant, reads and writes the same offsets.
        return {
            "experiment": experiment,
            "mount": self.mount(experiment, variant, profilers),
            "load": plain(plan.load_of(variant, workload)),
            "randseed": randseed(plan.experiment.seed, workload, 0),
            "state": plan.experiment.state,
        }

    def capture_folders(self, experiment: str, variant: str, workload: str, profiler: str) -> list[str]:
        capture = self.plan(experiment).capture_of(variant, workload, profiler)
        base = f"results/{experiment}/captures/{variant}/{workload}/{capture.profiler}/{capture.spec}"
        return [f"{base}/{number:03d}" for number in range(1, capture.repeats + 1)]

    def blocks(self, experiment: str, checkpoints: Any = None) -> list[str]:
        """Folders of the timed blocks, as many as the looks have asked for so far.

        `checkpoints` is Snakemake's: asking it for a look that has not been taken makes Snakemake take it first.
        """
        plan = self.plan(experiment)
        found = []
        for workload in plan.experiment.workloads:
            spec, count = plan.timed_spec(workload.name), plan.block_count
            while plan.experiment.blocks == "auto" and checkpoints is not None and count < LOOKS[-1]:
                look = checkpoints.look.get(
                    experiment=experiment, workload=workload.name, spec=spec, number=f"{count:03d}"
                )
                wanted = json.loads(Path(look.output[0]).read_text())["next"]
                if wanted is None:
                    break
                count = wanted
            found += self._block_folders(experiment, "blocks", workload.name, spec, count)
        return found

    def holders(self, folders: list[str]) -> list[str]:
        """The folders that hold `folders`: inputs of what is derived from them, so that what is deleted is made again.

        Snakemake does not look for what is missing between its targets and files that are up to date; but deleting an
        entry of a folder makes the folder newer than what was derived. They are made here, because nothing else makes
        them before the first measurement, and an input that comes later would be a change.
        """
        parents = sorted({str(Path(folder).parent) for folder in folders})
        for parent in parents:
            (self.root / parent).mkdir(parents=True, exist_ok=True)
        return parents

    def first_blocks(self, experiment: str, workload: str, number: str) -> list[str]:
        """Folders of the blocks that the look after block `number` is taken at."""
        spec = self.plan(experiment).timed_spec(workload)
        return self._block_folders(experiment, "blocks", workload, spec, int(number))

    def cost_blocks(self, experiment: str) -> list[str]:
        plan = self.plan(experiment)
        if len(plan.cost_mounts) < 2:
            return []
        return [
            folder
            for w in plan.experiment.workloads
            if workloads.REGISTRY[w.kind].needs_mount
            for folder in self._block_folders(
                experiment, "costs", w.name, plan.cost_spec(w.name), COST_BLOCKS
            )
        ]

    def _block_folders(self, experiment: str, kind: str, workload: str, spec: str, count: int) -> list[str]:
        return [
            f"results/{experiment}/{kind}/{workload}/{spec}/{number}"
            for number in self.plan(experiment).blocks(count)
        ]

    def costs(self, experiment: str) -> list[str]:
        """costs.csv, if the experiment asks for it."""
        return [f"results/{experiment}/costs.csv"] if self.cost_blocks(experiment) else []

    def cost_builds(self, experiment: str) -> list[str]:
        return sorted(
            {f"results/builds/{m.build}" for m in self.plan(experiment).cost_mounts.values() if m.build}
        )

    def cost_block(self, experiment: str, workload: str, number: str) -> dict[str, Any]:
        plan = self.plan(experiment)
        mine = plan.own_loads(workload).get(plan.experiment.baseline.name)
        own = {} if mine is None else dict.fromkeys(plan.cost_mounts, mine)
        return self._block_task(plan, "cost", plain(plan.cost_mounts), workload, number, own)

    def cost_steps(self, experiment: str) -> list[dict[str, Any]]:
        return [plain_dict(step) for step in self.plan(experiment).cost_steps]

    def kinds(self, experiment: str) -> dict[str, str]:
        return {workload.name: workload.kind for workload in self.plan(experiment).experiment.workloads}

    def design(self, experiment: str) -> dict[str, Any]:
        """What is judged, as the experiment states it beforehand."""
        e = self.plan(experiment).experiment
        return {
            "experiment": e.name,
            "baseline": e.baseline.name,
            "contrasts": [[c.baseline, c.variant] for c in e.contrasts],
            "workloads": [w.name for w in e.workloads],
            "controls": [v.name for v in e.variants if v.control],
            "primary": list(e.compare.primary),
            "threshold": e.compare.threshold,
            "blocks": e.blocks,
            "asked": {w.name: dict(workloads.REGISTRY[w.kind].asked(w.settings)) for w in e.workloads},
            "closed_loop": [
                w.name for w in e.workloads if workloads.REGISTRY[w.kind].closed_loop(w.settings)
            ],
        }

    def processed(self, experiment: str) -> list[str]:
        return [
            f"results/{experiment}/processed/{v}/{w}/{p}" for v, w, p in self.plan(experiment).processed()
        ]

    def processed_cell(self, experiment: str, variant: str, workload: str) -> list[str]:
        base = f"results/{experiment}/processed/{variant}/{workload}/"
        return [folder for folder in self.processed(experiment) if folder.startswith(base)]

    def questions(self, experiment: str) -> list[dict[str, Any]]:
        return [plain_dict(query) for query in self.plan(experiment).experiment.queries]

    def has_spans(self, experiment: str, variant: str, workload: str) -> bool:
        """Whether the ready-made queries, all of them over spans, can be asked."""
        return (variant, workload, "trace-chrome") in self.plan(experiment).processed()

    def queries(self, experiment: str) -> list[str]:
        """queries.json of every variant and workload that has something to ask and to be asked of."""
        cells = {(v, w) for v, w, _ in self.plan(experiment).processed()}
        asked = [
            cell for cell in sorted(cells) if self.questions(experiment) or self.has_spans(experiment, *cell)
        ]
        return [f"results/{experiment}/processed/{v}/{w}/queries.json" for v, w in asked]

    def blindspots(self, experiment: str) -> list[str]:
        """Accounts of every variant and workload that has spans."""
        cells = {(v, w) for v, w, _ in self.plan(experiment).processed() if self.has_spans(experiment, v, w)}
        return [f"results/{experiment}/processed/{v}/{w}/blindspots.parquet" for v, w in sorted(cells)]

    def diffs(self, experiment: str) -> list[str]:
        return [
            f"results/{experiment}/diffs/{c.variant}-vs-{c.baseline}/{workload}/{profiler}"
            for c, workload, profiler in self.plan(experiment).diffs()
        ]

    def plan_data(self, experiment: str) -> dict[str, Any]:
        """plan.json: the experiment as resolved, and the specs of its measurements."""
        return plain_dict(describe(self.plan(experiment)))

    @cache  # noqa: B019  one object, as long as Snakemake lives
    def code(self, *packages: str) -> str:
        """Short hash of the package's own files that a derived result is made by: it is made again when they change."""
        rooms = [PACKAGE / package for package in packages]
        if "analysis" in packages:
            rooms += (PACKAGE.parent.parent / "tools").glob("*/src")
        found = (path for room in rooms for path in room.rglob("*") if path.suffix in _CODE)
        digest = hashlib.sha256()
        for path in sorted(found):
            digest.update(path.read_bytes())
        return digest.hexdigest()[:12]

    @cached_property
    def _readable(self) -> tuple[list[str], dict[str, str]]:
        """The listed experiments that can be read, and the errors of those that cannot."""
        good, broken = [], {}
        for name in self.listed:
            try:
                self._plans.setdefault(name, self._read(name))
                good.append(name)
            except ExperimentErrors as errors:
                broken[name] = str(errors)
        return good, broken

    def reports(self) -> list[str]:
        return [f"results/{name}/report.html" for name in self._readable[0]]

    def bundle(self, experiment: str, given: str | None) -> str:
        """The bundle to hold this experiment against. Ends Snakemake, saying where to put it, if it is not there."""
        path = given or f"bundles/{experiment}.zip"
        if not (self.root / path).is_file():
            raise SystemExit(
                f"\n{path} is not there: put the bundle to compare with at bundles/{experiment}.zip, or name it with "
                "--config bundle=FILE"
            )
        return path

    def by_hand(self) -> list[str]:
        """Experiments that are not listed but have a report: shown on the overview, never made again for it."""
        made = {path.parent.name for path in self.root.glob("results/*/report.html")}
        return sorted(made - set(self.listed))

    def broken(self) -> dict[str, str]:
        return self._readable[1]


_CODE = {".py", ".rs", ".html", ".css", ".js", ".j2", ".md", ".sql"}


def plain(value: object) -> Any:
    """Dicts, lists, strings and numbers: what Snakemake can compare between calls."""
    return msgspec.to_builtins(value, enc_hook=str)


def plain_dict(value: object) -> dict[str, Any]:
    """`plain` of a dataclass."""
    converted: dict[str, Any] = plain(value)
    return converted
