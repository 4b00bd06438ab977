"""What the jobs of one experiment are told: their parameters, as the plain data that Snakemake can compare."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, NamedTuple

import msgspec

from fuselab.building.request import BuildRequest
from fuselab.code import measuring_code
from fuselab.compare.schedule import block_order, point_seed, randseed, turns
from fuselab.experiment.design import design_of
from fuselab.experiment.model import Workload
from fuselab.experiment.plan import NONE, Plan
from fuselab.measuring.attempts import BlockTask, CaptureTask, VerifyTask
from fuselab.records.design import Pair
from fuselab.records.places import Results
from fuselab.records.request import Load, MountConfig
from fuselab.targets.model import Build
from fuselab.workflow.description import describe


class _Compared(NamedTuple):
    """What all blocks of a workload share."""

    mounts: dict[str, MountConfig]
    own: dict[str, Load]
    pairs: tuple[Pair, ...]


class _Turn(NamedTuple):
    """When the runs of a workload come."""

    order_seed: int
    slice_s: float | None
    seconds: float
    """That the load lasts, where it takes turns."""


@dataclass(frozen=True, eq=False)
class Parameters:
    """Of the jobs of one experiment."""

    plan: Plan

    def mount(self, variant: str, profilers: str) -> Any:
        return plain(self.plan.mounts[variant, profilers])

    def verify(self, variant: str, spec: str) -> VerifyTask:
        asked = next(run for run in self.plan.verifying if (run.variant, run.spec) == (variant, spec))
        mount = self.plan.mount(variant, NONE, asked.workloads[0])
        return VerifyTask(
            experiment=self.plan.experiment.name,
            mount=mount,
            essential=self.plan.is_essential(variant, mount),
            state=self.plan.experiment.state,
            ways=self.plan.experiment.verify,
            known_failures=self.plan.known_failures[variant],
            code=measuring_code("verify"),
        )

    def block(self, workload: str, number: str) -> BlockTask:
        """What decides a block: its mounts and its load, the order of its runs, and fio's seed."""
        same = self._compared(workload)
        return self._block("timed", same.mounts, workload, number, same.own, same.pairs)

    @cache  # noqa: B019  asked for by each of up to thousands of blocks
    def _compared(self, workload: str) -> _Compared:
        mounts = {v.name: self.plan.mount(v.name, NONE, workload) for v in self.plan.experiment.variants}
        pairs = tuple((c.baseline, c.variant) for c in self.plan.experiment.contrasts)
        return _Compared(mounts, self.plan.own_loads(workload), pairs)

    def cost_block(self, workload: str, number: str) -> BlockTask:
        mounts = dict(self.plan.cost_mounts)
        mine = self.plan.own_loads(workload).get(self.plan.experiment.baseline.name)
        own = {} if mine is None else dict.fromkeys(mounts, mine)
        pairs = tuple((step.before, step.after) for step in self.plan.cost_steps)
        return self._block("cost", mounts, workload, number, own, pairs)

    def work_block(self, workload: str, number: str) -> BlockTask:
        """As a timed block, but of fixed work: every block reads and writes the same offsets, so that counts repeat."""
        return replace(
            self.block(workload, number),
            purpose="work",
            rounds=(),
            load=self.plan.work_load(workload),
            own_loads=self.plan.own_work_loads(workload),
            randseed=randseed(self.plan.experiment.seed, workload, 0),
            counters=dict(self.plan.counters),
            code=measuring_code("work"),
        )

    def _block(
        self,
        purpose: Literal["timed", "cost"],
        mounts: dict[str, MountConfig],
        workload: str,
        number: str,
        own: dict[str, Load],
        pairs: tuple[Pair, ...],
    ) -> BlockTask:
        loads_seed = randseed(self.plan.experiment.seed, workload, int(number))
        turn = self._turn(workload)
        slice_s = turn.slice_s if purpose == "timed" else None
        return BlockTask(
            experiment=self.plan.experiment.name,
            purpose=purpose,
            mounts=mounts,
            order=tuple(block_order(list(mounts), int(number), turn.order_seed)),
            load=self.plan.loads[workload],
            randseed=loads_seed,
            state=self.plan.experiment.state,
            own_loads=own,
            pairs=pairs,
            code=measuring_code(purpose),
            rounds=turns(list(mounts), turn.seconds / slice_s, loads_seed) if slice_s else (),
            slice_s=slice_s or 0.0,
        )

    @cache  # noqa: B019  as above
    def _turn(self, workload: str) -> _Turn:
        asked = self.plan.experiment.workload(workload)
        seconds = asked.behaviour.turn_seconds(asked.settings) or 0.0
        return _Turn(self._order_seed(asked), asked.slice_s, seconds)

    def _order_seed(self, workload: Workload) -> int:
        """The experiment's own; that of a point is its own, so that the points of a curve do not share one order."""
        seed = self.plan.experiment.seed
        return seed if workload.point is None else point_seed(seed, workload.name)

    def capture(self, variant: str, workload: str, profilers: str) -> CaptureTask:
        experiment = Results().experiment(self.plan.experiment.name)
        return CaptureTask(
            experiment=self.plan.experiment.name,
            mount=self.plan.mount(variant, profilers, workload),
            load=self.plan.captured_load(variant, workload),
            # Every capture of a workload, of whatever variant, reads and writes the same offsets.
            randseed=randseed(self.plan.experiment.seed, workload, 0),
            state=self.plan.experiment.state,
            code=measuring_code("capture"),
            blocks=str(experiment.blocks(workload, self.plan.timed_spec(workload))),
        )

    def kind(self, workload: str) -> str:
        return self.plan.loads[workload].kind

    @property
    def kinds(self) -> dict[str, str]:
        return {workload.name: workload.kind for workload in self.plan.experiment.workloads}

    @property
    def design(self) -> Any:
        """What is judged, as the experiment states it beforehand."""
        return plain(design_of(self.plan.experiment))

    @property
    def verifying(self) -> Any:
        return [plain(run) for run in self.plan.verifying]

    @property
    def cost_steps(self) -> Any:
        return plain(self.plan.cost_steps)

    @property
    def questions(self) -> Any:
        return [plain(query) for query in self.plan.experiment.queries]

    @property
    def description(self) -> Any:
        """plan.json: the experiment as resolved, and the specs of its measurements."""
        return plain(describe(self.plan))


@dataclass(frozen=True)
class Told:
    """What a job is told although its path says all that decides it: Snakemake compares no object of a class.

    It would make a job again that no change of its path asks for, and would then leave out those behind it: it does
    not look at what stands behind an `ancient` input that is made again.
    """

    value: Any


@dataclass(frozen=True)
class Building:
    """What a job that builds is told."""

    spec: BuildRequest
    build: Build
    others: tuple[str, ...]
    """Below results/builds: builds of the experiment that are made otherwise from the same source."""


def plain(value: object) -> Any:
    """Dicts, lists, strings and numbers: what Snakemake can compare between calls."""
    return msgspec.to_builtins(value, enc_hook=str)
