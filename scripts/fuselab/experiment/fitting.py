"""Whether a target's file is known to fit the revisions of its source that an experiment is about: `fits:`."""

from __future__ import annotations

from collections.abc import Iterator

from fuselab.building.source import WORKTREE
from fuselab.experiment.loading import Loaded
from fuselab.experiment.resolve import contains, revision_of, shallow_of
from fuselab.targets.model import Target


def misfits(loaded: Loaded) -> Iterator[tuple[str, str]]:
    """Target, and why it is not known to fit what some variants are built from; each revision once."""
    builds: dict[tuple[str, str], list[str]] = {}
    for variant in loaded.experiment.variants:
        builds.setdefault((variant.target, variant.rev), []).append(variant.name)
    for (name, rev), variants in builds.items():
        if why := misfit(loaded.targets[name], rev):
            yield name, f"{', '.join(variants)}: {why}"


def misfit(target: Target, rev: str = WORKTREE) -> str:
    """Why target.yaml is not known to fit the revision `rev` of its source; "" if it is, or says nothing of it."""
    fits = target.fits
    if fits is None or (commit := revision_of(target, "HEAD" if rev == WORKTREE else rev)) is None:
        return ""
    since, until = (revision_of(target, bound) if bound else commit for bound in (fits.since, fits.until))
    if since is None or until is None:
        lacking = fits.since if since is None else fits.until
        return f"`fits` names {lacking}, which the source does not have{shallow_of(target)}"
    if contains(target, commit, since) and contains(target, until, commit):
        return ""
    return f"target.yaml is known to fit {fits.words}, and this is {commit[:9]}"
