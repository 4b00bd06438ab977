"""What cannot be swept like this: under these variants, these targets, or because it has no order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fuselab.experiment.checks import metric_names, yields
from fuselab.experiment.model import Variant, Workload
from fuselab.experiment.resolve import check_option, whose_options
from fuselab.experiment.sweeps import MOUNTS, OF_MOUNTS, Axis, Sweeps
from fuselab.schema.diagnostics import Diagnostics
from fuselab.targets.model import Target
from fuselab.workloads import REGISTRY


def check(
    diagnostics: Diagnostics,
    sweeps: Sweeps,
    loads: Sequence[Workload],
    variants: Mapping[str, Variant],
    targets: Mapping[str, Target],
) -> None:
    """What cannot be swept like this under these variants."""
    for name, axes in sweeps.axes.items():
        points = [load for load in loads if load.point and load.point.curve == name]
        kinds = {load.kind for load in points}
        for axis in axes:
            for metric in axis.limit:
                if points and not any(yields(load, metric) for load in points):
                    known = dict.fromkeys(name for load in points for name in metric_names(load))
                    place = (*axis.at, "limit", metric)
                    diagnostics.unknown(
                        place, "metric", known, of_key=True, why=" (the load does not yield it)"
                    )
            _check_own(diagnostics, axis, variants)
            if axis.path == (MOUNTS,):
                _check_mounts(diagnostics, axis, points)
            if axis.path[0] == "options":
                _check_options(diagnostics, axis, targets)
            for kind in kinds:
                _check_order(diagnostics, axis, kind)


def _check_own(diagnostics: Diagnostics, axis: Axis, variants: Mapping[str, Variant]) -> None:
    """A variant that says itself what is swept: one of them would not hold."""
    for variant in variants.values():
        own = dict(getattr(variant, axis.path[0], ())) if axis.path[0] in (*OF_MOUNTS, *variant.own) else {}
        if axis.path[-1] in own:
            message = (
                f"the variant '{variant.name}' sets '{axis.path[-1]}' itself: leave it out there, or here"
            )
            diagnostics.add((*axis.at, "over"), message)


def _check_mounts(diagnostics: Diagnostics, axis: Axis, points: Sequence[Workload]) -> None:
    """A load that names no mount but the first leaves the others idle: more of them would change nothing."""
    if points and not any(load.behaviour.uses_mounts(load.settings) for load in points):
        mend = "write 'directory: \"{mountpoints}\"' and 'numjobs' into its fio job, which shares them out"
        diagnostics.add((*axis.at, "over"), f"the load uses the first mount alone: {mend}")


def _check_options(diagnostics: Diagnostics, axis: Axis, targets: Mapping[str, Target]) -> None:
    for target in targets.values():
        if axis.path[1] not in target.options:
            known = [f"options.{name}" for name in target.options]
            diagnostics.unknown(
                (*axis.at, "over"), "mount option", known, why=whose_options(target), name=axis.over
            )
            continue
        for text, place in axis.places.items():
            check_option(diagnostics, place, target, axis.path[1], text)


def _check_order(diagnostics: Diagnostics, axis: Axis, kind: str) -> None:
    """Values of a load that are taken as they are, and have no order."""
    if axis.of_mounts or axis.path[0] != kind:
        return
    texts = [one.text for one in axis.values]
    for text, number in zip(texts, REGISTRY[kind].numbers(axis.path[-1], texts), strict=True):
        if number is None and not diagnostics.broken_below(axis.places[text]):
            message = (
                f"'{text}' is no number, and an axis has an order: make it a load, or a variant, of its own"
            )
            diagnostics.add(axis.places[text], message)
