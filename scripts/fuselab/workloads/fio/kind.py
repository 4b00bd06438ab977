"""fio on the mount: its registry entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuselab.targets.model import MOUNTPOINTS
from fuselab.workloads.base import (
    CheckContext,
    LoadContext,
    LoadResult,
    PlaceOf,
    Settings,
    Traffic,
    WorkloadKind,
)
from fuselab.workloads.fio import fio_json, fixed, layout, logs, rendering, timing
from fuselab.workloads.metric import Metric

if TYPE_CHECKING:
    from fuselab.records.request import Load
    from fuselab.records.slices import Turns
    from fuselab.schema.diagnostics import Diagnostics
    from fuselab.schema.yaml_source import Key

OUTPUT = "fio.json"
_BANDWIDTH_LOG = "fio_bw.log"


class Fio(WorkloadKind):
    """Settings: `{jobs: {section: {option: text}}, global: {option: text}}`."""

    name = "fio"
    quantities = tuple(fio_json.QUANTITIES.values())
    programs = ("fio",)
    begins = True

    def read(self, diagnostics: Diagnostics, at: Key, name: str, part: Mapping[str, Any]) -> Settings:
        from fuselab.workloads.fio import options

        return options.read(diagnostics, at, name, part)

    def check(self, diagnostics: Diagnostics, at: Key, settings: Settings, context: CheckContext) -> None:
        from fuselab.workloads.fio import checks

        checks.check(diagnostics, at, settings, context)

    def step(self, diagnostics: Diagnostics, at: Key, part: Mapping[str, Any]) -> tuple[str, ...]:
        from fuselab.workloads.fio import options

        return options.step(diagnostics, at, part)

    def check_own(
        self, diagnostics: Diagnostics, place_of: PlaceOf, own: Mapping[str, str], loads: Sequence[Settings]
    ) -> None:
        from fuselab.workloads.fio import checks

        checks.check_own(diagnostics, place_of, own, loads)

    fixed = staticmethod(fixed.fixed)
    overlaid = staticmethod(timing.overlaid)
    render = staticmethod(rendering.rendered)

    def metric_names(self, settings: Settings) -> Sequence[str]:
        jobs = list(timing.complete_jobs(settings).values())
        by_side = {
            side: [job for job in jobs if timing.moves(timing.mode(job), side)] for side in ("write", "read")
        }
        return [
            f"{side}.{what}"
            for what in fio_json.METRICS
            for side, mine in by_side.items()
            if mine and (what == "iops" or all(map(timing.moves_data, mine)))
        ]

    def primary(self, settings: Settings) -> Sequence[str]:
        """The first of each direction."""
        first: dict[str, str] = {}
        for name in self.metric_names(settings):
            first.setdefault(name.partition(".")[0], name)
        return list(first.values())

    def seconds(self, settings: Settings) -> float | None:
        return timing.in_stages(timing.complete_jobs(settings).values())

    def closed_loop(self, settings: Settings) -> bool:
        """Open is what keeps to a rate by a Poisson process, with several requests on their way at once."""
        return not all(timing.arrives(job) for job in timing.complete_jobs(settings).values())

    def fixed_rates(self, settings: Settings) -> Mapping[str, float]:
        """Rates of the directions in which every job has one of the same kind; a mixed job may be held by its mix."""
        return timing.asked_rates(list(timing.complete_jobs(settings).values()))

    def numbers(self, name: str, texts: Sequence[str]) -> Sequence[float | None]:
        """As fio itself reads them."""
        from fuselab.workloads.fio import meaning

        return meaning.numbers(name, texts)

    def intensity(self, name: str) -> bool:
        return name in ("iodepth", "numjobs", "rate", "rate_iops")

    lay_out = staticmethod(layout.lay_out)

    def lays_out(self, settings: Settings) -> bool:
        return bool(layout.finding(settings)["jobs"])

    def run(self, load: Load, context: LoadContext) -> LoadResult:
        own: timing.Options = {} if context.ramp else {"ramp_time": "0"}
        if context.turns:  # it begins in a turn, which is seen from outside
            context.begin()
            own = timing.IN_TURNS
        else:
            own = {**own, **rendering.AWAITED}
        job = context.out / "load.fio"
        job.write_text(rendering.rendered(timing.overlaid(load.settings, own)))
        awaited = not context.turns
        ended = rendering.run_fio(job, OUTPUT, load.randseed, load.timeout_s, context, awaited)
        return fio_json.result(
            context.out / OUTPUT, ended, load.timeout_s, by_signal=context.turns is not None
        )

    def metrics(self, run: Path) -> Sequence[Metric]:
        return fio_json.metrics(fio_json.read(run / OUTPUT), logs.slopes(run / _BANDWIDTH_LOG))

    def uses_mounts(self, settings: Settings) -> bool:
        return any(MOUNTPOINTS in job.get("directory", "") for job in timing.complete_jobs(settings).values())

    def no_turns(self, settings: Settings) -> tuple[str, str] | None:
        return timing.no_turns(timing.complete_jobs(settings))

    def turn_seconds(self, settings: Settings) -> float | None:
        return self.seconds(timing.overlaid(settings, {"ramp_time": "0"}))

    def turn_metrics(self, settings: Settings) -> Sequence[str]:
        return [name for name in self.metric_names(settings) if name.partition(".")[2] in timing.TURN_METRICS]

    def in_turns(self, run: Path, turns: Turns) -> Sequence[Metric]:
        return fio_json.in_turns(fio_json.read(run / OUTPUT), turns)

    def after_drain(self, run: Path, drain_s: float) -> Sequence[Metric]:
        return fio_json.drained(fio_json.read(run / OUTPUT), drain_s)

    def traffic(self, run: Path) -> Traffic:
        return fio_json.traffic(fio_json.read(run / OUTPUT))

    def versions(self, run: Path) -> Mapping[str, str]:
        version = fio_json.shown(run / OUTPUT).version
        return {"fio": version} if version else {}

    def percentiles(self, run: Path) -> Mapping[str, Sequence[tuple[float, float]]]:
        return fio_json.shown(run / OUTPUT).percentiles

    def throughput(self, run: Path) -> Sequence[tuple[float, str, float]]:
        moving = fio_json.shown(run / OUTPUT).moving_data
        found = (entry for path in sorted(run.glob("*_bw*.log")) for entry in logs.entries(path))
        return [entry for entry in found if entry[1] in moving]

    def described(self, name: str, settings: Settings) -> Sequence[str]:
        return [
            f"`{name}`{'' if job == name else f', job `{job}`'} is fio with "
            f"{', '.join(f'{option}={value}' for option, value in own.items())}."
            for job, own in settings["jobs"].items()
        ]

    def mixes_directions(self, settings: Settings) -> bool:
        return any(
            timing.mode(job) in ("rw", "randrw", "readwrite")
            for job in timing.complete_jobs(settings).values()
        )
