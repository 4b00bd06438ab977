"""Whether an experiment has what a path below `results/<experiment>/` names: said before anything is made."""

from __future__ import annotations

from collections.abc import Mapping

from fuselab.experiment.plan import NONE, Plan
from fuselab.records.places import Results
from fuselab.schema.diagnostics import hint, near


class Requested:
    """What `plan` has, by wildcard. Made once for each plan: every input of every job asks it."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._cells = set(plan.processed())
        self._looking = {(c.variant, c.profiler) for c in plan.captures} | plan.mounts.keys()
        variants = {variant.name for variant in plan.experiment.variants}
        sets = {profilers for _, profilers in self._looking}
        self._names = {
            "variant": variants,
            "baseline": variants,
            "workload": set(plan.loads),
            "load": set(plan.jobs),
            "profilers": sets,
            "profiler": {name for profilers in sets for name in profilers.split("+")} - {NONE},
        }

    def fault(self, named: Mapping[str, str]) -> str | None:
        """Why there is nothing by the wildcards `named`, in words; None if there is.

        A spec that the file no longer stands for is such a thing: what would be measured is not what it says.
        """
        plan = self._plan
        file = f"experiments/{plan.experiment.name}.yaml"
        for kind, names in self._names.items():
            if kind in named and (name := named[kind]) not in names:
                there = sorted(names)
                nearest = hint(near(name, there)) or "."
                return f"{file} has no {kind} '{name}'{nearest} It has: {', '.join(there) or 'none'}."
        variant, workload, profiler, profilers, spec = (
            named.get(kind, "") for kind in ("variant", "workload", "profiler", "profilers", "spec")
        )
        if spec and (variant, workload, profilers, spec) not in plan.specs:
            return (
                f"{file} does not stand for '{spec}' (any more): it has been edited since. "
                f"Ask for {Results().experiment(plan.experiment.name).report}"
            )
        if variant and workload and profiler and (variant, workload, profiler) not in self._cells:
            return self._unseen(variant, profiler, f"under `{workload}`")
        if variant and profilers and (variant, profilers) not in (self._looking if workload else plan.mounts):
            return self._unseen(variant, profilers, "in this experiment")
        return None

    def _unseen(self, variant: str, profilers: str, where: str) -> str:
        skipped = (s for s in self._plan.skipped if s.variant == variant)
        why = [s.capability.reason for s in skipped if s.profiler in profilers.split("+")]
        return f"`{profilers}` does not look at `{variant}` {where}{': '.join(['', *why])}"
